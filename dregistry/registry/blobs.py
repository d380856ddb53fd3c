"""
The blobs of one repository.

A blob belongs to a repository by a link there; its bytes are stored once for all repositories.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import BinaryIO

from attrs import define

from ..digest import Digest
from ..errors import BlobUnknown
from ..manifest import OCTET_STREAM, Descriptor
from ..storage import ILocalFiles, IStorageDriver, PathNotFound, paths
from ._core import Core
from ._guard import guarded, guarded_chunks
from .catalog import find_repositories
from .listener import DELETE, MOUNT, PULL, OriginSource, RegistryEvent

_PAGE = 256
_MOUNT_SEARCH = 4096
"""How many repositories a mount without a source looks into."""


@define
class Blob:
    """
    A blob to read from.

    :ivar size: bytes.
    :ivar file: open and unbuffered, if the driver's content is in local files; whoever asked for the blob closes it.
    """

    digest: Digest
    size: int
    _driver: IStorageDriver
    _path: str
    file: BinaryIO | None = None

    def chunks(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """``length`` bytes from ``offset``, in pieces of at most 1 MiB."""
        return guarded_chunks(self._driver.read(self._path, offset, length))

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


class Blobs:
    def __init__(self, core: Core, name: str, origin: OriginSource) -> None:
        self._core = core
        self._name = name
        self._origin = origin

    @guarded
    async def stat(self, digest: Digest) -> Descriptor:
        """
        The descriptor of a blob of this repository.

        :raise BlobUnknown: if the repository has no such blob.
        """
        path = await self._path(digest)
        try:
            info = await self._core.driver.stat(path)
        except PathNotFound:
            raise BlobUnknown(str(digest)) from None
        return Descriptor(OCTET_STREAM, digest, info.size)

    @guarded
    async def open(self, digest: Digest) -> Blob:
        """
        A blob of this repository, to read from.

        :raise BlobUnknown: if the repository has no such blob.
        """
        driver = self._core.driver
        path = await self._path(digest)
        try:
            if ILocalFiles.providedBy(driver):
                file = driver.open_local(path)
                return Blob(digest, file.seek(0, 2), driver, path, file)
            return Blob(digest, (await driver.stat(path)).size, driver, path)
        except PathNotFound:
            raise BlobUnknown(str(digest)) from None

    async def pulled(self, digest: Digest, size: int) -> None:
        """Tell the listeners that a client asked for a blob."""
        if self._core.listeners:
            await self._tell(PULL, Descriptor(OCTET_STREAM, digest, size))

    @guarded
    async def delete(self, digest: Digest) -> None:
        """
        Unlink a blob from this repository. Its bytes stay until garbage collection.

        :raise Unsupported: if deletion is disabled.
        :raise BlobUnknown: if the repository has no such blob.
        """
        self._core.require_delete()
        await self.stat(digest)
        await self._core.driver.delete(paths.layer(self._name, digest))
        await self._core.tell(RegistryEvent(DELETE, self._name, self._origin(), digest=digest))

    @guarded
    async def mount(self, digest: Digest, source: str) -> Descriptor:
        """
        Link a blob of the repository ``source`` here.

        :raise BlobUnknown: if ``source`` has no such blob.
        """
        descriptor = await Blobs(self._core, source, self._origin).stat(digest)
        target = await self._core.read_link(paths.layer_link(source, digest))
        await self._core.write_link(paths.layer_link(self._name, digest), target or digest)
        await self._tell(MOUNT, descriptor, source)
        return descriptor

    @guarded
    async def mount_from_any(self, digest: Digest, may_pull: Callable[[str], Awaitable[bool]]) -> Descriptor:
        """
        Link a blob here from any repository that has it and that ``may_pull`` says the caller may pull from.

        A mount only saves an upload, so the search ends after some thousand repositories.

        :raise BlobUnknown: if none was found.
        """
        driver = self._core.driver
        after = ""
        for _ in range(0, _MOUNT_SEARCH, _PAGE):
            names = await find_repositories(driver, "_layers", after, _PAGE)
            linked = await driver.stats([paths.layer_link(name, digest) for name in names])
            for name, link in zip(names, linked, strict=True):
                if link is not None and await may_pull(name):
                    return await self.mount(digest, name)
            if len(names) < _PAGE:
                break
            after = names[-1]
        raise BlobUnknown(str(digest))

    async def _path(self, digest: Digest) -> str:
        target = await self._core.read_link(paths.layer_link(self._name, digest))
        if target is None:
            raise BlobUnknown(str(digest))
        return paths.blob_data(target)

    async def _tell(self, action: str, descriptor: Descriptor, source: str = "") -> None:
        event = RegistryEvent(
            action,
            self._name,
            self._origin(),
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            size=descriptor.size,
            from_repository=source,
        )
        await self._core.tell(event)
