"""
HTTP without sockets: a client and a server on transports in memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.test.iosim import FakeTransport, IOPump, connect
from twisted.web.client import Agent
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer

_SERVER = IPv4Address("TCP", "127.0.0.1", 5000)
_CLIENT = IPv4Address("TCP", "127.0.0.1", 31337)


@implementer(IAgent, IAgentEndpointFactory, IStreamClientEndpoint)
class MemoryAgent:
    """
    Every host is the one site, each request a connection of its own. What needs no time is done when :meth:`request`
    returns.
    """

    def __init__(self, site: Any, clock: Clock) -> None:
        self._site = site
        self._agent = Agent.usingEndpointFactory(clock, self)
        self._pumps: list[IOPump] = []

    def request(self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None) -> Deferred[Any]:
        answer: Deferred[Any] = self._agent.request(method, uri, headers, bodyProducer)
        self.flush()
        return answer

    def endpointForURI(self, uri: Any) -> MemoryAgent:
        return self

    def connect(self, factory: Any) -> Deferred[Any]:
        client, server = factory.buildProtocol(_SERVER), self._site.buildProtocol(_CLIENT)
        self._pumps.append(
            connect(
                server,
                FakeTransport(server, isServer=True, hostAddress=_SERVER, peerAddress=_CLIENT),
                client,
                FakeTransport(client, isServer=False, hostAddress=_CLIENT, peerAddress=_SERVER),
            )
        )
        return succeed(client)

    def flush(self) -> None:
        """Carry what both ends have written until they write no more."""
        while any([pump.pump() for pump in self._pumps]):
            pass
        self._pumps = [pump for pump in self._pumps if not (pump.clientIO.disconnected and pump.serverIO.disconnected)]


@implementer(IBodyProducer)
class WholeBody:
    """A body that is written at once: treq's own producer needs a running reactor."""

    def __init__(self, body: bytes | str) -> None:
        self._body = body.encode("utf-8") if isinstance(body, str) else bytes(body)
        self.length = len(self._body)

    def startProducing(self, consumer: Any) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """It has written everything."""

    def resumeProducing(self) -> None:
        """It has written everything."""

    def stopProducing(self) -> None:
        """It has written everything."""
