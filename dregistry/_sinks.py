"""
The sinks of the endpoints of notifications that the configuration names.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from ._choices import Choice, Kind, Warn, choose
from .config import ConfigError, Configuration, Endpoint, Problem
from .notifications import API_VERSION, EndpointSettings, INotificationSinkFactory
from .notifications.envelope import CLOUDEVENTS, V1, V2

NOTIFICATION_SINK = Kind("notification sink", INotificationSinkFactory, API_VERSION)


@frozen
class SinkChoice(Choice):
    """
    The sink of an endpoint that is to have events.

    :ivar settings: of the endpoint, for the sink.
    :ivar endpoint: the same as it was configured.
    """

    settings: EndpointSettings
    endpoint: Endpoint


def choose_sinks(config: Configuration, source: str, warn: Warn) -> tuple[SinkChoice, ...]:
    """
    The sinks of all endpoints that are not disabled.

    :param source: the name of the file, for the report.
    :raise ConfigError: with all faults of the section.
    """
    choices: list[SinkChoice] = []
    problems: list[Problem] = []
    for index, name, endpoint in _active_endpoints(config):
        path = f"notifications.endpoints[{index}]"
        place = f"{path}.options"
        try:
            choice = choose(NOTIFICATION_SINK, endpoint.sink, endpoint.options, f"{path}.sink", place, source, warn)
        except ConfigError as error:
            problems += error.problems
            continue
        settings = _settings(name, endpoint)
        problems += [Problem(f"{path}.{key}", message) for key, message in choice.factory.faults(settings)]
        choices.append(SinkChoice(choice.kind, choice.factory, choice.options, place, source, settings, endpoint))
    if problems:
        raise ConfigError(problems, source=source)
    return tuple(choices)


def _active_endpoints(config: Configuration) -> Iterator[tuple[int, str, Endpoint]]:
    """
    Index, name, section. A name that is missing is made of the URL, and one that is there already gets a number.
    """
    taken: set[str] = set()
    for index, endpoint in enumerate(config.notifications.endpoints):
        if endpoint.disabled:
            continue
        place = endpoint.url.partition("://")[2].rpartition("@")[2].partition("?")[0]
        wanted = endpoint.name or place or endpoint.sink
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}-{number}"
        taken.add(name)
        yield index, name, endpoint


def _settings(name: str, endpoint: Endpoint) -> EndpointSettings:
    media_type = V1 if endpoint.mediatype == "v1" else V2
    if endpoint.format == "cloudevents":
        media_type = CLOUDEVENTS
    return EndpointSettings(name, endpoint.url, endpoint.headers, endpoint.timeout, endpoint.secret, media_type)
