"""
The bodies of requests, to iterate over.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.web.iweb import IRequest

from ..errors import RegistryError

HIGH_WATER = 1 << 20
"""Bytes that wait for the handler before the peer is paused."""
LOW_WATER = HIGH_WATER // 4
"""Bytes that wait when the peer is resumed."""
SMALL = 1 << 12
"""Bytes of pieces that are put together: each by itself would take more memory than it holds."""
DRAIN_LIMIT = 1 << 16
"""Bytes of a body that nobody wants which are read to keep the connection; for more, it is closed."""


class Peer(Protocol):
    """What a body needs of the connection that it comes by."""

    def pause_peer(self) -> None: ...

    def resume_peer(self, complete: bool) -> None: ...

    def send_continue(self) -> None: ...


class SpooledBody:
    """The body of a request of a plain ``twisted.web.server.Site``, which holds it already. Iterate over it."""

    def __init__(self, request: IRequest) -> None:
        self._content = request.content
        position = self._content.tell()
        self.length: int | None = self._content.seek(0, 2) - position
        self._content.seek(position)

    def __aiter__(self) -> SpooledBody:
        return self

    async def __anext__(self) -> bytes:
        piece: bytes = self._content.read(1 << 16)
        if not piece:
            raise StopAsyncIteration
        return piece


class StreamedBody:
    """
    The body of a :class:`StreamingRequest`. Iterate over it for its pieces, once.

    Iteration raises :exc:`ClientDisconnected` when the peer goes away before the end, and :exc:`BadRequest` when the
    transfer coding breaks off.

    :ivar length: bytes that the headers promise; None if it is chunked.
    :ivar complete: whether all of it has arrived.
    """

    def __init__(self, channel: Peer, length: int | None) -> None:
        self.length = length
        self.complete = False
        self._channel = channel
        self._received = 0
        self._pieces: deque[bytes | bytearray] = deque()
        self._waiting_size = 0
        self._reader: Deferred[None] | None = None
        self._failure: RegistryError | None = None
        self._dropping = False
        self._paused = False
        self._expected = False

    def __aiter__(self) -> StreamedBody:
        return self

    async def __anext__(self) -> bytes:
        if self._expected:
            self._expected = False
            self._channel.send_continue()
        while not self._pieces:
            if self._failure is not None:
                raise self._failure
            if self.complete:
                raise StopAsyncIteration
            self._reader = Deferred()
            await self._reader
        piece = bytes(self._pieces.popleft())
        self._waiting_size -= len(piece)
        if self._paused and self._waiting_size <= LOW_WATER:
            self._resume()
        return piece

    def expect_continue(self) -> None:
        """The peer waits for leave to send: it gets it when the first piece is asked for."""
        self._expected = True

    def can_drain(self) -> bool:
        """Whether little enough is still to come that the connection is worth keeping."""
        if self.complete:
            return True
        if self.length is None or self._failure is not None or self._expected:
            return False
        return self.length - self._received <= DRAIN_LIMIT

    def deliver(self, piece: bytes) -> None:
        """A piece has arrived."""
        self._received += len(piece)
        if self._dropping or self._failure is not None or not piece:
            return
        if len(piece) >= SMALL:
            self._pieces.append(piece)
        elif self._pieces and isinstance(self._pieces[-1], bytearray):
            self._pieces[-1].extend(piece)
        else:
            self._pieces.append(bytearray(piece))
        self._waiting_size += len(piece)
        if self._waiting_size > HIGH_WATER:
            self._pause()
        self._wake()

    def finish(self) -> None:
        """All of it has arrived."""
        self.complete = True
        self._wake()

    def fail(self, error: RegistryError) -> None:
        """The rest will not arrive."""
        if self._failure is None and not self.complete:
            self._failure = error
            self._wake()

    def drop(self) -> None:
        """Nobody wants the rest."""
        self._dropping = True
        self._pieces.clear()
        self._waiting_size = 0
        self._resume()

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self._channel.pause_peer()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            if self._failure is None:
                self._channel.resume_peer(self.complete)


def request_body(request: Any) -> StreamedBody | SpooledBody:
    """The body of a request, whatever site it came to."""
    body = getattr(request, "body", None)
    return body if isinstance(body, StreamedBody) else SpooledBody(request)
