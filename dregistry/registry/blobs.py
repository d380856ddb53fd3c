"""
The blobs of one repository.

A blob belongs to a repository by a link there; its bytes are stored once for all repositories.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import BinaryIO

from attrs import define, field, frozen

from ..digest import Digest
from ..errors import BlobUnknown, Unavailable
from ..manifest import OCTET_STREAM, Descriptor
from ..storage import ILocalFiles, InvalidOffset, PathNotFound, paths
from ._contents import Content
from ._core import Core
from ._descriptors import Descriptors
from ._guard import guarded, guarded_chunks
from .catalog import find_repositories
from .listener import BLOB, DELETE, MOUNT, PULL, OriginSource, RegistryEvent

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
    _blobs: Blobs
    _target: Digest
    content: bytes | None = None
    file: BinaryIO | None = None

    def chunks(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """
        ``length`` bytes from ``offset``, in pieces of at most 1 MiB.

        :raise BlobUnknown: while it is read, if the content is not there.
        :raise Unavailable: while it is read, if the storage fails, or has fewer bytes.
        """
        if self.content is not None:
            return _one_chunk(self.content[offset : offset + length])
        return guarded_chunks(self._blobs._read(self._target, offset, length))

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
    async def stat(self, digest: Digest, afresh: bool = False) -> Descriptor:
        """
        The descriptor of a blob of this repository. Whoever asks may be about to refer to it: this renews its lease.

        :param afresh: look at the content itself, whatever is remembered of it.
        :raise BlobUnknown: if the repository has no such blob.
        """
        _, size = await (self._find(digest) if afresh else self._locate(digest))
        return Descriptor(OCTET_STREAM, digest, size)

    @guarded
    async def open(self, digest: Digest) -> Blob:
        """
        A blob of this repository, to read from.

        :raise BlobUnknown: if the repository has no such blob.
        """
        cached = self._core.contents.get(self._name, digest)
        try:
            if cached is not None and await self._is_linked(digest):
                return Blob(digest, len(cached.data), self, digest, cached.data)
            if self._core.descriptors is not None:
                size = await self._known_size(self._core.descriptors, digest)
                if size is not None:
                    with suppress(PathNotFound):
                        return await self._open(digest, digest, size)
            return await self._open(digest, *await self._find(digest, relied_on=False))
        except PathNotFound:
            await self._core.content_lost(self._name, digest)
            raise BlobUnknown(str(digest)) from None

    async def _open(self, digest: Digest, target: Digest, size: int) -> Blob:
        """:raise PathNotFound: if there is nothing of that digest, whatever is known of its size."""
        driver = self._core.driver
        if size <= SMALL:
            data = await driver.get_content(paths.blob_data(target))
            self._core.contents.put(self._name, digest, Content(data, OCTET_STREAM))
            return Blob(digest, len(data), self, target, data)
        if ILocalFiles.providedBy(driver):
            file = driver.open_local(paths.blob_data(target))
            return Blob(digest, os.fstat(file.fileno()).st_size, self, target, file=file)
        return Blob(digest, size, self, target)

    async def _read(self, target: Digest, offset: int, length: int) -> AsyncIterator[bytes]:
        """What was known of the content may be wrong, as when it was removed and the link to it was not."""
        chunks = self._core.driver.read(paths.blob_data(target), offset, length)
        try:
            async for chunk in chunks:
                length -= len(chunk)
                yield chunk
        except PathNotFound:
            await self._core.content_lost(self._name, target)
            raise BlobUnknown(str(target)) from None
        except InvalidOffset:
            pass
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()
        if length:
            await self._core.content_lost(self._name, target)
            raise Unavailable("the content is shorter than it should be")

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
        target, size = await self._locate(digest)
        url = await redirecting.redirect_url(paths.blob_data(target), method, client)
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
        self._core.contents.drop(self._name, digest)
        if self._core.descriptors is not None:
            await self._core.descriptors.unlink(self._name, digest)
        await self._core.tell(RegistryEvent(DELETE, self._name, self._origin(), digest=digest, kind=BLOB))

    @guarded
    async def mount(self, digest: Digest, source: str) -> Descriptor:
        """
        Link a blob of the repository ``source`` here.

        :raise BlobUnknown: if ``source`` has no such blob.
        """
        target, size = await Blobs(self._core, source, self._origin)._locate(digest)
        await self._core.write_link(paths.layer_link(self._name, digest), target)
        descriptor = Descriptor(OCTET_STREAM, digest, size)
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

    def _locate(self, digest: Digest) -> Awaitable[tuple[Digest, int]]:
        """
        The digest by which the content of a blob of this repository is stored, and its size.

        :raise BlobUnknown: if the repository has no such blob.
        """
        descriptors = self._core.descriptors
        return self._find(digest) if descriptors is None else self._locate_known(descriptors, digest)

    async def _locate_known(self, descriptors: Descriptors, digest: Digest) -> tuple[Digest, int]:
        size = await self._known_size(descriptors, digest)
        return await self._find(digest) if size is None else (digest, size)

    async def _known_size(self, descriptors: Descriptors, digest: Digest) -> int | None:
        """
        From the cache, for a blob that is linked here to content of this very digest; None if one must look further.

        :raise BlobUnknown: if the repository has no link to it.
        """
        size = await descriptors.size(digest)
        return size if size is not None and await self._is_linked(digest) else None

    async def _is_linked(self, digest: Digest) -> bool:
        """
        Whether the repository has a link to content of this very digest, and not a torn one, which is shorter, or one
        to another digest, which distribution makes for sha512.

        :raise BlobUnknown: if the repository has no link to it.
        """
        try:
            link = await self._core.driver.stat(paths.layer_link(self._name, digest))
        except PathNotFound:
            self._core.contents.drop(self._name, digest)
            raise BlobUnknown(str(digest)) from None
        return link.size == len(str(digest))

    async def _find(self, digest: Digest, relied_on: bool = True) -> tuple[Digest, int]:
        """
        The same as :meth:`_locate`, from the storage alone.

        :param relied_on: whether the client may be about to refer to the blob: this renews its lease.
        """
        target = await self._core.read_link(paths.layer_link(self._name, digest))
        if target is None:
            raise BlobUnknown(str(digest))
        path = paths.blob_data(target)
        try:
            info = await self._core.driver.stat(path)
        except PathNotFound:
            await self._core.content_lost(self._name, digest)
            raise BlobUnknown(str(digest)) from None
        if relied_on or self._core.descriptors is not None:
            self._core.renew(info)
        if target == digest:
            self._core.content_found(digest, info.size)
        return target, info.size

    async def _tell(self, action: str, descriptor: Descriptor, source: str = "") -> None:
        event = RegistryEvent(
            action,
            self._name,
            self._origin(),
            media_type=descriptor.media_type,
            digest=descriptor.digest,
            size=descriptor.size,
            from_repository=source,
            kind=BLOB,
        )
        await self._core.tell(event)
