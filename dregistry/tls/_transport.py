"""
TLS between a socket and a site.

Twisted's own, made for large bodies: it encrypts a whole piece at a time instead of a record, sends what the socket
takes at once, and hands on together what has arrived together. ``tests/tls/test_transport.py`` fails loudly when a new
Twisted changes one of the private names that this needs.
"""

from __future__ import annotations

from typing import Any

from OpenSSL.SSL import Error, WantReadError, ZeroReturnError
from twisted.internet.interfaces import ISSLTransport, ITCPTransport
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ..web import IEncrypting, refusal, send
from ._context import reason as reason_of

PIECE = 1 << 17
"""Bytes that are encrypted at a time. OpenSSL keeps a buffer of that size for a connection that had so much."""
RECEIVED = 1 << 17
"""Bytes that are read from the socket at a time."""
_RECORD = 1 << 14
_OVERHEAD = 1 << 6
"""Bytes by which a record is larger than what it carries, at most."""
_HANDSHAKE = b"\x16"
"""The first byte of whoever speaks TLS."""

_log = Logger()
_CLEAR = refusal("this is a port for HTTPS, and what came is not TLS")


@implementer(ISSLTransport, IEncrypting)
class TlsTransport(TLSMemoryBIOProtocol):
    """
    The server's side of one connection.
    """

    transport: Any
    _fresh = True

    def makeConnection(self, transport: Any) -> None:
        transport.bufferSize = RECEIVED
        super().makeConnection(transport)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Which a unix socket has not."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(enabled)

    def dataReceived(self, data: bytes) -> None:
        if self._fresh:
            self._fresh = False
            if data[:1] != _HANDSHAKE:
                self._refuse(data)
        if not self._lostTLSConnection:
            super().dataReceived(data)

    def _refuse(self, data: bytes) -> None:
        """Whoever speaks HTTP learns in clear text why that is the end."""
        self._lostTLSConnection = True
        if data[:1].isalpha():
            self.transport.write(_CLEAR)
        self.transport.loseConnection()

    def _write(self, data: bytes) -> None:
        if self._lostTLSConnection:
            return
        rest = memoryview(data)
        while rest:
            try:
                sent = self._tlsConnection.send(rest[:PIECE])
            except WantReadError:
                self._bufferedWrite(bytes(rest))  # its owner may use the memory again
                return
            except Error:
                self._tlsShutdownFinished(Failure())
                return
            rest = rest[sent:]
            self._flush(sent + (sent // _RECORD + 2) * _OVERHEAD)

    def _flushSendBIO(self) -> None:
        self._flush(_RECORD)

    def _flush(self, expected: int) -> None:
        """Send what OpenSSL has for the peer, most likely at most so many bytes."""
        try:
            while True:
                data = self._tlsConnection.bio_read(expected)
                send(self.transport, data)
                if len(data) < expected:
                    return
        except WantReadError:
            pass

    def _flushReceiveBIO(self) -> None:
        pieces: list[bytes] = []
        failure: Failure | None = None
        ended = False
        while not ended:
            try:
                pieces.append(self._tlsConnection.recv(_RECORD))
            except WantReadError:
                break
            except ZeroReturnError:
                ended = True
            except Error:
                ended, failure = True, Failure()
        if pieces and not self._aborted and not self._lostTLSConnection:
            ProtocolWrapper.dataReceived(self, pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if self._lostTLSConnection:
            return
        if ended:
            if failure is None:
                self._shutdownTLS()
            self._tlsShutdownFinished(failure)
        self._flushSendBIO()

    def _shutdownTLS(self) -> None:
        """The peer is told that nothing follows; that it says so, too, need not be waited for (RFC 8446, 6.1)."""
        super()._shutdownTLS()
        self.transport.loseConnection()

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        if reason is not None and not self._handshakeDone and isinstance(reason.value, Error):
            said = reason_of(reason.value)
            if said and "unexpected eof" not in said:  # else somebody only looked whether the port is open
                _log.info("TLS handshake with {peer} failed: {said}", peer=self.transport.getPeer(), said=said)
        super()._tlsShutdownFinished(reason)


class TlsFactory(TLSMemoryBIOFactory):
    """
    A site's connections, by TLS.

    :param certificates: makes the server's side of each.
    """

    protocol = TlsTransport

    def __init__(self, certificates: Any, site: Any, reactor: Any) -> None:
        super().__init__(certificates, False, site, reactor)
