"""
A storage driver of dregistry that keeps all content in one SQLite database, which several processes may share.

Every call on SQLite is made in one of the context's threads: it may wait for the disk, or for others' transactions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from hashlib import sha256

from attrs import field, frozen, validators
from zope.interface import implementer

from dregistry.storage import FileInfo, ILock, ILocking, IStorageDriver, IWriter, PathNotFound, Threads, check_path

from . import _tables as tables
from ._database import Database
from ._writer import SqliteWriter, in_threads

_LOCKS = 1 << 62
"""Where the numbers of paths' locks begin, beyond the ids of content, whose numbers are those of writers' locks."""


@frozen
class SqliteOptions:
    """
    :ivar filename: of the database; it is made if there is none. Its directory must be there.
    :ivar maxsize: bytes that it may grow to; 0 for no limit.
    """

    filename: str = field(validator=validators.min_len(1))
    maxsize: int = field(default=0, validator=validators.ge(0))


@implementer(IStorageDriver, ILocking)
class SqliteDriver:
    """:raise OSError: if the database cannot be opened."""

    name = "sqlite"

    def __init__(self, options: SqliteOptions, threads: Threads) -> None:
        self._database = Database(options.filename, options.maxsize)
        self._threads = threads

    async def get_content(self, path: str) -> bytes:
        return await self._threads.run(self._database.ask, tables.get, path)

    async def get_contents(self, paths: Sequence[str]) -> list[bytes | None]:
        return await self._threads.run(self._database.ask, tables.each, tables.get, paths)

    async def put_content(self, path: str, content: bytes, durable: bool = True) -> None:
        await self.put_contents([(path, content)])

    async def put_contents(self, contents: Sequence[tuple[str, bytes]]) -> None:
        await self._threads.run(self._put, contents)

    def _put(self, contents: Sequence[tuple[str, bytes]]) -> None:
        with self._database.transaction(", ".join(path for path, _ in contents)) as db:
            tables.put(db, contents)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        return in_threads(self._threads, self._database.snapshot(tables.pieces_at, path, offset, length))

    async def stat(self, path: str) -> FileInfo:
        return await self._threads.run(self._database.ask, tables.stat, path)

    async def stats(self, paths: Sequence[str]) -> list[FileInfo | None]:
        return await self._threads.run(self._database.ask, tables.each, tables.stat, paths)

    async def children(self, path: str, after: str = "", limit: int | None = None) -> list[str]:
        return await self._threads.run(self._database.ask, tables.children, path, after, limit)

    async def writer(
        self, path: str, state: bytes = b"", create: bool = False, destination: str | None = None
    ) -> IWriter:
        return await self._threads.run(self._writer, path, create)

    def _writer(self, path: str, create: bool) -> SqliteWriter:
        with ExitStack() as failing:
            with self._database.transaction(path) as db:
                try:
                    id, size, _ = tables.find(db, path)
                except PathNotFound:
                    if not create:
                        raise
                    id, size = tables.create(db, path), 0
                lock = self._database.lock(id, path)
                failing.callback(lock.release)
            failing.pop_all()
        return SqliteWriter(self._database, self._threads, path, id, size, lock)

    async def written(self, path: str, state: bytes = b"") -> int:
        return await self._threads.run(self._database.ask, tables.size, path)

    async def move(self, source: str, destination: str) -> None:
        await self._threads.run(self._move, source, destination)

    def _move(self, source: str, destination: str) -> None:
        with self._database.transaction(source) as db:
            id, _, _ = tables.find(db, source)
            self._database.lock(id, source).release()  # nobody opens a writer before the transaction ends
            tables.move(db, id, destination)

    async def delete(self, path: str) -> None:
        await self._threads.run(self._delete, path)

    def _delete(self, path: str) -> None:
        with self._database.transaction(path) as db:
            tables.delete(db, path)

    async def lock(self, path: str) -> ILock:
        number = int.from_bytes(sha256(check_path(path).encode()).digest()[:7], "big")
        return await self._threads.run(self._database.lock, _LOCKS + number, path, True)
