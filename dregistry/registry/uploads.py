"""
Upload sessions: blobs on their way into a repository.

A session begins with its first bytes. Until then there is nothing of it but the :class:`Ticket` that the client holds;
a blob that comes whole in one small request never has more. After that all of a session is in storage: ``data`` is
written by the driver's writers, ``progress`` says how far they came, and ``startedat`` when the first one did. Any
process that serves the storage can go on with a session that another began.

A finished digest of the first N bytes cannot be continued, so ``progress`` serves the usual end of an upload: the
closing PUT that brings no more bytes. When bytes are added in a process that does not hold the running hash, hashing
is put off, and the closing PUT reads the staged bytes once, off the reactor thread.
"""

from __future__ import annotations

import re
from uuid import uuid4

from attrs import evolve

from ..digest import ALGORITHMS, CANONICAL, Digest, new_hash
from ..errors import BlobUploadUnknown
from ..storage import IWriter, PathNotFound, WriterBusy, paths
from ._core import Core
from ._guard import guarded
from ._progress import Progress, Ticket, begin, busy, load, save
from ._session import UploadSession
from .listener import OriginSource

__all__ = ["Ticket", "UploadSession", "Uploads"]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Uploads:
    """The upload sessions of one repository."""

    def __init__(self, core: Core, name: str, origin: OriginSource) -> None:
        self._core = core
        self._name = name
        self._origin = origin

    async def start(self, algorithm: str = CANONICAL) -> Ticket:
        """
        A new session.

        :param algorithm: by which the client will name the blob.
        :raise DigestInvalid: for an unknown algorithm.
        """
        new_hash(algorithm)
        return Ticket(str(uuid4()), algorithm)

    @guarded
    async def offset(self, ticket: Ticket) -> int:
        """
        How many bytes a session holds.

        :raise BlobUploadUnknown: if there is no such session.
        """
        progress = await self._progress(ticket)
        return 0 if progress is None else await self._size(ticket.uuid, progress)

    @guarded
    async def open(self, ticket: Ticket, digest: Digest | None = None) -> UploadSession:
        """
        Take a session up, to write to it. One request at a time can.

        :param digest: of the blob, if the request that is going to be read brings its end.
        :raise BlobUploadUnknown: if there is no such session.
        :raise RangeInvalid: if another request is writing to it.
        """
        progress = await self._progress(ticket)
        if progress is None:
            return UploadSession(self._core, self._name, self._origin, ticket, digest)
        path = paths.upload_data(self._name, ticket.uuid)
        try:
            writer = await self._core.driver.writer(path, progress.state, create=progress.offset == 0)
        except PathNotFound:
            raise BlobUploadUnknown(ticket.uuid) from None
        except WriterBusy:
            raise busy(ticket.uuid, await self._size(ticket.uuid, progress)) from None
        progress = await self._claim(ticket.uuid, writer, progress)
        return UploadSession(self._core, self._name, self._origin, ticket, digest, writer, progress)

    async def _claim(self, uuid: str, writer: IWriter, before: Progress) -> Progress:
        """Now that it is locked: is what was read before still what there is?"""
        try:
            found = await load(self._core, self._name, uuid)
            if (found or before).run == before.run == "":
                before = found = evolve(before, run=str(uuid4()))
                await save(self._core, self._name, uuid, found)
            if found is None or found.ended or found.run != before.run:
                raise BlobUploadUnknown(uuid)
            if found.state != before.state:
                raise busy(uuid, await self._size(uuid, found))
        except BaseException:
            await writer.close()
            raise
        return found

    @guarded
    async def cancel(self, ticket: Ticket) -> None:
        """
        End a session and drop its bytes. A request that is writing to it then finds the session gone.

        :raise BlobUploadUnknown: if there is no such session.
        """
        try:
            if await self._progress(ticket) is None:
                await begin(self._core, self._name, ticket.uuid, Progress(ended=True))
            else:
                await self._core.driver.delete(paths.upload(self._name, ticket.uuid))
        except PathNotFound:
            raise BlobUploadUnknown(ticket.uuid) from None

    async def _size(self, uuid: str, progress: Progress) -> int:
        try:
            return await self._core.driver.written(paths.upload_data(self._name, uuid), progress.state)
        except PathNotFound:
            if progress.offset == 0:
                return 0
            raise BlobUploadUnknown(uuid) from None

    async def _without_progress(self, uuid: str) -> Progress:
        """Of a session that a power cut has taken it from, or that another registry began."""
        try:
            await self._core.driver.written(paths.upload_data(self._name, uuid))
        except PathNotFound:
            raise BlobUploadUnknown(uuid) from None
        return Progress()

    async def _progress(self, ticket: Ticket) -> Progress | None:
        """None if nothing is in storage yet."""
        if _UUID.fullmatch(ticket.uuid) is None or (ticket.begins is not None and ticket.begins not in ALGORITHMS):
            raise BlobUploadUnknown(ticket.uuid[:64])
        try:
            content = await self._core.driver.get_content(paths.upload_progress(self._name, ticket.uuid))
        except PathNotFound:
            if ticket.begins is not None:
                return None
            return await self._without_progress(ticket.uuid)
        progress = Progress.decode(content)
        if progress.ended:
            raise BlobUploadUnknown(ticket.uuid)
        return progress
