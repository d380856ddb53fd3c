"""
Upload sessions: blobs on their way into a repository.

All of a session is in storage: ``data`` holds the bytes so far. What outlives its first request has ``progress``, the
digests of those bytes, and ``startedat``, the time it began. Any process that serves the storage can go on with a
session that another began.

A finished digest of the first N bytes cannot be continued, so ``progress`` serves the usual end of an upload: the
closing PUT that brings no more bytes. When bytes are added in a process that does not hold the running hash, hashing
is put off, and the closing PUT reads the staged bytes once, off the reactor thread.
"""

from __future__ import annotations

import re
from uuid import uuid4

from ..digest import CANONICAL, new_hash
from ..errors import BlobUploadUnknown
from ..storage import PathNotFound, StorageError, WriterBusy, paths
from ._core import Core
from ._guard import guarded
from ._progress import Progress, busy, save
from ._session import UploadSession
from .listener import OriginSource

__all__ = ["UploadSession", "Uploads"]

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Uploads:
    """The upload sessions of one repository."""

    def __init__(self, core: Core, name: str, origin: OriginSource) -> None:
        self._core = core
        self._name = name
        self._origin = origin

    @guarded
    async def start(self, algorithm: str = CANONICAL) -> str:
        """
        Begin a session.

        :param algorithm: by which the client will name the blob.
        :return: the session's uuid.
        :raise DigestInvalid: for an unknown algorithm.
        """
        new_hash(algorithm)
        uuid = str(uuid4())
        await self._core.driver.put_content(paths.upload_data(self._name, uuid), b"", durable=False)
        if algorithm != CANONICAL:
            await save(self._core, self._name, uuid, Progress(algorithm))
        return uuid

    @guarded
    async def offset(self, uuid: str) -> int:
        """
        How many bytes a session holds.

        :raise BlobUploadUnknown: if there is no such session.
        """
        return await self._size(self._checked(uuid))

    @guarded
    async def open(self, uuid: str) -> UploadSession:
        """
        Take a session up, to write to it. One request at a time can.

        :raise BlobUploadUnknown: if there is no such session.
        :raise RangeInvalid: if another request is writing to it.
        """
        path = paths.upload_data(self._name, self._checked(uuid))
        try:
            writer = await self._core.driver.writer(path, append=True)
        except PathNotFound:
            raise BlobUploadUnknown(uuid) from None
        except WriterBusy:
            raise busy(uuid, await self._size(uuid)) from None
        try:
            progress = await self._progress(uuid)
        except StorageError:
            await writer.close()
            raise
        return UploadSession(self._core, self._name, self._origin, uuid, writer, progress)

    @guarded
    async def cancel(self, uuid: str) -> None:
        """
        End a session and drop its bytes. A request that is writing to it then finds the session gone.

        :raise BlobUploadUnknown: if there is no such session.
        """
        try:
            await self._core.driver.delete(paths.upload(self._name, self._checked(uuid)))
        except PathNotFound:
            raise BlobUploadUnknown(uuid) from None

    async def _size(self, uuid: str) -> int:
        try:
            return (await self._core.driver.stat(paths.upload_data(self._name, uuid))).size
        except PathNotFound:
            raise BlobUploadUnknown(uuid) from None

    async def _progress(self, uuid: str) -> Progress | None:
        try:
            return Progress.decode(await self._core.driver.get_content(paths.upload_progress(self._name, uuid)))
        except PathNotFound:
            return None

    def _checked(self, uuid: str) -> str:
        if _UUID.fullmatch(uuid) is None:
            raise BlobUploadUnknown(uuid[:64])
        return uuid
