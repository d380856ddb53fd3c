"""
Writers, and what they share with readers.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from sqlite3 import Connection
from threading import Lock

from zope.interface import implementer

from dregistry.storage import IWriter, PathNotFound, StorageError, Threads, check_path

from . import _tables as tables
from ._database import ByteLock, Database


async def in_threads(threads: Threads, pieces: tables.Pieces) -> AsyncIterator[bytes]:
    """What a generator of blocking calls yields."""
    try:
        while piece := await threads.run(next, pieces, b""):
            yield piece
    finally:
        with suppress(ValueError):  # a thread that nobody waits for is in it: it is closed when that comes out
            pieces.close()


@implementer(IWriter)
class SqliteWriter:
    """
    Appends to the content of an id, whose lock it holds. If that is deleted, what it writes goes nowhere.

    Whoever waited for a call may give up while a thread still makes it; the next call waits for that.
    """

    state = b""  # whoever goes on finds everything by the path

    def __init__(self, database: Database, threads: Threads, path: str, id: int, size: int, lock: ByteLock) -> None:
        self.size = size
        self._database = database
        self._threads = threads
        self._path = path
        self._id = id
        self._lock: ByteLock | None = lock
        self._using = Lock()

    async def write(self, data: bytes) -> None:
        await self._threads.run(self._write, data)

    def _write(self, data: bytes) -> None:
        with self._using:
            self._check_open()
            with self._database.transaction(self._path) as db:
                if tables.is_there(db, self._id):
                    tables.append(db, self._id, self.size, data)
            self.size += len(data)

    def read(self) -> AsyncIterator[bytes]:
        return in_threads(self._threads, self._database.snapshot(self._pieces))

    def _pieces(self, db: Connection) -> tables.Pieces:
        with self._using:
            self._check_open()
        if not tables.is_there(db, self._id):
            raise PathNotFound(self._path)
        return tables.pieces(db, self._id, 0, self.size)

    async def commit(self, destination: str | None = None, then: Sequence[tuple[str, bytes]] = ()) -> None:
        for path in (destination or self._path, *(path for path, _ in then)):
            check_path(path)
        await self._threads.run(self._commit, destination, then)

    def _commit(self, destination: str | None, then: Sequence[tuple[str, bytes]]) -> None:
        with self._using:
            self._check_open()
            try:
                with self._database.transaction(self._path) as db:
                    if tables.is_there(db, self._id):
                        tables.move(db, self._id, destination or self._path)
                        tables.put(db, then)
                    elif destination is not None:
                        raise PathNotFound(self._path)
            finally:
                self._release()

    async def close(self) -> None:
        """Each write was durable."""
        await self._threads.run(self._close)

    def _close(self) -> None:
        with self._using:
            self._release()

    async def cancel(self) -> None:
        await self._threads.run(self._cancel)

    def _cancel(self) -> None:
        with self._using:
            if self._lock is not None:
                try:
                    with self._database.transaction(self._path) as db:
                        tables.remove(db, self._id)
                finally:
                    self._release()

    def _check_open(self) -> None:
        if self._lock is None:
            raise StorageError(f"the writer of {self._path} is closed")

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
