"""
One connection of a client, whose requests are :class:`._streaming.StreamingRequest`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from zope.interface import implementer

from ..errors import BadRequest
from ._refusal import REFUSAL
from ._streaming import StreamingRequest
from ._transport import send

_TLS_HANDSHAKE = b"\x16"
"""The first byte of a client that speaks TLS."""
_LENGTH_DIGITS = 18
HANDSHAKE_TIMEOUT = 10.0
"""Seconds from the connection to the end of its TLS handshake."""


@implementer(IHandshakeListener)
class StreamingChannel(HTTPChannel):
    """
    The server's side of one connection.

    Besides starting requests early it answers what is no request at all in the registry's own form, and reads nothing
    that follows it: bytes after a message whose end is in doubt are not another message.
    """

    requests: list[StreamingRequest]
    site: Any
    _refused = False
    _peer: Any = None
    _host: Any = None
    _secure: bool | None = None
    _head = b""
    _held: StreamingRequest | None = None
    _fresh = True
    _finishing = False
    _active = 0.0
    client: Any = None
    """What :mod:`._origin` knows of whom the last request came from."""

    def connectionMade(self) -> None:
        super().connectionMade()
        if self.isSecure():
            self.setTimeout(HANDSHAKE_TIMEOUT)
        self.site.connections.add(self)

    def handshakeCompleted(self) -> None:
        """TLS calls it. Until then nothing of what comes is handed to the channel, so its timeout goes on."""
        self.setTimeout(self.site.timeOut)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        super().connectionLost(reason)
        self.site.connections.discard(self)

    def setTimeout(self, period: float | None) -> float | None:
        """twisted.web does this twice for each request: here it costs no timer, see :mod:`._connections`."""
        before, self.timeOut = self.timeOut, period  # type: ignore[assignment]
        self._active = self.site.reactor.seconds()
        return before

    def resetTimeout(self) -> None:
        self._active = self.site.reactor.seconds()

    def is_overdue(self, now: float) -> bool:
        """Whether nothing came for longer than the idle timeout allows."""
        return self.timeOut is not None and now - self._active >= self.timeOut

    def time_out(self) -> None:
        self.setTimeout(None)
        self.timeoutConnection()

    def getPeer(self) -> Any:
        """As twisted.web asks for each request; the kernel is asked once."""
        if self._peer is None:
            self._peer = super().getPeer()
        return self._peer

    def getHost(self) -> Any:
        """See :meth:`getPeer`."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    def isSecure(self) -> bool:
        if self._secure is None:
            self._secure = bool(super().isSecure())
        return self._secure

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """They wait for the first bytes of the body, to go in one piece with them."""
        lines = [b"%s %s %s\r\n" % (version, code, reason), self.site.head()]
        lines += [b"%s: %s\r\n" % (name, value) for name, values in headers.getAllRawHeaders() for value in values]
        lines.append(b"\r\n")
        self._head = b"".join(lines)

    def write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        send(self.transport, head + data if head else data)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        self.write(b"".join(iovec))

    def flush(self) -> None:
        """Send headers that no body follows yet."""
        if self._head:
            self.write(b"")

    def requestDone(self, request: StreamingRequest) -> None:
        """The next request that is here already waits until most of this answer has been sent."""
        self.flush()
        if self._waitingForTransport and self.persistent:
            self._held = request
        else:
            super().requestDone(request)

    def resumeProducing(self) -> None:
        super().resumeProducing()
        held, self._held = self._held, None
        if held is not None:
            super().requestDone(held)

    def announce_end(self) -> None:
        """Close the connection when the answer that is under way is complete; if none is, that to the next request."""
        if self.requests:
            self.persistent = 0
        self._finishing = True  # of a request whose headers are not complete this is asked again

    def finish_up(self) -> None:
        """Close the connection when the answer that is under way is complete; now, if none is."""
        self.announce_end()
        if not self.requests:
            self.persistent = 0
            self.loseConnection()

    def abort(self) -> None:
        """Close the connection whatever is under way."""
        self.forceAbortClient()

    def dataReceived(self, data: bytes) -> None:
        if self._fresh:
            self._fresh = False
            if data[:1] == _TLS_HANDSHAKE:  # clients that try TLS first would wait for us, as we for the end of a line
                self._respondToBadRequestAndDisconnect()
        super().dataReceived(data)

    def allHeadersReceived(self) -> None:
        super().allHeadersReceived()
        self.requests[-1].head_size = self._receivedHeaderSize
        if self.length != 0:
            self.requests[-1].start(self._command, self._path, self._version)

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        """twisted.web looks at the first of several ``Connection`` headers only, and splits it at spaces."""
        lines = request.requestHeaders.getRawHeaders(b"connection", ())
        options = {option.strip().lower() for line in lines for option in line.split(b",")}
        return version == b"HTTP/1.1" and b"close" not in options and not self._finishing

    def lineReceived(self, line: bytes) -> None:
        if not self._refused:
            super().lineReceived(line)

    def rawDataReceived(self, data: bytes) -> None:
        if not self._refused:
            super().rawDataReceived(data)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._respondToBadRequestAndDisconnect()

    def pause_peer(self) -> None:
        """Read no more; the idle timeout does not count meanwhile."""
        self.setTimeout(None)
        self._networkProducer.pauseProducing()

    def resume_peer(self, complete: bool) -> None:
        """Read on: the rest of a body, or (when that is ``complete``) just to see whether the peer is still there."""
        if not complete:
            self.setTimeout(self.site.timeOut)
        if not self._waitingForTransport:
            self._networkProducer.resumeProducing()

    def send_continue(self) -> None:
        """The handler wants the body that the peer holds back."""
        super()._send100Continue()

    def _send100Continue(self) -> None:
        """Not yet: a request that is refused needs no body."""

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        if header == b"Content-Length" and len(data) > _LENGTH_DIGITS:
            return self._failChooseTransferDecoder()
        if header == b"Transfer-Encoding" and data.lower() != b"chunked":  # identity is of an older HTTP
            return self._failChooseTransferDecoder()
        chosen: bool = super()._maybeChooseTransferDecoder(header, data)
        return chosen

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self._refused:
            return
        self._refused = True
        if self.requests and self.requests[-1]._started and not self.requests[-1].body.complete:
            self.requests[-1].body.fail(BadRequest("the body's transfer coding is malformed"))
        else:
            assert self.transport is not None
            self.flush()
            self.transport.write(REFUSAL)
            self.loseConnection()
