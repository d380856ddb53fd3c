"""
Content read as a stream, ahead of whoever reads it.

A request asks for 12 MiB at most. While the reader has to wait for bytes, further requests are under way for what
comes after them: services serve several connections faster than one. All readers together hold some 36 MiB that way,
and each a MiB of its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable

from attrs import define, frozen
from twisted.internet.defer import Deferred

from .. import InvalidOffset, PathNotFound, StorageUnavailable
from ._api import Bucket
from ._objects import Changed
from ._transport import Broken, Head, Incoming

SEGMENT = 12 << 20
"""Bytes that one request asks for at most."""
_AHEAD = 2
"""Requests of one reader that are ahead of the one it reads from."""
_HELD_WHOLE = 3
"""Requests of all readers together whose answers may be held whole."""
_HELD = 1 << 20
"""Bytes held for a reader who does not keep up."""
_RESUMED = 5
"""How often in a row a request is made again after it broke off."""


@define
class Budget:
    """What all readers share."""

    left: int = _HELD_WHOLE


@frozen
class _Version:
    """Of an object: its size, and what tells it from another."""

    size: int
    etag: str


async def read(
    bucket: Bucket,
    budget: Budget,
    key_of: Callable[[str], str],
    path: str,
    offset: int = 0,
    length: int | None = None,
    etag: str = "",
) -> AsyncIterator[bytes]:
    """
    What :meth:`dregistry.storage.IStorageDriver.read` yields.

    :param key_of: the key of a path; raises InvalidPath.
    :param etag: of the object, if it is known.
    :raise PathNotFound: when iteration begins.
    :raise Changed: when iteration begins, if there is an object of another ETag.
    :raise InvalidOffset: when iteration begins.
    :raise StorageUnavailable: also if the object is replaced or deleted meanwhile, and more of it has to be asked for.
    """
    key = key_of(path)
    first = await _first(bucket, path, key, offset, length, etag)
    if first is None:
        return
    head, version = first
    end = version.size if length is None else min(version.size, offset + length)
    segments = _Segments(bucket, budget, key, version, end)
    segments.begin(head, offset)
    try:
        while piece := await segments.get():
            yield piece
    finally:
        segments.close()


async def _first(
    bucket: Bucket, path: str, key: str, offset: int, length: int | None, etag: str
) -> tuple[Head, _Version] | None:
    """The first request's answer; None if there is nothing to read."""
    wanted = SEGMENT if length is None else min(length, SEGMENT)
    if wanted:
        head = await bucket.open(key, offset, offset + wanted - 1, etag)
        if head.status == 404:
            raise PathNotFound(path)
        if head.status == 412:
            raise Changed
        if head.status == 206:
            return head, _Version(_total(head), head.header("etag").strip('"'))
        if head.status == 200 and offset == 0 and head.length is not None:
            return head, _Version(head.length, head.header("etag").strip('"'))
        head.body.close()
        if head.status == 200:
            raise StorageUnavailable(f"{key}: the service does not serve ranges")
    found = await bucket.head(key)  # a range that holds nothing: at the end, or beyond it
    if found is None:
        raise PathNotFound(path)
    if offset > found.size:
        raise InvalidOffset(path, offset)
    return None


def _total(head: Head) -> int:
    """The size of the whole object."""
    total = head.header("content-range").rpartition("/")[2]
    if not total.isdigit():
        head.body.close()
        raise StorageUnavailable("the service serves a range without the size of the whole")
    return int(total)


@define(eq=False)
class _Segment:
    """
    What one request is for.

    :ivar offset: of the next byte that the reader wants.
    :ivar opening: the request, until its answer is here.
    :ivar budgeted: whether all of it may be held.
    """

    offset: int
    end: int
    incoming: Incoming | None = None
    opening: Deferred[Incoming] | None = None
    budgeted: bool = False


class _Segments:
    """
    The requests under way for one reader, in order of their bytes. The reader is at the first.

    :param end: of what the reader wants.
    """

    def __init__(self, bucket: Bucket, budget: Budget, key: str, version: _Version, end: int) -> None:
        self._bucket = bucket
        self._budget = budget
        self._key = key
        self._version = version
        self._end = end
        self._segments: deque[_Segment] = deque()
        self._planned = 0
        self._ahead = 1
        self._gets = self._waits = 0

    def begin(self, head: Head, offset: int) -> None:
        """With the first answer, which has the bytes from ``offset``."""
        self._planned = self._end if head.status == 200 else min(self._end, offset + SEGMENT)
        self._segments.append(_Segment(offset, self._planned, head.body))

    async def get(self) -> bytes:
        """The next piece; empty at the end."""
        failures = 0
        while self._segments:
            current = self._segments[0]
            try:
                piece = await self._piece(current)
            except Broken as error:
                failures += 1
                if failures > _RESUMED:
                    raise StorageUnavailable(f"{self._key}: {error}, again and again") from error
                self._close(current)
                continue
            if piece:
                current.offset += len(piece)
                return piece
            self._close(self._segments.popleft())
            self._look_ahead()
        return b""

    async def _piece(self, segment: _Segment) -> bytes:
        incoming = segment.incoming or await self._opened(segment)
        self._gets += 1
        self._waits += not (incoming.size or incoming.ended)
        piece = await incoming.get()
        if not piece and segment.offset < segment.end:
            raise Broken("the body is shorter than announced")
        if incoming.ended:
            self._look_ahead()
        return piece[: segment.end - segment.offset]

    async def _opened(self, segment: _Segment) -> Incoming:
        opening, segment.opening = segment.opening, None
        segment.incoming = incoming = await (opening or self._open(segment))
        return incoming

    async def _open(self, segment: _Segment) -> Incoming:
        held = SEGMENT if segment.budgeted else _HELD
        head = await self._bucket.open(self._key, segment.offset, segment.end - 1, self._version.etag, held)
        if head.status == 206:
            return head.body
        head.body.close()
        raise StorageUnavailable(f"{self._key} was replaced or deleted while it was read")

    def _look_ahead(self) -> None:
        """
        All of the present segment is here: ask for the next one, and for more if the reader had to wait for most of
        its pieces.
        """
        starved = self._waits * 2 > self._gets
        self._ahead = min(self._ahead + 1, _AHEAD) if starved else 1
        self._gets = self._waits = 0
        while self._planned < self._end and len(self._segments) <= self._ahead:
            segment = _Segment(self._planned, min(self._end, self._planned + SEGMENT))
            if starved and self._budget.left:
                self._budget.left -= 1
                segment.budgeted = True
            elif len(self._segments) > 1:
                return
            self._planned = segment.end
            self._segments.append(segment)
            segment.opening = Deferred.fromCoroutine(self._open(segment))

    def close(self) -> None:
        while self._segments:
            self._close(self._segments.popleft())

    def _close(self, segment: _Segment) -> None:
        """Drop what is under way for it."""
        if segment.budgeted:
            segment.budgeted = False
            self._budget.left += 1
        opening, segment.opening = segment.opening, None
        incoming, segment.incoming = segment.incoming, None
        if opening is not None:
            opening.addCallbacks(Incoming.close, lambda _: None)
            opening.cancel()
        if incoming is not None:
            incoming.close()
