"""
The factories of the sinks that ship with dregistry. A sink is imported when an endpoint asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from twisted.plugin import IPlugin
from zope.interface import implementer

from ._interfaces import API_VERSION, EndpointSettings, INotificationSink, INotificationSinkFactory, SinkContext


@frozen
class NoOptions:
    """``options`` of a sink that has none."""


@implementer(IPlugin, INotificationSinkFactory)
class WebhookFactory:
    name = "webhook"
    help = "an HTTP POST to the endpoint's url for each event"
    api_version = API_VERSION
    options = NoOptions

    def faults(self, endpoint: EndpointSettings) -> Iterable[tuple[str, str]]:
        """Only a whole URL will do."""
        try:
            parts = urlsplit(endpoint.url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        return [] if usable else [("url", "must be a whole URL, such as https://listener.example.com/events")]

    def build(self, options: Any, context: SinkContext) -> INotificationSink:
        from .webhook import WebhookSink

        return WebhookSink(context)


@implementer(IPlugin, INotificationSinkFactory)
class LogFactory:
    name = "log"
    help = "a line in the registry's log for each event"
    api_version = API_VERSION
    options = NoOptions

    def faults(self, endpoint: EndpointSettings) -> Iterable[tuple[str, str]]:
        return []

    def build(self, options: Any, context: SinkContext) -> INotificationSink:
        from .log import LogSink

        return LogSink(context.endpoint.name)
