"""
Bytes that go to the socket at once, and what of Twisted that builds upon.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from dregistry.web._transport import is_idle, plain_tcp, send


class _Reactor:
    """Notes who wants to write."""

    def __init__(self) -> None:
        self.writers: list[Any] = []

    def addWriter(self, writer: Any) -> None:
        self.writers.append(writer)

    def addReader(self, reader: Any) -> None: ...

    def removeWriter(self, writer: Any) -> None: ...

    def removeReader(self, reader: Any) -> None: ...


class TransportTests(SynchronousTestCase):
    def setUp(self) -> None:
        ours, self.theirs = socket.socketpair()
        ours.setblocking(False)
        self.reactor = _Reactor()
        self.transport = tcp.Server(ours, Protocol(), ("127.0.0.1", 1), None, 0, self.reactor)
        self.addCleanup(ours.close)
        self.addCleanup(self.theirs.close)

    def test_sent_at_once(self) -> None:
        send(self.transport, b"hello")
        self.assertEqual(self.theirs.recv(100), b"hello")
        self.assertEqual(self.reactor.writers, [])
        self.assertTrue(is_idle(self.transport))

    def test_the_rest_is_queued(self) -> None:
        content = bytes(range(256)) * 40_000
        send(self.transport, content)
        self.assertEqual(self.reactor.writers, [self.transport])
        self.assertFalse(is_idle(self.transport))
        send(self.transport, b"end")  # in order, behind it
        received = b""
        while not received.endswith(b"end"):
            received += self.theirs.recv(1 << 20)
            self.transport.doWrite()
        self.assertEqual(received, content + b"end")
        self.assertTrue(is_idle(self.transport))

    def test_not_when_closing(self) -> None:
        self.transport.loseConnection()
        self.assertFalse(is_idle(self.transport))

    def test_other_transports_are_written_to(self) -> None:
        transport = StringTransport()
        self.assertIsNone(plain_tcp(transport))
        send(transport, b"hello")
        self.assertEqual(transport.value(), b"hello")

    def test_what_encrypts_is_not_bypassed(self) -> None:
        self.transport.TLS = True
        self.assertIsNone(plain_tcp(self.transport))

    def test_private_names(self) -> None:
        """As a new Twisted may have them no more."""
        for name in ("_tempDataBuffer", "dataBuffer", "offset", "connected", "disconnecting", "_writeDisconnected"):
            self.assertTrue(hasattr(self.transport, name), name)
        self.transport.write(b"queued")
        self.assertEqual(self.transport._tempDataBuffer, [b"queued"])
