"""Tests of :mod:`dregistry.tls._transport`: what goes through TLS, how much of it waits, and how connections end."""

from __future__ import annotations

import os
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHandshakeListener, ISSLTransport
from twisted.logger import LogLevel, globalLogPublisher
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface.verify import verifyClass

from dregistry.tls._transport import PIECE, RECEIVED, TlsTransport
from dregistry.web import IEncrypting
from dregistry.web._channel import HANDSHAKE_TIMEOUT, StreamingChannel

from .support import TlsCase

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def echo(request: Any) -> bytes:
    return b"".join([bytes(piece) async for piece in request.body])


def put(body: bytes) -> bytes:
    return b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


class TransportCase(TlsCase):
    def setUp(self) -> None:
        super().setUp()
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def logged(self) -> list[str]:
        """What is said of handshakes; nothing is ever an error."""
        self.assertFalse([event for event in self.events if event["log_level"] > LogLevel.info])
        return [event["said"] for event in self.events if "said" in event]


class ContentTests(TransportCase):
    def test_there_and_back(self) -> None:
        """Of sizes around those of records and pieces."""
        link = self.connect(handler=echo)
        for size in (1, 100, (1 << 14) - 1, 1 << 14, (1 << 14) + 1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE + 7):
            body = os.urandom(size)
            self.assertTrue(link.ask(put(body)).endswith(b"\r\n\r\n" + body), size)

    def test_byte_by_byte(self) -> None:
        link = self.connect(handler=echo).pump()
        data = put(os.urandom(50))
        link.client.sendall(data)
        for byte in link.client.bio_read(1 << 16):
            link.server.dataReceived(bytes([byte]))
        link.pump()
        self.assertIn(data[-50:], link.received)

    def test_pieces_that_come_together(self) -> None:
        """They are handed on as one."""
        received: list[int] = []

        async def note(request: Any) -> bytes:
            async for piece in request.body:
                received.append(len(piece))
            return b""

        link = self.connect(handler=note)
        link.ask(put(bytes(10 * (1 << 14))))
        self.assertEqual(sum(received), 10 * (1 << 14))
        self.assertLess(len(received), 3)

    def test_the_memory_of_a_view_may_be_used_again(self) -> None:
        """Also when the handshake is not over and the bytes have to wait."""
        link = self.connect()
        memory = bytearray(b"first")
        link.server.write(memoryview(memory))
        memory[:] = b"other"
        self.assertEqual(link.pump().received, b"first")
        link.server.write(memoryview(memory))
        memory[:] = b"third"
        self.assertEqual(link.pump().received, b"firstother")

    def test_secure(self) -> None:
        secure: list[bool] = []

        async def note(request: Any) -> bytes:
            secure.append(request.isSecure())
            return b""

        self.connect(handler=note).ask()
        self.assertEqual(secure, [True])

    def test_read_at_once(self) -> None:
        self.assertEqual(self.connect().transport.bufferSize, RECEIVED)  # type: ignore[attr-defined]


class PressureTests(TransportCase):
    """Who does not read is not written to, and who is not read from has to wait."""

    def test_answers(self) -> None:
        """A transport that is full holds back the handler, and the requests that wait."""
        asked: list[Any] = []

        async def note(request: Any) -> bytes:
            asked.append(request)
            return b"x"

        link = self.connect(handler=note).pump()
        link.transport.producer.pauseProducing()
        link.client.sendall(GET * 10)
        link.pump()
        self.assertEqual((len(asked), link.transport.producerState), (1, "paused"))
        for _ in range(10):
            link.transport.producer.resumeProducing()
            link.transport.producer.pauseProducing()
        link.transport.producer.resumeProducing()
        link.pump()
        self.assertEqual(len(asked), 10)
        self.assertEqual(link.transport.producerState, "producing")

    def test_bodies(self) -> None:
        """A handler that does not read holds back the peer."""
        waiting: Deferred[bytes] = Deferred()

        async def wait(request: Any) -> bytes:
            await waiting
            return await echo(request)

        link = self.connect(handler=wait).pump()
        body = os.urandom(2 << 20)
        link.client.sendall(put(body))
        link.pump()
        self.assertEqual(link.transport.producerState, "paused")
        waiting.callback(b"")
        link.pump()
        self.assertEqual(link.transport.producerState, "producing")
        self.assertTrue(link.received.endswith(body))


class EndTests(TransportCase):
    def test_close(self) -> None:
        """The client is told, and the socket is closed without waiting for it to say the same."""
        link = self.connect()
        link.ask(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertTrue(link.ended)
        self.assertTrue(link.transport.disconnecting)

    def test_closed_by_the_client(self) -> None:
        link = self.connect().pump()
        link.client.shutdown()
        link.pump()
        self.assertTrue(link.transport.disconnecting)

    def test_garbage_after_the_handshake(self) -> None:
        link = self.connect().pump()
        link.server.dataReceived(b"garbage, and more of it")
        self.assertTrue(link.transport.disconnecting)
        self.assertEqual(self.logged(), [])

    def test_lost(self) -> None:
        """At any moment."""
        for steps in range(4):
            link = self.connect()
            for _ in range(steps):
                link._step()
                link._to_server()
                link._to_client()
            link.lose()
        self.assertEqual(self.logged(), [])

    def test_aborted(self) -> None:
        link = self.connect().pump()
        link.server.abortConnection()
        self.assertTrue(link.transport.aborted)
        link.server.write(b"more")
        link.server.dataReceived(b"more")


class HandshakeTests(TransportCase):
    def test_in_clear_text(self) -> None:
        """HTTP is answered by HTTP, at once; what is neither is not answered."""
        for data, answered in ((GET, True), (b"G", True), (b"\x00\x01", False), (b"\x80\x2e\x01", False)):
            link = self.connect()
            link.server.dataReceived(data)
            said = link.transport.value()
            self.assertTrue(link.transport.disconnecting, data)
            self.assertEqual(said.startswith(b"HTTP/1.1 400 "), answered, data)
            self.assertEqual(b"this is a port for HTTPS" in said, answered, data)
            link.server.dataReceived(b"more")
            link.lose()
            self.assertEqual(link.transport.value(), said)
        self.assertEqual(self.logged(), [])

    def test_failed(self) -> None:
        """The client gets an alert, and the log a line that is no error."""
        context = self.client_context()
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        link = self.connect(self.section(minimumtls="tls1.3"), context).pump()
        assert link.error is not None
        self.assertIn("alert protocol version", str(link.error))
        self.assertTrue(link.transport.disconnecting)
        [said] = self.logged()
        self.assertIn("unsupported protocol", said)

    def test_a_client_that_does_not_trust(self) -> None:
        stranger = SSL.Context(SSL.TLS_METHOD)
        stranger.set_verify(SSL.VERIFY_PEER, lambda *found: bool(found[-1]))
        link = self.connect(context=stranger)
        link.pump()
        self.assertFalse(link.established)
        self.assertTrue(link.transport.disconnecting)
        self.logged()

    def test_without_a_certificate(self) -> None:
        link = self.connect(self.section(clientcas=(self.authority.file,))).pump()
        self.assertFalse(link.established)
        self.assertEqual(self.logged(), ["peer did not return a certificate"])

    def test_slow(self) -> None:
        """Bytes that trickle in do not count."""
        link = self.connect()
        link._step()
        hello = link.client.bio_read(1 << 16)
        for byte in hello[: int(HANDSHAKE_TIMEOUT) - 1]:
            link.server.dataReceived(bytes([byte]))
            self.clock.advance(1)
        self.assertFalse(link.transport.disconnecting)
        self.clock.pump([1, 1])
        self.assertTrue(link.transport.disconnecting)
        link.lose()

    def test_in_time(self) -> None:
        """From then on the timeout is the usual one."""
        link = self.connect().pump()
        self.clock.pump([1] * int(HANDSHAKE_TIMEOUT + 5))
        self.assertFalse(link.transport.disconnecting)
        self.assertIn(b"hello", link.ask())
        link.lose()


class TwistedTests(TransportCase):
    """What of Twisted this builds upon, as a new one may have it no more."""

    def test_interfaces(self) -> None:
        self.assertTrue(ISSLTransport.implementedBy(TlsTransport))
        self.assertTrue(IEncrypting.implementedBy(TlsTransport))
        self.assertTrue(verifyClass(IHandshakeListener, StreamingChannel))

    def test_private_names(self) -> None:
        for name in (
            "_write", "_bufferedWrite", "_flushSendBIO", "_flushReceiveBIO", "_shutdownTLS", "_tlsShutdownFinished",
            "_handshakeDone", "_lostTLSConnection", "_aborted",
        ):  # fmt: skip
            self.assertTrue(hasattr(TLSMemoryBIOProtocol, name), name)
        server = self.connect().server
        for name in ("_tlsConnection", "_appSendBuffer", "wrappedProtocol"):
            self.assertTrue(hasattr(server, name), name)

    def test_peer(self) -> None:
        self.assertIsInstance(self.connect().server.getPeer(), IPv4Address)
