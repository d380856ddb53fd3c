"""
The ``s3`` driver's writer. What it leaves for later ones, :mod:`dregistry.storage.s3._staged` says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress

from zope.interface import implementer

from .. import IWriter, PathNotFound, StorageError, WriterBusy
from ._buffer import Buffer
from ._concurrent import concurrently
from ._objects import Changed, NoUpload, Part, Stored, Upload
from ._parts import Parts, digest_of, etag_of
from ._reading import read
from ._staged import Staged, State
from ._transport import PIECE
from ._workshop import Workshop

_NOTHING = State().encode()
"""It is not empty: whoever stores states can tell that there will be others."""


@implementer(IWriter)
class S3Writer:
    """
    Content on its way: parts of a multipart upload, then the bytes that do not make a part yet.

    :param destination: the key that parts are uploaded to, if that is known; then nobody can go on from there.
    """

    def __init__(self, shop: Workshop, path: str, destination: str | None) -> None:
        self._shop = shop
        self.path = path
        self.lost = False
        """Whether the path was deleted, or given other content, by this process."""
        self._key = shop.key_of(path)
        self._direct = destination
        self._open = True
        self._foreign = False
        self._take_up(Staged(), _NOTHING)

    def _take_up(self, staged: Staged, state: bytes) -> None:
        self._staged = staged
        self._parts = Parts(
            self._shop.bucket, self._direct or self._key, self._shop.at_once, staged.upload, staged.parts
        )
        self._tail = staged.tail
        self._buffer = Buffer()
        self._written = False
        self.size = staged.size
        self.state = state

    def begin(self, staged: Staged, state: bytes) -> None:
        """Go on from what earlier writers left."""
        if staged.size or staged.upload is not None:
            self._direct = None
        self._take_up(staged, state if staged.size or staged.upload is not None else _NOTHING)

    async def write(self, data: bytes) -> None:
        self._check_open()
        chunk = self._shop.chunk
        for start in range(0, len(data), chunk):
            await self._append(data if len(data) <= chunk else data[start : start + chunk])

    async def _append(self, data: bytes) -> None:
        """Up to a part's size. What can fail comes before the bytes are taken."""
        if not self._is_lost():
            await self._load()
            if self._buffer.size + len(data) >= self._shop.chunk:
                await self._make_room()
        self._written = True
        self.size += len(data)
        if not self._is_lost():
            self._buffer.add([data])
            if self._buffer.size >= self._shop.chunk:
                self._parts.send(self._buffer.take(self._shop.chunk))

    async def _make_room(self) -> None:
        """For a part to be sent."""
        await self._parts.create()
        if self._direct is None:
            self.state = self._state(more=True)
        await self._parts.room()

    async def _load(self) -> None:
        """Take what follows the parts back, for more to follow it."""
        tail, shop = self._tail, self._shop
        if tail is None:
            return
        try:
            if tail.size > shop.chunk:
                upload = await self._parts.create()
                self._parts.add(await shop.copier.copy_parts(upload, self._parts.next, tail))
            else:
                self._buffer.add([piece async for piece in self._read(tail)])
        except PathNotFound:
            self.lost = True
        except Changed:
            raise self._give_way() from None
        self._tail = None

    async def read(self) -> AsyncIterator[bytes]:
        self._check_open()
        if self._is_lost():
            raise PathNotFound(self.path)
        if self._parts.upload is not None:
            if self._direct is not None:
                raise StorageError(f"what is written to {self.path} goes to its destination, and cannot be read before")
            await self._put_together()
        if self._tail is not None:
            try:
                async for piece in self._read(self._tail):
                    yield piece
            except Changed:
                raise PathNotFound(self.path) from None
        for held in list(self._buffer.pieces):
            for start in range(0, len(held), PIECE):
                yield held[start : start + PIECE]

    def _read(self, found: Stored) -> AsyncIterator[bytes]:
        return read(self._shop.bucket, self._shop.budget, self._shop.key_of, self.path, etag=found.etag)

    async def commit(self, destination: str | None = None, then: Sequence[tuple[str, bytes]] = ()) -> None:
        self._check_open()
        target = self._shop.key_of(destination or self.path)
        for path, _ in then:
            self._shop.key_of(path)
        try:
            if self._is_lost():
                raise PathNotFound(self.path)
            left_over = await self._store(target)
        except PathNotFound:
            if destination is not None:
                raise
            await self._drop()
            return
        except Changed:
            raise self._give_way() from None
        self._open = False
        ends: list[Callable[[], Awaitable[None]]] = [lambda: self._shop.put_contents(then)]
        if left_over:
            ends.append(self._remove_object)
        try:
            await concurrently(lambda end: end(), ends)
        finally:
            self._close()

    async def _store(self, target: str) -> bool:
        """
        Put all that was written to a key.

        :return: whether an object is left at the path's.
        :raise Changed: if somebody else has changed what was there.
        """
        shop = self._shop
        if self._parts.upload is not None:
            if self._direct not in (None, target):
                raise StorageError(f"what was written to {self.path} has been sent to another destination")
            await self._put_together()
        if self._tail is None:
            condition = await shop.habits.while_there(self._staged.there) if target == self._key else {}
            await shop.bucket.put(target, self._buffer.pieces, condition)
        elif self._tail.key != target:
            await shop.copier.copy(self._tail, target)
        return target != self._key and self._staged.there is not None

    async def _put_together(self) -> None:
        """
        Make the parts, and what follows them, one object.

        :raise Changed: if one of them is another by now.
        """
        upload = await self._parts.create()
        number = self._parts.next
        last: list[Part] = []

        async def send_last() -> None:
            if self._tail is not None:
                last.extend(await self._shop.copier.copy_parts(upload, number, self._tail))
            elif self._buffer.size or number == 1:
                last.append(await self._shop.bucket.upload_part(upload, number, self._buffer.pieces))

        try:
            await concurrently(lambda call: call(), [self._parts.settle, send_last])
        except NoUpload:
            raise PathNotFound(self.path) from None
        if self._parts.gone:
            raise PathNotFound(self.path)
        etag = await self._completed(upload, [*self._parts.stored, *last])
        whole = Stored(upload.key, self.size, etag)
        self._take_up(Staged(tail=whole, there=whole if self._direct is None else None), self.state)
        self._written = True

    async def _completed(self, upload: Upload, parts: Sequence[Part]) -> str:
        """
        The ETag of the parts put together.

        When two processes complete one upload, SeaweedFS lets the second one succeed, too, with the first one's parts.
        """
        expected = etag_of(parts)
        try:
            etag = await self._shop.bucket.complete(upload, parts)
        except NoUpload as missing:
            found = await self._shop.bucket.head(upload.key) if missing.again else None
            if found is None or found.size != self.size:
                raise PathNotFound(self.path) from None
            etag = found.etag  # the first of several equal requests did it
        if etag != expected and await self._shop.habits.digests_parts():
            raise Changed
        return etag

    async def close(self) -> None:
        if not self._open:
            return
        try:
            if self._is_lost() or self._direct is not None:
                await self._parts.stop()
            elif self._written and not self._foreign:
                await self._leave()
        finally:
            self._close()

    async def _leave(self) -> None:
        """Store all that there is for a later writer."""
        tail = self._tail.etag if self._tail is not None else ""

        async def put_tail() -> None:
            nonlocal tail
            if self._buffer.size:
                condition = await self._shop.habits.while_there(self._staged.there)
                tail = await self._shop.bucket.put(self._key, self._buffer.pieces, condition)

        try:
            await concurrently(lambda call: call(), [self._parts.settle, put_tail])
        except Changed:
            raise self._give_way() from None
        if self._parts.gone:
            await self._remove_object()
        else:
            self.state = self._state(tail)

    def _state(self, tail: str = "", more: bool = False) -> bytes:
        """
        For a later writer.

        :param more: whether parts are going to follow; then only those count that were there from the beginning.
        """
        if more:
            parts: Sequence[Part] = self._staged.parts
            tail = self._staged.tail.etag if self._staged.tail is not None else ""
        else:
            parts = self._parts.stored
        upload = self._parts.upload.id if self._parts.upload is not None else ""
        return State(upload, len(parts), digest_of(parts) if parts else "", tail, more).encode()

    async def cancel(self) -> None:
        if self._open:
            await self._drop()

    async def _drop(self) -> None:
        try:
            if not self._foreign:
                await self._parts.stop()
                if not self.lost and self._staged.there is not None:
                    await self._shop.bucket.delete(self._key)
        finally:
            self._close()

    async def _remove_object(self) -> None:
        """What is left at the path is of no use: if it stays, it is in nobody's way."""
        with suppress(StorageError):
            await self._shop.bucket.delete(self._key)

    def _give_way(self) -> WriterBusy:
        """Somebody else is found to write there: what is stored is theirs."""
        self._foreign = True
        return WriterBusy(self.path)

    def _is_lost(self) -> bool:
        return self.lost or self._parts.gone

    def _check_open(self) -> None:
        if not self._open:
            raise StorageError(f"the writer of {self.path} is closed")

    def _close(self) -> None:
        self._open = False
        self._buffer.clear()
        self._shop.release(self)
