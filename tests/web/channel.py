"""
A registry's channel on a transport in memory.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from dregistry.web._channel import StreamingChannel
from dregistry.web._connections import Connections
from dregistry.web._streaming import StreamingRequest


@implementer(IPushProducer)
class Transport(StringTransport):
    """What a socket would do: it can be paused, and an abort ends the connection."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        self.loseConnection()


class HandlerSite(Site):
    """Every request goes to one coroutine function, which returns the body of the answer."""

    protocol = StreamingChannel  # type: ignore[assignment]

    def __init__(self, handler: Callable[[Any], Awaitable[bytes]], clock: Clock) -> None:
        super().__init__(_HandlerResource(handler), requestFactory=StreamingRequest, reactor=clock, timeout=60)
        self.connections = Connections(clock)
        self.logged: list[Any] = []

    def head(self) -> bytes:
        return b""

    def log(self, request: Any) -> None:
        self.logged.append(request)


class _HandlerResource(Resource):
    isLeaf = True

    def __init__(self, handler: Callable[[Any], Awaitable[bytes]]) -> None:
        super().__init__()
        self._handler = handler

    def render(self, request: Any) -> int:
        def answer(body: bytes) -> None:
            if not request._disconnected:
                request.setHeader(b"content-length", b"%d" % len(body))
                request.write(body)
                request.finish()

        Deferred.fromCoroutine(self._handler(request)).addCallback(answer).addErrback(lambda _: None)
        return NOT_DONE_YET


class Connection:
    """A client's connection to a :class:`HandlerSite`."""

    def __init__(self, handler: Callable[[Any], Awaitable[bytes]]) -> None:
        self.clock = Clock()
        self.site = HandlerSite(handler, self.clock)
        self.transport = Transport()
        self.channel: Any = self.site.buildProtocol(None)
        self.channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        self.channel.dataReceived(data)

    def lose(self) -> None:
        self.channel.connectionLost(Failure(ConnectionDone()))

    @property
    def received(self) -> bytes:
        """All that the server has written."""
        return self.transport.value()

    @property
    def paused(self) -> bool:
        return self.transport.producerState == "paused"
