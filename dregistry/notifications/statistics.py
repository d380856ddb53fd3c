"""
Statistics of endpoints, in the form of distribution's ``/debug/vars``: ``registry.notifications.endpoints[]``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from .. import config
from ..config import Endpoint
from ._events import Wanted
from ._interfaces import EndpointSettings
from ._positions import Counts

_MASK = "********"
_NANOSECONDS = 10**9


class Configured(Protocol):
    """An endpoint: what its sink knows of it, and how it was configured."""

    @property
    def settings(self) -> EndpointSettings: ...

    @property
    def endpoint(self) -> Endpoint: ...


def wanted_by(endpoint: Endpoint) -> Wanted:
    """What an endpoint is to have."""
    media_types = frozenset((*endpoint.ignoredmediatypes, *endpoint.ignore.mediatypes))
    return Wanted(media_types, frozenset(endpoint.ignore.actions), frozenset(endpoint.ignore.targets))


def describe_all(endpoints: Iterable[Configured], counts: Callable[[str, Wanted], Counts]) -> list[dict[str, Any]]:
    """
    Of each endpoint.

    :param counts: gives those of a name.
    """
    return [describe(each, counts(each.settings.name, wanted_by(each.endpoint))) for each in endpoints]


def describe(configured: Configured, counts: Counts) -> dict[str, Any]:
    """
    distribution's members (time spans are nanoseconds), and ``DeadLetters``. Values of headers are hidden, as are
    passwords and tokens within the URL.
    """
    settings, endpoint = configured.settings, configured.endpoint
    return {
        "name": settings.name,
        "url": config.hide_secrets(endpoint.url),
        "Headers": {name: [_MASK] * len(values) for name, values in endpoint.headers.items()},
        "Timeout": int(endpoint.timeout * _NANOSECONDS),
        "Threshold": endpoint.threshold,
        "Backoff": int(endpoint.backoff * _NANOSECONDS),
        "IgnoredMediaTypes": list(endpoint.ignoredmediatypes) or None,
        "Ignore": {
            "MediaTypes": list(endpoint.ignore.mediatypes) or None,
            "Actions": list(endpoint.ignore.actions) or None,
        },
        "Metrics": {
            "Pending": counts.pending,
            "Events": counts.pending + counts.successes + counts.dead_letters,
            "Successes": counts.successes,
            "Failures": counts.failures,
            "Errors": counts.errors,
            "Statuses": dict(counts.statuses),
            "DeadLetters": counts.dead_letters,
        },
    }
