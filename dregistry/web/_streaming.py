"""
Request bodies as they arrive.

Stock twisted.web spools a whole body to a file and only then looks at the request. Here a request with a body is
routed as soon as its headers are there, and its handler iterates over :func:`._body.request_body`, whose pace holds the
peer back.

Every name of twisted.web that is private and that this needs stands in this module and in :mod:`._channel`:
``tests/web/test_streaming.py`` fails loudly when a new Twisted changes one.
"""

from __future__ import annotations

import time
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.server import Request

from ..errors import ClientDisconnected, RegistryError
from ._body import StreamedBody

CLIENT_GONE = 499
"""The status in logs and metrics of a request whose client went away before it had an answer, as in distribution."""
LINGER = 2.0
"""Seconds in which a client may still read the answer to a body that it is not done sending."""
_CANONICAL: dict[bytes, bytes] = {}


def _canonical(name: bytes) -> bytes:
    """A header's name as twisted.web writes it."""
    [(_CANONICAL[name], _)] = Headers({name: [b""]}).getAllRawHeaders()
    return _CANONICAL[name]


class StreamingRequest(Request):
    """
    A request that is processed from the moment its headers are complete.
    """

    defaultContentType = None
    """No Content-Type that no handler asked for."""

    body: StreamedBody
    head_size = 0
    """Bytes of the request line and the headers."""
    route_metrics: Any = None
    began = 0.0
    received = 0.0
    """When its headers were complete, by the monotonic clock."""
    error: RegistryError | None = None
    """What it is answered with, if it failed."""
    user_name = ""
    """Whose it is, if that is known."""
    request_id = ""
    """See :func:`._origin.request_id`."""
    _started = False
    _answered = False
    _linger: IDelayedCall | None = None

    def gotLength(self, length: int | None) -> None:
        self.content = BytesIO()  # twisted.web closes it; the body does not go there
        channel: Any = self.channel
        self.body = StreamedBody(channel, length)

    def getRequestHostname(self) -> bytes:
        """Routing does not look at the host, and what clients send as one need not be a name."""
        return b"localhost"

    def isSecure(self) -> bool:
        """twisted.web looks for an interface of the transport each time."""
        return bool(self._forceSSL) or (self.channel is not None and self.channel.isSecure())

    def process(self) -> None:
        """As twisted.web's, but the channel writes what headers every answer has."""
        if self.path == b"*":
            self._handleStar()
            return
        self.received = time.monotonic()
        channel: Any = self.channel
        self.site = channel.site
        self.prepath = []
        self.postpath = [unquote_to_bytes(segment) for segment in self.path[1:].split(b"/")]
        try:
            self.render(self.site.resource)
        except BaseException:
            self.processingFailed(Failure())

    def setHeader(self, name: bytes, value: bytes) -> None:
        """
        As twisted.web's, which translates the name and takes the value apart each time.

        :param name: one of the few that handlers write.
        """
        canonical = _CANONICAL.get(name) or _canonical(name)
        clean = value if b"\n" not in value and b"\r" not in value else b" ".join(value.splitlines())
        self.responseHeaders._rawHeaders[canonical] = [clean]

    def handleContentChunk(self, data: bytes) -> None:
        self.body.deliver(data)

    def start(self, command: bytes, path: bytes, version: bytes) -> None:
        """The channel has the headers, and a body is to come."""
        self._started = True
        if version == b"HTTP/1.1" and (self.getHeader(b"expect") or b"").lower() == b"100-continue":
            self.body.expect_continue()
        super().requestReceived(command, _origin_form(path), version)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The channel has everything, and has put its idle timeout aside."""
        channel: Any = self.channel
        channel._savedTimeOut = channel.site.timeOut  # also when it was off because the peer was paused
        self.body.finish()
        if not self._started:
            super().requestReceived(command, _origin_form(path), version)
        elif self._answered:
            self._stop_lingering()
            super()._cleanup()

    def write(self, data: bytes) -> None:
        if not self.startedWriting and not self._disconnected:
            if not self.body.can_drain():
                self.channel.persistent = 0
            if not self.channel.persistent:
                self.responseHeaders.setRawHeaders(b"connection", [b"close"])
        super().write(data)

    def _cleanup(self) -> None:
        """The answer is written. The channel may go on once the body has arrived, too."""
        if self.body.complete:
            super()._cleanup()
            return
        self._answered = True
        channel: Any = self.channel
        channel.flush()
        self.body.drop()
        if not self.channel.persistent:
            self._linger = self.channel.callLater(LINGER, self.channel.loseConnection)

    def _stop_lingering(self) -> None:
        linger, self._linger = self._linger, None
        if linger is not None and linger.active():
            linger.cancel()

    def _log_broken_off(self) -> None:
        if not self.startedWriting:
            self.code = CLIENT_GONE
        channel: Any = self.channel
        channel.site.log(self)

    def connectionLost(self, reason: Failure) -> None:
        self._stop_lingering()
        if self.received and not self.finished and self.channel is not None:
            self._log_broken_off()
        super().connectionLost(reason)
        if hasattr(self, "body"):  # else the headers are not complete
            self.body.fail(ClientDisconnected())


def _origin_form(target: bytes) -> bytes:
    """A request target in absolute form without its scheme and host (RFC 9112, 3.2.2)."""
    for scheme in (b"http://", b"https://"):
        if target[: len(scheme)].lower() == scheme:
            return b"/" + target[len(scheme) :].partition(b"/")[2]
    return target
