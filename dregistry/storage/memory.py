"""
The ``inmemory`` driver: for tests and trials. Everything is lost when the process ends.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from heapq import nsmallest
from io import BytesIO

from attrs import frozen
from zope.interface import implementer

from ._interfaces import (
    FileInfo,
    InvalidOffset,
    IStorageDriver,
    IWriter,
    PathNotFound,
    StorageError,
    WriterBusy,
)
from ._path import check_path

_PIECE = 1 << 20


@frozen
class MemoryOptions:
    """The driver has no options; ``storage: inmemory`` is the whole section."""


@frozen
class _Content:
    data: bytes
    modified: float


@implementer(IStorageDriver)
class MemoryDriver:
    """Content in a dict, path to bytes; directories are what the paths imply."""

    name = "inmemory"

    def __init__(self) -> None:
        self._contents: dict[str, _Content] = {}
        self._writing: dict[str, _MemoryWriter] = {}

    async def get_content(self, path: str) -> bytes:
        return self._content(path).data

    async def get_contents(self, paths: Sequence[str]) -> list[bytes | None]:
        found = (self._contents.get(check_path(path)) for path in paths)
        return [content.data if content else None for content in found]

    async def put_content(self, path: str, content: bytes, durable: bool = True) -> None:
        self._put(check_path(path), bytes(content))

    async def put_contents(self, contents: Sequence[tuple[str, bytes]]) -> None:
        for path, _ in contents:
            check_path(path)
        for path, content in contents:
            await self.put_content(path, content)

    async def read(self, path: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        data = self._content(path).data
        if offset > len(data):
            raise InvalidOffset(path, offset)
        stream = BytesIO(data[offset : None if length is None else offset + length])
        while piece := stream.read(_PIECE):
            yield piece

    async def stat(self, path: str) -> FileInfo:
        content = self._contents.get(check_path(path))
        if content is not None:
            return FileInfo(path, len(content.data), False, content.modified)
        if not self._below(path):
            raise PathNotFound(path)
        return FileInfo(path, 0, True)

    async def stats(self, paths: Sequence[str]) -> list[FileInfo | None]:
        found: list[FileInfo | None] = []
        for path in paths:
            try:
                found.append(await self.stat(path))
            except PathNotFound:
                found.append(None)
        return found

    async def children(self, path: str, after: str = "", limit: int | None = None) -> list[str]:
        prefix = check_path(path) + "/"
        names = {found[len(prefix) :].partition("/")[0] for found in self._below(path)}
        if not names:
            raise PathNotFound(path)
        wanted = (name for name in names if name > after)
        return sorted(wanted) if limit is None else nsmallest(limit, wanted)

    async def writer(
        self, path: str, state: bytes = b"", create: bool = False, destination: str | None = None
    ) -> IWriter:
        if check_path(path) in self._writing:
            raise WriterBusy(path)
        before = b"" if create and path not in self._contents else self._content(path).data
        self._put(path, before)
        self._writing[path] = writer = _MemoryWriter(self, path, before)
        return writer

    async def written(self, path: str, state: bytes = b"") -> int:
        writer = self._writing.get(check_path(path))
        return len(self._content(path).data) if writer is None else writer.size

    async def move(self, source: str, destination: str) -> None:
        check_path(destination)
        content = self._content(source)
        if source in self._writing:
            raise WriterBusy(source)
        del self._contents[source]
        self._put(destination, content.data, content.modified)

    async def delete(self, path: str) -> None:
        doomed = [path] if check_path(path) in self._contents else self._below(path)
        if not doomed:
            raise PathNotFound(path)
        for found in doomed:
            del self._contents[found]
            self._writing.pop(found, None)

    def _put(self, path: str, data: bytes, modified: float | None = None) -> None:
        self._writing.pop(path, None)
        self._contents[path] = _Content(data, modified or time.time())

    def _content(self, path: str) -> _Content:
        content = self._contents.get(check_path(path))
        if content is None:
            raise PathNotFound(path)
        return content

    def _below(self, path: str) -> list[str]:
        prefix = path + "/"
        return [found for found in self._contents if found.startswith(prefix)]


@implementer(IWriter)
class _MemoryWriter:
    """Open until it says so; it *holds* its path until that is replaced or deleted, too."""

    def __init__(self, driver: MemoryDriver, path: str, before: bytes) -> None:
        self._driver = driver
        self._path = path
        self._data = bytearray(before)
        self.state = b""
        self._open = True

    @property
    def size(self) -> int:
        return len(self._data)

    async def write(self, data: bytes) -> None:
        self._check_open()
        self._data += data

    async def read(self) -> AsyncIterator[bytes]:
        self._check_open()
        stream = BytesIO(bytes(self._data))
        while piece := stream.read(_PIECE):
            yield piece

    async def commit(self, destination: str | None = None, then: Sequence[tuple[str, bytes]] = ()) -> None:
        self._check_open()
        for path in (destination or self._path, *(path for path, _ in then)):
            check_path(path)
        kept = self._finish()
        if destination is not None:
            if not kept:
                raise PathNotFound(self._path)
            await self._driver.move(self._path, destination)
        await self._driver.put_contents(then)

    async def close(self) -> None:
        self._finish()

    async def cancel(self) -> None:
        if self._finish():
            await self._driver.delete(self._path)

    def _check_open(self) -> None:
        if not self._open:
            raise StorageError(f"the writer of {self._path} is closed")

    def _finish(self) -> bool:
        """Close; whether the path was held, and now has what was written."""
        held = self._open and self._driver._writing.get(self._path) is self
        self._open = False
        if held:
            self._driver._put(self._path, bytes(self._data))
        return held
