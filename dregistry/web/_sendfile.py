"""
Content on its way to the client.

Local files on plain TCP go by ``sendfile``: the kernel copies them to the socket, a socket buffer at a time, and the
reactor wakes the producer when there is room again. Everything else goes in pieces through the transport.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from ._transport import is_idle

_log = Logger()

_ROUND = 16 << 20
"""Bytes that all transfers together hand to the kernel before the reactor has served everybody once."""
_MOST, _LEAST = 4 << 20, 1 << 18
"""Bytes of one transfer's share of that: more than a socket takes at once, and enough to be worth a turn."""
_AHEAD = 8 << 20
"""Bytes that the kernel is asked to have read from the disk by the time they are sent."""


def send_file(request: Any, transport: tcp.Connection, file: BinaryIO, offset: int, length: int) -> Deferred[None]:
    """
    Write the headers, then a part of a file.

    :return: fires when all is in the kernel's hands, or when the client is gone. The caller closes the file.
    """
    return _SendfileProducer(request, transport, file.fileno(), offset, length).start()


async def send_chunks(request: Any, chunks: AsyncIterator[bytes | memoryview]) -> None:
    """
    Write the headers, then the chunks, each when the client has taken most of the one before. A ``memoryview`` is only
    for transports that provide :class:`._transport.IEncrypting`.

    An error from the iterator is let out; it is closed in any case, also when the client goes away.
    """
    if request.channel is None:  # the client is gone already
        await _close(chunks)
        return
    producer = _ChunkProducer(request)
    request.registerProducer(producer, True)
    request.notifyFinish().addBoth(producer.finished)
    try:
        async for chunk in chunks:
            if producer.paused:
                chunk = bytes(chunk)  # noqa: PLW2901  the memory of a view is used again meanwhile
                await producer.ready()
            if producer.stopped:
                return
            request.write(chunk)
        await producer.ready()
    finally:
        if not producer.stopped:
            request.unregisterProducer()
        await _close(chunks)


async def _close(chunks: AsyncIterator[bytes | memoryview]) -> None:
    aclose = getattr(chunks, "aclose", None)
    if aclose is not None:
        await aclose()


@implementer(IPushProducer)
class _SendfileProducer:
    under_way = 0

    def __init__(self, request: Any, transport: tcp.Connection, file: int, offset: int, length: int) -> None:
        self._request = request
        self._transport = transport
        self._file = file
        self._offset = offset
        self._end = offset + length
        self._advised = offset
        self._done: Deferred[None] = Deferred()
        self._ended = False
        self._stopped = False

    def start(self) -> Deferred[None]:
        _SendfileProducer.under_way += 1
        self._request.registerProducer(self, True)
        self._request.notifyFinish().addBoth(lambda _: self._end_now())
        self._request.write(b"")
        self._request.channel.flush()
        if is_idle(self._transport):
            self.resumeProducing()
        else:
            self._await_room()
        return self._done

    def _await_room(self) -> None:
        """
        Have the reactor call :meth:`resumeProducing` when all that is queued is sent and the socket has room.
        """
        self._transport.producerPaused = True
        self._transport.startWriting()

    def resumeProducing(self) -> None:
        if self._ended or self._stopped:
            return
        self._read_ahead()
        share = max(_LEAST, min(_MOST, _ROUND // _SendfileProducer.under_way))
        try:
            sent = os.sendfile(self._transport.fileno(), self._file, self._offset, min(share, self._end - self._offset))
        except BlockingIOError:
            self._await_room()
            return
        except OSError as error:
            self._break_off(error)
            return
        self._offset += sent
        self._request.sentLength += sent
        if self._offset == self._end:
            self._request.unregisterProducer()
            self._end_now()
        elif sent == 0:
            self._break_off(EOFError("the file ended early"))
        else:
            self._await_room()

    def pauseProducing(self) -> None:
        """It writes to the transport only when asked to resume."""

    def stopProducing(self) -> None:
        """The connection is lost, as the request is about to be told: that ends it."""
        self._stopped = True

    def _read_ahead(self) -> None:
        if self._end - self._offset > _MOST and self._advised - self._offset < _AHEAD // 2:
            self._advised = max(self._advised, self._offset)
            os.posix_fadvise(self._file, self._advised, _AHEAD, os.POSIX_FADV_WILLNEED)
            self._advised += _AHEAD

    def _break_off(self, error: Exception) -> None:
        """The headers have promised more than can be sent."""
        if not isinstance(error, ConnectionError):
            _log.error("answer broken off at byte {offset}: {error}", offset=self._offset, error=error)
        self._transport.abortConnection()

    def _end_now(self) -> None:
        if not self._ended:
            self._ended = True
            _SendfileProducer.under_way -= 1
            self._done.callback(None)


@implementer(IPushProducer)
class _ChunkProducer:
    def __init__(self, request: Any) -> None:
        self._request = request
        self._room: Deferred[None] | None = None
        self.paused = False
        self.stopped = False

    async def ready(self) -> None:
        """Until the transport takes more, or there is none any more."""
        if self.paused:
            self._room = Deferred()
            await self._room

    def resumeProducing(self) -> None:
        if not self.stopped:
            self.paused = False
            self._wake()

    def pauseProducing(self) -> None:
        self.paused = True

    def stopProducing(self) -> None:
        """The connection is lost, as the request is about to be told: that is when waiting ends."""
        self.stopped = self.paused = True

    def finished(self, _: object) -> None:
        self.stopped = True
        self.paused = False
        self._wake()

    def _wake(self) -> None:
        room, self._room = self._room, None
        if room is not None:
            room.callback(None)
