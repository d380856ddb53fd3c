"""
The ``filesystem`` driver: content in files below ``rootdirectory``, as distribution's driver lays them out.

What is small and likely in the page cache (link files, manifests) is read on the calling thread: a hop to another
thread costs more than the read. Everything that waits for a disk (fsync, large reads and writes, listings) runs in
the threads that the core hands in.

Content is written to a temporary file beside its place, brought to the disk and renamed, as
:mod:`dregistry.storage._durability` says. A crash leaves at most a temporary name (``.<name>.<random>~``) that no
reader sees.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from heapq import nsmallest
from stat import S_ISDIR
from typing import BinaryIO

from attrs import frozen
from zope.interface import implementer

from ._abilities import IDirectorySearch, ILocalFiles, ILock, ILocking
from ._directories import search_directories
from ._durability import Durability, durability_of
from ._file_writer import FileWriter
from ._files import create_locked, is_temporary, lock_directory, move, open_locked, read_whole, remove, replace
from ._interfaces import (
    FileInfo,
    InvalidOffset,
    IStorageDriver,
    IWriter,
    PathNotFound,
    StorageUnavailable,
    Threads,
)
from ._local_tree import LocalTree, attend, keep_out
from ._os_errors import translated, translation
from ._path import check_path
from ._walking import IAttendance, IRenewing, IWalking, Tree

_PIECE = 1 << 20
_SMALL = 1 << 16
"""Bytes that are written on the calling thread: into the page cache, faster than a hop."""
_FEW = 64
"""Files that are looked at on the calling thread; some microseconds each."""


@frozen
class FilesystemOptions:
    """
    :ivar rootdirectory: where the ``docker`` folder is or will be.
    :ivar maxthreads: the most threads that wait for the disk at one time; at least 25, as in distribution.
    """

    rootdirectory: str = "/var/lib/registry"
    maxthreads: int = 100


@implementer(IStorageDriver, ILocalFiles, ILocking, IDirectorySearch, IWalking, IRenewing, IAttendance)
class FilesystemDriver:
    name = "filesystem"

    """
    :param root: the directory that holds everything; made when something is written.
    :param durability: how content is made safe; None for what the file system of ``root`` allows.
    """

    def __init__(self, root: str, threads: Threads, durability: Durability | None = None) -> None:
        self._root = os.path.abspath(root)
        self._threads = threads
        self._durability = durability or durability_of(self._root)

    def _at(self, path: str) -> str:
        return self._root + check_path(path)

    async def get_content(self, path: str) -> bytes:
        return self._get_content(path)

    async def get_contents(self, paths: Sequence[str]) -> list[bytes | None]:
        for path in paths:
            check_path(path)
        return await self._threads.run(self._get_contents, paths)

    def _get_contents(self, paths: Sequence[str]) -> list[bytes | None]:
        found: list[bytes | None] = []
        for path in paths:
            try:
                found.append(self._get_content(path))
            except PathNotFound:
                found.append(None)
        return found

    def _get_content(self, path: str) -> bytes:
        try:
            return read_whole(self._at(path))
        except OSError as error:
            raise translation(path, error) from None

    def open_local(self, path: str) -> BinaryIO:
        with translated(path):
            return open(self._at(path), "rb", buffering=0)

    def tree(self) -> Tree:
        return LocalTree(self._root)

    def renew(self, path: str) -> None:
        with suppress(OSError):
            os.utime(self._at(path))

    def attend(self) -> ILock | None:
        return attend(self._root)

    def keep_out(self) -> ILock | None:
        return keep_out(self._root)

    async def put_content(self, path: str, content: bytes, durable: bool = True) -> None:
        target = self._at(path)
        if durable or len(content) > _SMALL:
            await self._threads.run(self._put_content, path, target, content, durable)
        else:
            self._put_content(path, target, content, durable)

    def _put_content(self, path: str, target: str, content: bytes, durable: bool) -> None:
        with translated(path, absent=()):
            replace([(target, content)], self._durability if durable else None)

    async def put_contents(self, contents: Sequence[tuple[str, bytes]]) -> None:
        if contents:
            await self._threads.run(
                self._put_contents, contents[0][0], [(self._at(path), content) for path, content in contents]
            )

    def _put_contents(self, path: str, contents: Sequence[tuple[str, bytes]]) -> None:
        with translated(path, absent=()):
            replace(contents, self._durability)

    async def read(self, path: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        with self.open_local(path) as file:
            size = os.fstat(file.fileno()).st_size
            if offset > size:
                raise InvalidOffset(path, offset)
            end = size if length is None else min(size, offset + length)
            while offset < end:
                count = min(_PIECE, end - offset)
                if count <= _SMALL:
                    piece = _piece(path, file, count, offset)
                else:
                    piece = await self._threads.run(_piece, path, file, count, offset)
                if not piece:
                    raise StorageUnavailable(f"{path} ends at {offset}, not at {end}")
                offset += len(piece)
                yield piece

    async def stat(self, path: str) -> FileInfo:
        return self._stat(path)

    async def stats(self, paths: Sequence[str]) -> list[FileInfo | None]:
        return self._stats(paths) if len(paths) <= _FEW else await self._threads.run(self._stats, paths)

    def _stats(self, paths: Sequence[str]) -> list[FileInfo | None]:
        found: list[FileInfo | None] = []
        for path in paths:
            try:
                found.append(self._stat(path))
            except PathNotFound:
                found.append(None)
        return found

    def _stat(self, path: str) -> FileInfo:
        try:
            found = os.stat(self._at(path))
        except OSError as error:
            raise translation(path, error) from None
        directory = S_ISDIR(found.st_mode)
        return FileInfo(path, 0 if directory else found.st_size, directory, found.st_mtime)

    async def children(self, path: str, after: str = "", limit: int | None = None) -> list[str]:
        return await self._threads.run(_children, path, self._at(path), after, limit)

    async def find_directories(self, path: str, child: str, after: str, limit: int) -> list[str]:
        return await self._threads.run(_find_directories, path, self._at(path), child, after, limit)

    async def writer(
        self, path: str, state: bytes = b"", create: bool = False, destination: str | None = None
    ) -> IWriter:
        target = self._at(path)
        changed: list[str] = []
        if create:
            with translated(path, absent=()):
                descriptor, changed = create_locked(target)
        else:
            with translated(path):
                descriptor = open_locked(target)
        return FileWriter(self._root, path, descriptor, changed, self._threads, self._durability)

    async def written(self, path: str, state: bytes = b"") -> int:
        found = self._stat(path)
        if found.is_dir:
            raise PathNotFound(path)
        return found.size

    async def move(self, source: str, destination: str) -> None:
        await self._threads.run(self._move, source, self._at(source), self._at(destination))

    def _move(self, source: str, source_at: str, destination_at: str) -> None:
        with translated(source):
            descriptor = open_locked(source_at)
        try:
            with translated(source, absent=(FileNotFoundError,)):
                move(source_at, destination_at)
        finally:
            os.close(descriptor)

    async def lock(self, path: str) -> ILock:
        return await self._threads.run(_lock, path, self._at(path))

    async def delete(self, path: str) -> None:
        await self._threads.run(self._delete, path, self._at(path))

    def _delete(self, path: str, target: str) -> None:
        with translated(path):
            remove(target, self._root)


@implementer(ILock)
@frozen
class _Lock:
    descriptor: int

    def release(self) -> None:
        os.close(self.descriptor)


def _lock(path: str, target: str) -> _Lock:
    with translated(path, absent=()):
        return _Lock(lock_directory(target))


def _piece(path: str, file: BinaryIO, count: int, offset: int) -> bytes:
    with translated(path):
        return os.pread(file.fileno(), count, offset)


def _find_directories(path: str, target: str, child: str, after: str, limit: int) -> list[str]:
    with translated(path):
        return search_directories(target, child, after, limit)


def _children(path: str, target: str, after: str, limit: int | None) -> list[str]:
    with translated(path), os.scandir(target) as entries:
        names = (entry.name for entry in entries if entry.name > after and not is_temporary(entry.name))
        return sorted(names) if limit is None else nsmallest(limit, names)
