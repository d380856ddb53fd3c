"""
The registry as a factory of HTTP connections.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocolFactory, IProtocolNegotiationFactory, IReactorTime
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers
from twisted.web.server import Site, version
from zope.interface import implementer

from ._accesslog import RequestLog
from ._api import Api
from ._app import RegistryResource, common_headers
from ._channel import StreamingChannel
from ._connections import Connections
from ._streaming import StreamingRequest

IDLE_TIMEOUT = 60.0
"""Seconds without a byte after which a connection is closed."""
LAST_REQUEST = 1.0
"""Seconds that a client has, at the end, for the request that it is about to send on an idle connection."""
_SETTLE_TIMEOUT = 30.0
"""Seconds that handlers get to leave the storage in order once their connections are gone."""
_POLL = 0.05

_log = Logger()


class RegistrySite(Site):
    """
    :param logs: are told of each answer.
    """

    protocol = StreamingChannel  # type: ignore[assignment]
    noisy = False

    def __init__(self, api: Api, reactor: IReactorTime, logs: Sequence[RequestLog] = ()) -> None:
        super().__init__(
            RegistryResource(api, ()), requestFactory=StreamingRequest, timeout=IDLE_TIMEOUT, reactor=reactor
        )
        self.displayTracebacks = False
        self.connections = Connections(reactor)
        self._head = b""
        self._head_time = 0
        self._common_headers = Headers()
        for name, value in ((b"Server", version), *common_headers(api)):
            self._common_headers.addRawHeader(name, value)
        self._in_flight = api.in_flight
        self._logs = logs
        self._drained_by = float("inf")

    def head(self) -> bytes:
        """The headers that every answer has, one a line."""
        now = int(time.time())
        if now != self._head_time:
            self._head_time = now
            headers = [(b"Date", [datetimeToString(now)]), *self._common_headers.getAllRawHeaders()]
            self._head = b"".join(b"%s: %s\r\n" % (name, value) for name, values in headers for value in values)
        return self._head

    def startFactory(self) -> None:
        """Without the clock of twisted.web's own access log."""

    def stopFactory(self) -> None:
        """See :meth:`startFactory`."""

    def log(self, request: Any) -> None:
        """Of each request once: when its answer is complete, or its client is gone."""
        if request.route_metrics is not None:
            request.route_metrics.end(request, request.code)
        for each in self._logs:
            each.log(request)

    async def drain(self, timeout: float) -> None:
        """
        Let what is under way come to its end, for at most ``timeout`` seconds; then close every connection, and wait
        for the handlers to leave their uploads in order. No connection may be accepted any more. Requests that still
        come on the open ones are answered, and told that the connection ends with them.
        """
        now = self.reactor.seconds()
        self.hurry(timeout)
        for channel in self.connections:
            channel.announce_end()
        await self._wait(lambda: min(now + LAST_REQUEST, self._drained_by), lambda: not self.connections)
        for channel in self.connections:
            channel.finish_up()
        await self._wait(lambda: self._drained_by, lambda: not self.connections)
        if self.connections:
            _log.info("closing {count} connections that did not finish", count=len(self.connections))
        for channel in self.connections:
            channel.abort()
        settled = self.reactor.seconds() + _SETTLE_TIMEOUT
        await self._wait(lambda: settled, lambda: self._in_flight.count == 0)

    def hurry(self, timeout: float) -> None:
        """Let :meth:`drain` give connections no more than ``timeout`` seconds from now."""
        self._drained_by = min(self._drained_by, self.reactor.seconds() + timeout)

    async def _wait(self, deadline: Callable[[], float], done: Callable[[], bool]) -> None:
        while not done() and self.reactor.seconds() < deadline():
            await deferLater(self.reactor, _POLL)


@implementer(IProtocolNegotiationFactory)
class CurrentFactory(Factory):
    """
    What a port has that outlives its site.

    :ivar factory: which makes the next connections; those that are open stay with theirs.
    """

    noisy = False

    factory: IProtocolFactory

    def acceptableProtocols(self) -> list[bytes]:
        """For TLS that an endpoint of Twisted's speaks."""
        return [b"http/1.1"]

    def buildProtocol(self, addr: IAddress | None) -> Any:
        return self.factory.buildProtocol(addr)  # type: ignore[arg-type]  # Twisted's two interfaces differ
