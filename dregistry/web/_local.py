"""
Local files on their way through TLS, where ``sendfile`` cannot be used.

What the kernel has in memory is read into one buffer, which all transfers share: TLS encrypts it at once. What is not
is read in a thread, by the storage driver.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred

_PIECE = 1 << 17
_TURN = 1 << 20
"""Bytes that one transfer sends before others have their turn, if there are no more than four."""
_ALL = 4 << 20
"""Bytes that all transfers together send in a turn of the reactor."""
_SLOW = 1 << 20
"""Bytes that are read at once by a thread."""
_AHEAD = 8 << 20
"""Bytes that the kernel is asked to have read from the disk by the time they are sent."""

_buffer = memoryview(bytearray())
_under_way = 0


async def local_chunks(
    file: BinaryIO,
    offset: int,
    length: int,
    read: Callable[[int, int], AsyncIterator[bytes]],
    call_later: Callable[..., Any],
) -> AsyncIterator[bytes | memoryview]:
    """
    A part of a file, in pieces that are good until the next one is asked for.

    :param read: gives a part of the same content by other means.
    :param call_later: as the reactor's.
    """
    global _buffer, _under_way  # noqa: PLW0603  one for the process
    if not _buffer:
        _buffer = memoryview(bytearray(_PIECE))
    end = offset + length
    turn = advised = offset
    _under_way += 1
    try:
        while offset < end:
            if offset - turn >= min(_TURN, _ALL // _under_way):
                turn = offset
                others: Deferred[None] = Deferred()
                call_later(0, others.callback, None)
                await others
            if end - offset > _SLOW and advised - offset < _AHEAD // 2:
                advised = max(advised, offset)
                os.posix_fadvise(file.fileno(), advised, _AHEAD, os.POSIX_FADV_WILLNEED)
                advised += _AHEAD
            count = _read_now(file, offset, min(_PIECE, end - offset))
            if count:
                yield _buffer[:count]
                offset += count
            else:
                async for chunk in read(offset, min(_SLOW, end - offset)):
                    yield chunk
                    offset += len(chunk)
    finally:
        _under_way -= 1


def _read_now(file: BinaryIO, offset: int, count: int) -> int:
    """How many bytes are in the buffer now; none if they would have to be waited for, or are not there."""
    try:
        return os.preadv(file.fileno(), [_buffer[:count]], offset, os.RWF_NOWAIT)
    except OSError:
        return 0
