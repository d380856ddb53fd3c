"""
An upload session in the hands of one request: see :mod:`dregistry.registry.uploads`.
"""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import NoReturn
from uuid import uuid4

from attrs import evolve

from ..digest import ALGORITHMS, CANONICAL, Digest
from ..errors import BlobUnknown, BlobUploadUnknown, DigestInvalid
from ..manifest import OCTET_STREAM, Descriptor
from ..storage import IWriter, PathNotFound, StorageError, WriterBusy, paths
from ._concurrent import Background
from ._core import Core
from ._guard import guarded
from ._hashes import RunningHash, hash_again, hash_whole
from ._pieces import Pieces
from ._progress import Progress, Ticket, begin, busy, load, save, written
from .blobs import Blobs
from .listener import BLOB, PUSH, OriginSource, RegistryEvent

_BATCH = 1 << 20
"""Bytes that are hashed and written in one go: large enough that the hop to a thread costs little."""


class UploadSession:
    """
    A session that one request holds, from :meth:`Uploads.open`.

    As an asynchronous context manager: left without :meth:`commit` or :meth:`discard`, for whatever reason, it keeps
    what it holds, durably, for a later request.

    :param digest: of the blob, if the request is to bring its end.
    :param writer: None if there is nothing of the session in storage; one is opened when memory is not enough.
    :param progress: what is in storage beside the bytes.
    """

    def __init__(
        self,
        core: Core,
        name: str,
        origin: OriginSource,
        ticket: Ticket,
        digest: Digest | None,
        writer: IWriter | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.uuid = ticket.uuid
        self._ticket = ticket
        self._core = core
        self._name = name
        self._origin = origin
        self._final = digest
        self._writer = writer
        self._progress = progress = progress or Progress(ticket.begins or CANONICAL, run=str(uuid4()))
        self.offset = 0 if writer is None else writer.size
        """Bytes that it holds, those included that are still on their way to the storage."""
        self._hash = core.hashes.take(progress.run, self.offset)
        if self._hash is None and self.offset == 0:
            algorithm = progress.algorithm if digest is None else digest.algorithm
            self._hash = RunningHash.start(algorithm if algorithm in ALGORITHMS else CANONICAL)
        self._pending = Pieces()
        self._under_way = Background()
        self._open = True

    @property
    def ticket(self) -> Ticket:
        """For the next request."""
        return self._ticket if self._writer is None else Ticket(self.uuid)

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

        :raise RangeInvalid: if another request is writing to the session.
        :raise Unavailable: if they could not be kept. When the storage is full the session is gone: so is what it took.
        """
        self._pending.add(piece)
        self.offset += len(piece)
        if self._pending.size >= _BATCH:
            await self._flush()

    @guarded
    async def commit(self, digest: Digest) -> Descriptor:
        """
        End the session: its bytes become a blob of the repository. Once this returns they are safe.

        :raise DigestInvalid: if the bytes do not have that digest; the session is gone then.
        :raise BlobUploadUnknown: if it was cancelled meanwhile.
        """
        if self._writer is None:
            if self.offset == 0:  # whoever got no answer to the request that ended the session asks again
                with suppress(BlobUnknown):
                    return await Blobs(self._core, self._name, self._origin).stat(digest, afresh=True)
            await self._commit_whole(digest)
        else:
            await self._flush()
            await self._settle()
            await self._check(digest, await self._digest(self._writer, digest.algorithm))
            await self._commit_written(self._writer, digest)
        self._core.content_found(digest, self.offset)
        if self._core.listeners:
            await self._core.tell(
                RegistryEvent(PUSH, self._name, self._origin(), OCTET_STREAM, digest, self.offset, kind=BLOB)
            )
        return Descriptor(OCTET_STREAM, digest, self.offset)

    @guarded
    async def discard(self) -> None:
        """End the session and drop its bytes."""
        try:
            await self._settle()
        finally:
            await self._drop()

    async def _commit_whole(self, digest: Digest) -> None:
        """What fits into memory is hashed and put where it belongs, and never had a session in storage."""
        content = b"".join(self._pending.take())
        await self._check(digest, await hash_whole(content, digest.algorithm, self._core.threads))
        self._open = False
        await self._core.driver.put_contents([(paths.blob_data(digest), content), self._link(digest)])

    async def _commit_written(self, writer: IWriter, digest: Digest) -> None:
        try:
            await self._store(writer, digest)
        except StorageError:
            await self._drop()
            raise
        self._open = False
        await self._delete()

    async def _check(self, digest: Digest, actual: Digest | None) -> None:
        if actual != digest:
            await self._drop()
            raise DigestInvalid(f"the content's digest is {actual}, not {digest}")

    async def _store(self, writer: IWriter, digest: Digest) -> None:
        destination = paths.blob_data(digest)
        try:
            known = self._core.renew(await self._core.driver.stat(destination)).size == writer.size
        except PathNotFound:
            known = False
        try:
            if known:
                await writer.cancel()
                await self._core.write_link(paths.layer_link(self._name, digest), digest)
            else:
                await writer.commit(destination, [self._link(digest)])
        except PathNotFound:
            self._open = False
            raise BlobUploadUnknown(self.uuid) from None
        except WriterBusy:
            await self._give_way()

    def _link(self, digest: Digest) -> tuple[str, bytes]:
        return paths.layer_link(self._name, digest), str(digest).encode("ascii")

    async def _drop(self) -> None:
        if self._open:
            self._open = False
            if self._writer is not None:
                with suppress(StorageError):
                    await self._writer.cancel()
                await self._delete()

    @guarded
    async def _suspend(self) -> None:
        await self._flush()
        await self._settle()
        self._open = False
        if self._writer is None:
            return  # no byte has come
        size = self._writer.size
        digests = self._progress.digests if self._progress.offset == size else {}
        if self._hash is not None:
            digests = self._hash.digests()
            self._core.hashes.keep(self._progress.run, self._hash)
        last = evolve(self._progress, offset=size, digests=digests, state=self._writer.state)
        try:
            # Where there is a state, only the last one tells what the digests are of: it is stored with them.
            await (self._check_run() if self._writer.state else self._save(last))
        finally:
            try:
                await self._writer.close()
            except WriterBusy:
                await self._give_way()
        last = evolve(last, state=self._writer.state)
        if last != self._progress:
            await self._save(last)

    async def _give_way(self) -> NoReturn:
        """Another request is writing to the session."""
        self._open = False
        with suppress(WriterBusy):
            if self._writer is not None:
                await self._writer.close()
        raise busy(self.uuid, await written(self._core, self._name, self.uuid)) from None

    async def _save(self, progress: Progress) -> None:
        await self._check_run()
        self._progress = progress
        await save(self._core, self._name, self.uuid, progress)

    async def _check_run(self) -> None:
        """:raise BlobUploadUnknown: if the session was cancelled meanwhile, and maybe begun anew."""
        found = await load(self._core, self._name, self.uuid)
        if found is None or found.ended or found.run != self._progress.run:
            if self._writer is not None:
                self._open = False
                await self._writer.cancel()
            raise BlobUploadUnknown(self.uuid)

    async def _delete(self) -> None:
        with suppress(StorageError):
            await self._core.driver.delete(paths.upload(self._name, self.uuid))

    async def _flush(self) -> None:
        """Hand what is pending to hashing and writing, which go on while the next bytes come."""
        await self._settle()
        size, pieces = self._pending.size, self._pending.take()
        if not pieces:
            return
        if self._writer is None:
            self._writer = await self._begin()
        hashing = [] if self._hash is None else [self._hash.updated(pieces, size, self._core.threads)]
        self._under_way.start(*hashing, self._writer.write(pieces[0] if len(pieces) == 1 else b"".join(pieces)))

    async def _begin(self) -> IWriter:
        """
        Now there is a session in storage. The lock comes first, so that of two requests one begins it; the progress
        before any byte, so that these are found whatever happens next.
        """
        path = paths.upload_data(self._name, self.uuid)
        destination = None if self._final is None else paths.blob_data(self._final)
        try:
            self._writer = writer = await self._core.driver.writer(path, create=True, destination=destination)
            found = await load(self._core, self._name, self.uuid)
            if found is None:
                self._progress = evolve(self._progress, state=writer.state)
                await begin(self._core, self._name, self.uuid, self._progress)
                if not writer.size:  # it has some where a power cut took the progress
                    return writer
                found = self._progress
        except WriterBusy:
            await self._give_way()
        except StorageError:
            await self._drop()
            raise
        if found.ended:
            self._open = False
            await writer.cancel()
            raise BlobUploadUnknown(self.uuid)
        await self._give_way()

    async def _settle(self) -> None:
        """
        Wait for the batch under way. If it failed, the session ends: its hash is ahead of its bytes, and a full
        storage wants the room back.
        """
        try:
            await self._under_way.wait()
        except WriterBusy:
            await self._give_way()
        except StorageError:
            await self._drop()
            raise
        if self._writer is not None and self._open and self._writer.state != self._progress.state:
            await self._save(evolve(self._progress, state=self._writer.state))

    async def _digest(self, writer: IWriter, algorithm: str) -> Digest:
        """Of all bytes: as hashed on their way, or as an earlier request left it, or by reading them again."""
        if self._hash is not None:
            digest = self._hash.digest(algorithm)
            if digest is not None:
                return digest
        elif self._progress.offset == writer.size and algorithm in self._progress.digests:
            return Digest(algorithm, self._progress.digests[algorithm])
        try:
            return await hash_again(writer, algorithm, self._core.threads)
        except PathNotFound:
            raise BlobUploadUnknown(self.uuid) from None
