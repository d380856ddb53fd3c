"""
The blobs of one repository.

A blob belongs to a repository by a link there; its bytes are stored once for all repositories.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import BinaryIO

from attrs import define, field, frozen

from ..digest import Digest
from ..errors import BlobUnknown
from ..manifest import OCTET_STREAM, Descriptor
from ..storage import ILocalFiles, IStorageDriver, PathNotFound, paths
from ._contents import Content
from ._core import Core
from ._guard import guarded, guarded_chunks
from .catalog import find_repositories
from .listener import DELETE, MOUNT, PULL, OriginSource, RegistryEvent

SMALL = 1 << 16
"""Bytes of a blob up to which it is read at once."""
_PAGE = 256
_MOUNT_SEARCH = 4096
"""How many repositories a mount without a source looks into."""


@define
class Blob:
    """
    A blob to read from: by ``content`` if that is there, else by ``file``, else by :meth:`chunks`.

    :ivar size: bytes.
    :ivar content: all of it, if it is small.
    :ivar file: open and unbuffered, if the driver's content is in local files; whoever asked for the blob closes it.
    """

    digest: Digest
    size: int
    _driver: IStorageDriver
    _path: str = ""
    content: bytes | None = None
    file: BinaryIO | None = None

    def chunks(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """``length`` bytes from ``offset``, in pieces of at most 1 MiB."""
        if self.content is not None:
            return _one_chunk(self.content[offset : offset + length])
        return guarded_chunks(self._driver.read(self._path, offset, length))

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


async def _one_chunk(content: bytes) -> AsyncIterator[bytes]:
    yield content


@frozen
class Redirection:
    """:ivar url: where a client can read the blob without the registry. Whoever has it can."""

    size: int
    url: str = field(repr=False)


class Blobs:
    def __init__(self, core: Core, name: str, origin: OriginSource) -> None:
        self._core = core
        self._name = name
        self._origin = origin

    @guarded
    async def stat(self, digest: Digest) -> Descriptor:
        """
        The descriptor of a blob of this repository. Whoever asks may be about to refer to it: this renews its lease.

        :raise BlobUnknown: if the repository has no such blob.
        """
        path = await self._path(digest)
        try:
            info = await self._core.driver.stat(path)
        except PathNotFound:
            raise BlobUnknown(str(digest)) from None
        self._core.renew(path, info)
        return Descriptor(OCTET_STREAM, digest, info.size)

    @guarded
    async def open(self, digest: Digest) -> Blob:
        """
        A blob of this repository, to read from.

        :raise BlobUnknown: if the repository has no such blob.
        """
        driver = self._core.driver
        cached = self._core.contents.get(self._name, digest)
        try:
            if cached is not None:
                await driver.stat(paths.layer_link(self._name, digest))
                return Blob(digest, len(cached.data), driver, content=cached.data)
            path = await self._path(digest)
            size = (await driver.stat(path)).size
            if size <= SMALL:
                data = await driver.get_content(path)
                self._core.contents.put(self._name, digest, Content(data, OCTET_STREAM))
                return Blob(digest, len(data), driver, content=data)
            file = driver.open_local(path) if ILocalFiles.providedBy(driver) else None
            return Blob(digest, size, driver, path, file=file)
        except PathNotFound:
            self._core.contents.drop(self._name, digest)
            raise BlobUnknown(str(digest)) from None

    @guarded
    async def redirection(self, digest: Digest, method: str, client: str) -> Redirection | None:
        """
        Where else a client can read a blob of this repository; None if it must be read here.

        :param method: ``GET`` or ``HEAD``.
        :param client: its IP address; empty if it has none.
        :raise BlobUnknown: if the repository has no such blob.
        """
        redirecting = self._core.redirecting
        if redirecting is None:
            return None
        path = await self._path(digest)
        try:
            size = (await self._core.driver.stat(path)).size
        except PathNotFound:
            raise BlobUnknown(str(digest)) from None
        url = await redirecting.redirect_url(path, method, client)
        return None if url is None else Redirection(size, url)

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
        try:
            await self._core.driver.delete(paths.layer(self._name, digest))
        except PathNotFound:
            raise BlobUnknown(str(digest)) from None
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
    async def mount_from_any(self, digest: Digest, may_pull: Callable[[str], bool]) -> Descriptor:
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
                if link is not None and may_pull(name):
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
