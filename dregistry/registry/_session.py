"""
An upload session in the hands of one request: see :mod:`dregistry.registry.uploads`.
"""

from __future__ import annotations

from collections.abc import Awaitable
from contextlib import suppress
from types import TracebackType

from ..digest import ALGORITHMS, CANONICAL, Digest
from ..errors import BlobUploadUnknown, DigestInvalid
from ..manifest import OCTET_STREAM, Descriptor
from ..storage import IWriter, PathNotFound, StorageError, WriterBusy, paths
from ._concurrent import Background
from ._core import Core
from ._guard import guarded
from ._hashes import RunningHash
from ._progress import Progress, busy, save
from .listener import PUSH, OriginSource, RegistryEvent

_BATCH = 1 << 20
"""Bytes that are hashed and written in one go: large enough that the hop to a thread costs little."""
_SMALL = 1 << 12
"""Bytes of pieces that are put together: each by itself would take more memory than it holds."""
_INLINE = 1 << 16
"""Bytes up to which hashing on the calling thread is faster than the hop."""


class UploadSession:
    """
    A session that one request holds, from :meth:`Uploads.open`.

    As an asynchronous context manager: left without :meth:`commit` or :meth:`discard`, for whatever reason, it keeps
    what it holds, durably, for a later request.
    """

    def __init__(
        self,
        core: Core,
        name: str,
        origin: OriginSource,
        uuid: str,
        writer: IWriter,
        progress: Progress | None,
    ) -> None:
        self.uuid = uuid
        self._core = core
        self._name = name
        self._origin = origin
        self._writer = writer
        self._saved = progress is not None
        self._progress = progress = progress or Progress()
        self._hash = core.hashes.take(uuid, writer.size)
        if self._hash is None and writer.size == 0:
            self._hash = RunningHash.start(progress.algorithm if progress.algorithm in ALGORITHMS else CANONICAL)
        self._pending: list[bytes] = []
        self._tail = bytearray()
        self._pending_size = 0
        self._under_way = Background()
        self._open = True
        self.offset = writer.size
        """Bytes that it holds, those included that are still on their way to the storage."""

    async def __aenter__(self) -> UploadSession:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._open:
            await self._suspend()

    @guarded
    async def append(self, piece: bytes) -> None:
        """
        Add bytes. To await it before reading more is the back-pressure on whoever sends them.

        :raise Unavailable: if they could not be kept. When the storage is full the session is gone: so is what it took.
        """
        if len(piece) >= _SMALL:
            self._pending += (bytes(self._tail), piece) if self._tail else (piece,)
            self._tail.clear()
        else:
            self._tail += piece
        self._pending_size += len(piece)
        self.offset += len(piece)
        if self._pending_size >= _BATCH:
            await self._flush()

    @guarded
    async def commit(self, digest: Digest) -> Descriptor:
        """
        End the session: its bytes become a blob of the repository. Once this returns they are safe.

        :raise DigestInvalid: if the bytes do not have that digest; the session is gone then.
        :raise BlobUploadUnknown: if it was cancelled meanwhile.
        """
        await self._flush()
        await self._settle()
        actual = await self._digest(digest.algorithm)
        if actual != digest:
            await self._drop()
            raise DigestInvalid(f"the content's digest is {actual}, not {digest}")
        size = self._writer.size
        try:
            await self._store(digest, size)
        except StorageError:
            await self._drop()
            raise
        self._open = False
        if self._saved:
            await self._delete()
        if self._core.listeners:
            await self._core.tell(
                RegistryEvent(PUSH, self._name, self._origin(), media_type=OCTET_STREAM, digest=digest, size=size)
            )
        return Descriptor(OCTET_STREAM, digest, size)

    @guarded
    async def discard(self) -> None:
        """End the session and drop its bytes."""
        try:
            await self._settle()
        finally:
            await self._drop()

    async def _drop(self) -> None:
        if self._open:
            self._open = False
            with suppress(StorageError):
                await self._writer.cancel()
            await self._delete()

    async def _store(self, digest: Digest, size: int) -> None:
        destination = paths.blob_data(digest)
        link = paths.layer_link(self._name, digest)
        try:
            known = (await self._core.driver.stat(destination)).size == size
        except PathNotFound:
            known = False
        try:
            if known:
                await self._writer.cancel()
                await self._core.write_link(link, digest)
                await self._delete()
            else:
                await self._writer.commit(destination, [(link, str(digest).encode("ascii"))])
        except PathNotFound:
            raise BlobUploadUnknown(self.uuid) from None

    @guarded
    async def _suspend(self) -> None:
        await self._flush()
        await self._settle()
        self._open = False
        await self._writer.close()
        size = self._writer.size
        digests = self._hash.digests() if self._hash is not None else {}
        if self._hash is not None:
            self._core.hashes.keep(self.uuid, self._hash)
        elif self._progress.offset == size:
            digests = self._progress.digests
        try:
            await self._core.driver.stat(paths.upload_data(self._name, self.uuid))
        except PathNotFound:
            raise BlobUploadUnknown(self.uuid) from None
        await save(self._core, self._name, self.uuid, Progress(self._progress.algorithm, size, digests), self._saved)

    async def _delete(self) -> None:
        with suppress(PathNotFound):
            await self._core.driver.delete(paths.upload(self._name, self.uuid))

    async def _flush(self) -> None:
        """Hand what is pending to hashing and writing, which go on while the next bytes come."""
        await self._settle()
        pieces, self._pending = self._pending, []
        if self._tail:
            pieces.append(bytes(self._tail))
            self._tail.clear()
        size, self._pending_size = self._pending_size, 0
        if not pieces:
            return
        work: list[Awaitable[None]] = []
        if self._hash is not None and size <= _INLINE:
            self._hash.update(pieces)
        elif self._hash is not None:
            work.append(self._core.threads.run(self._hash.update, pieces))
        work.append(self._writer.write(pieces[0] if len(pieces) == 1 else b"".join(pieces)))
        self._under_way.start(*work)

    async def _settle(self) -> None:
        """
        Wait for the batch under way. If it failed, the session ends: its hash is ahead of its bytes, and a full
        storage wants the room back.
        """
        try:
            await self._under_way.wait()
        except StorageError:
            await self._drop()
            raise

    async def _digest(self, algorithm: str) -> Digest:
        """Of all bytes: as hashed on their way, or as an earlier request left it, or by reading them again."""
        if self._hash is not None:
            digest = self._hash.digest(algorithm)
            if digest is not None:
                return digest
        elif self._progress.offset == self._writer.size and algorithm in self._progress.digests:
            return Digest(algorithm, self._progress.digests[algorithm])
        running = await self._read_again(algorithm)
        found = running.digest(algorithm)
        assert found is not None
        return found

    async def _read_again(self, algorithm: str) -> RunningHash:
        """What a writer has written can be read when it is closed; a new one goes on, if nobody else did meanwhile."""
        path = paths.upload_data(self._name, self.uuid)
        await self._writer.close()
        running = RunningHash.start(algorithm)
        try:
            async for piece in self._core.driver.read(path):
                await self._core.threads.run(running.update, [piece])
            self._writer = await self._core.driver.writer(path, append=True)
        except PathNotFound:
            raise BlobUploadUnknown(self.uuid) from None
        except WriterBusy:
            raise busy(self.uuid, running.offset) from None
        if self._writer.size != running.offset:
            self._hash = None  # of fewer bytes than there are now
            raise busy(self.uuid, self._writer.size)
        return running
