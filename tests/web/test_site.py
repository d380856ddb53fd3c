"""Tests of :mod:`dregistry.web.site`: how a site comes to its end."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from dregistry.web import CurrentFactory, RegistrySite
from dregistry.web.site import LAST_REQUEST

from .app import AppCase
from .channel import Transport

PING = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
UPLOAD = b"POST /v2/a/blobs/uploads/?digest=sha256:%s HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab" % (b"0" * 64)


class DrainTests(AppCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.site = RegistrySite(self.api, self.clock)
        self.port = CurrentFactory()
        self.port.factory = self.site
        self.drained: Deferred[None] | None = None

    def connect(self, *sent: bytes) -> tuple[Any, Transport]:
        transport = Transport()
        channel = self.port.buildProtocol(None)
        channel.makeConnection(transport)
        for each in sent:
            channel.dataReceived(each)
        return channel, transport

    def lose(self, channel: Any) -> None:
        channel.connectionLost(Failure(ConnectionDone()))

    def drain(self, timeout: float) -> Deferred[None]:
        return Deferred.fromCoroutine(self.site.drain(timeout))

    def advance(self, seconds: float) -> None:
        self.clock.pump([0.05] * round(seconds / 0.05))

    def test_last_request(self) -> None:
        """An idle connection may ask once more, and hears that it is the last time."""
        channel, transport = self.connect(PING)
        self.assertNotIn(b"Connection: close", transport.value())
        drained = self.drain(60.0)
        self.assertFalse(transport.disconnecting)
        transport.clear()
        channel.dataReceived(PING)
        self.assertTrue(transport.value().startswith(b"HTTP/1.1 200 "))
        self.assertIn(b"\r\nConnection: close\r\n", transport.value())
        self.assertTrue(transport.disconnecting)
        self.lose(channel)
        self.advance(0.1)
        self.successResultOf(drained)

    def test_no_more_requests(self) -> None:
        """One that stays idle, or has never asked, ends a moment later."""
        connections = [self.connect(), self.connect(PING)]
        drained = self.drain(60.0)
        self.advance(LAST_REQUEST - 0.1)
        self.assertEqual([transport.disconnecting for _, transport in connections], [False, False])
        self.advance(0.2)
        self.assertEqual([transport.disconnecting for _, transport in connections], [True, True])
        for channel, _ in connections:
            self.lose(channel)
        self.advance(0.1)
        self.successResultOf(drained)

    def test_without_time(self) -> None:
        channel, transport = self.connect(PING)
        drained = self.drain(0.0)
        self.assertTrue(transport.disconnecting)
        self.lose(channel)
        self.successResultOf(drained)

    def test_hurry(self) -> None:
        """Time that was given can be taken back, but none added."""
        channel, transport = self.connect(UPLOAD)
        drained = self.drain(60.0)
        self.advance(5)
        self.site.hurry(100.0)
        self.site.hurry(2.0)
        self.advance(1.9)
        self.assertFalse(transport.aborted)
        self.advance(0.2)
        self.assertTrue(transport.aborted)
        self.lose(channel)
        self.advance(0.1)
        self.successResultOf(drained)

    def test_another_site(self) -> None:
        """New connections go there; those that are open stay."""
        before, first = self.connect(PING)
        self.serve(headers=[(b"X-Site", b"second")])
        self.port.factory = RegistrySite(self.api, self.clock)
        _, second = self.connect(PING)
        first.clear()
        before.dataReceived(PING)
        self.assertNotIn(b"X-Site", first.value())
        self.assertIn(b"X-Site: second", second.value())
