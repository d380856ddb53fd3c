"""
The contract of notification sinks: where events are delivered to.

A sink is handed one event at a time, each when the one before was taken. What it does not take it is handed again: the
core keeps the order, waits between tries, and remembers across restarts what was taken. Every sink passes
:class:`dregistry.testing.NotificationSinkSuite`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field, frozen
from zope.interface import Attribute, Interface

from ..storage import Threads
from .envelope import Encoded

API_VERSION = 1
"""The version of these interfaces; a factory states the one that it was written for."""


@define
class Refused(Exception):
    """
    The endpoint answered, and did not take the event.

    :ivar status: its answer, in a few words that are counted by: ``503 Service Unavailable``.
    """

    status: str


@frozen
class Notification:
    """
    An event to be delivered.

    :ivar id: its place in the order of all events of the registry.
    :ivar event: the members of distribution's event (v2).
    """

    id: int
    event: Mapping[str, Any] = field(repr=False)


class INotificationSink(Interface):
    def send(notification: Notification) -> Awaitable[str]:
        """
        Deliver one event. It may be one that was delivered before.

        It is cancelled when it takes longer than the endpoint's ``timeout``; the sink can be used afterwards.

        :return: the answer, in a few words that are counted by: ``200 OK``. The event has been taken.
        :raise Refused: if the endpoint said that it does not take it.
        :raise Exception: any other, if the endpoint cannot be reached or does not answer. Its text is logged.
        """

    def close() -> Awaitable[None]:
        """Let go of connections. Nothing is sent any more."""


@frozen
class EndpointSettings:
    """
    The keys that endpoints of every sink have.

    :ivar name: not empty, of this endpoint only.
    :ivar url: as configured.
    :ivar headers: name to values.
    :ivar timeout: seconds.
    :ivar secret: key of signatures; empty for none.
    :ivar media_type: of what is sent.
    """

    name: str
    url: str = field(default="", repr=False)
    headers: Mapping[str, Sequence[str]] = field(factory=dict, repr=False)
    timeout: float = 1.0
    secret: str = field(default="", repr=False)
    media_type: str = ""


@frozen
class SinkContext:
    """
    What the core hands to a sink's factory.

    :ivar encode: makes the bytes to send of a notification, in the form that the endpoint is configured to get.
    """

    reactor: Any
    threads: Threads
    endpoint: EndpointSettings
    encode: Callable[[Notification], Encoded]


class INotificationSinkFactory(Interface):
    """
    Builds a sink for an endpoint of the configuration. Found as a twistd plugin: an object in ``twisted.plugins`` that
    provides this and :class:`twisted.plugin.IPlugin`.
    """

    name: str = Attribute("the value of an endpoint's ``sink``")
    help: str = Attribute("one line for people")
    api_version: int = Attribute("the API_VERSION that it was written for")
    options: type = Attribute("an attrs class; the core fills it from the endpoint's ``options``")

    def faults(endpoint: EndpointSettings) -> Iterable[tuple[str, str]]:
        """What is wrong with an endpoint's other keys: the key, and what is wrong with its value."""

    def build(options: Any, context: SinkContext) -> Any:
        """An :class:`INotificationSink`."""
