"""
The filesystem driver's writer.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock

from zope.interface import implementer

from ._durability import Durability
from ._files import is_at, move_with, replace, write_all
from ._interfaces import IWriter, PathNotFound, StorageError, Threads
from ._os_errors import translated
from ._path import check_path

_PIECE = 1 << 20
_EARLY = 8 << 20
"""Bytes after which the disk begins to write, while more of them come."""
_SMALL = 1 << 16
"""Bytes that are written on the calling thread: into the page cache, faster than a hop."""


@implementer(IWriter)
class FileWriter:
    """
    An open file, locked: the lock ends with the file, so a killed process leaves none behind.

    Whoever waited for a write may give up while the thread still writes. So what ends the writer waits for that: the
    number of a closed descriptor may be another file's at once.
    """

    def __init__(
        self, root: str, path: str, descriptor: int, changed: list[str], threads: Threads, durability: Durability
    ) -> None:
        self._root = root
        self._path = path
        self._target = root + path
        self._descriptor = descriptor
        self._changed = changed
        self._threads = threads
        self._durability = durability
        self._using = Lock()
        self.size = os.fstat(descriptor).st_size
        self._on_its_way = self.size
        self.state = b""

    async def write(self, data: bytes) -> None:
        if len(data) <= _SMALL:
            self._write(data)
        else:
            await self._threads.run(self._write, data)

    def _write(self, data: bytes) -> None:
        with self._using, translated(self._path, absent=()):
            descriptor = self._opened()
            try:
                write_all(descriptor, data, self.size)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(descriptor, self.size)
                raise
            self.size += len(data)
            if self.size - self._on_its_way >= _EARLY:
                self._durability.begin(descriptor, self._on_its_way, self.size - self._on_its_way)
                self._on_its_way = self.size

    async def read(self) -> AsyncIterator[bytes]:
        offset = 0
        while offset < self.size:
            piece = await self._threads.run(self._read, offset)
            offset += len(piece)
            yield piece

    def _read(self, offset: int) -> bytes:
        with self._using, translated(self._path, absent=()):
            piece = os.pread(self._opened(), min(_PIECE, self.size - offset), offset)
        if not piece:
            raise StorageError(f"{self._path} ends at {offset}, not at {self.size}")
        return piece

    async def commit(self, destination: str | None = None, then: Sequence[tuple[str, bytes]] = ()) -> None:
        moved_to = None if destination is None else self._root + check_path(destination)
        contents = [(self._root + check_path(path), content) for path, content in then]
        await self._threads.run(self._commit, moved_to, contents)

    def _commit(self, moved_to: str | None, contents: Sequence[tuple[str, bytes]]) -> None:
        self._opened()
        self._finish(moved_to, contents)

    async def close(self) -> None:
        if self._descriptor >= 0:
            await self._threads.run(self._finish, None, ())

    def _finish(self, moved_to: str | None, contents: Sequence[tuple[str, bytes]]) -> None:
        """The lock is held until the end: nobody may write on while the file moves."""
        with self._closing() as descriptor:
            if descriptor < 0:
                return
            if os.fstat(descriptor).st_size != self.size:  # what a failed write left
                os.ftruncate(descriptor, self.size)
            if moved_to is not None:
                self._move(descriptor, moved_to, contents)
                return
            self._durability.contents([descriptor], ())
            self._durability.names(descriptor, self._changed)
            if contents:
                replace(contents, self._durability)

    def _move(self, descriptor: int, moved_to: str, contents: Sequence[tuple[str, bytes]]) -> None:
        if not is_at(descriptor, self._target):
            raise PathNotFound(self._path)
        with translated(self._path, absent=(FileNotFoundError,)):
            move_with(descriptor, self._target, moved_to, contents, self._durability)

    async def cancel(self) -> None:
        if self._descriptor >= 0:
            await self._threads.run(self._cancel)

    def _cancel(self) -> None:
        with self._closing() as descriptor, suppress(FileNotFoundError):
            if descriptor >= 0 and is_at(descriptor, self._target):
                os.unlink(self._target)

    def _opened(self) -> int:
        if self._descriptor < 0:
            raise StorageError(f"the writer of {self._path} is closed")
        return self._descriptor

    @contextmanager
    def _closing(self) -> Iterator[int]:
        """The descriptor, which is closed afterwards; -1 if it was before."""
        with self._using, translated(self._path, absent=()):
            descriptor, self._descriptor = self._descriptor, -1
            try:
                yield descriptor
            finally:
                if descriptor >= 0:
                    os.close(descriptor)
