"""
The database: connections, transactions and locks. What is here blocks, and is called in threads.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import FileIO
from sqlite3 import Connection
from typing import Concatenate, ParamSpec, TypeVar

from attrs import frozen
from zope.interface import implementer

from dregistry.storage import ILock, StorageFull, StorageUnavailable, WriterBusy

from ._tables import SCHEMA, Pieces

P = ParamSpec("P")
T = TypeVar("T")

_PRAGMAS = """
PRAGMA foreign_keys = ON;
PRAGMA synchronous = FULL; -- with a write-ahead log: a transaction that has ended survives a power cut
PRAGMA journal_size_limit = 67108864;
"""
_BUSY_TIMEOUT = 60.0
"""Seconds to wait for the transactions of others, which are short."""
_IDLE = 8
"""Connections to keep for later. An open read has one of its own."""


@implementer(ILock)
@frozen
class ByteLock:
    """
    One byte of a file, locked until the file is closed: at the latest when the process ends. It belongs to the open
    file, not to the process, so that it excludes others in this process as well.
    """

    _file: FileIO

    def release(self) -> None:
        self._file.close()


class Database:
    """:raise OSError: if it cannot be opened."""

    def __init__(self, filename: str, max_size: int) -> None:
        self._filename = filename
        self._max_size = max_size
        self._idle: list[Connection] = []
        lock = self.lock(0, filename, wait=True)  # of processes that start at once, one makes the tables
        try:
            with self._connection() as db:
                db.execute("PRAGMA page_size = 16384")  # of a new one: blobs are large
                db.execute("PRAGMA journal_mode = WAL")
                db.executescript(SCHEMA)
        except StorageUnavailable as error:
            raise OSError(error.reason) from error
        finally:
            lock.release()

    def ask(self, call: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What ``call`` returns for a connection and ``args``, of the database as it is at one time."""
        with self._connection() as db:
            db.execute("BEGIN")
            return call(db, *args, **kwargs)

    def snapshot(self, call: Callable[Concatenate[Connection, P], Pieces], *args: P.args, **kwargs: P.kwargs) -> Pieces:
        """The pieces that ``call`` gives, of the database as it is when the first one is asked for."""
        with self._connection() as db:
            db.execute("BEGIN")
            yield from call(db, *args, **kwargs)

    @contextmanager
    def transaction(self, path: str) -> Iterator[Connection]:
        """
        All that is changed inside, durably and at once when it ends; nothing if there is an exception.

        :param path: for the report.
        """
        with self._connection(path) as db:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.commit()

    def lock(self, number: int, path: str, wait: bool = False) -> ByteLock:
        """
        The lock of that number, among all who share the database.

        :param path: for the report.
        :param wait: until nobody else has it.
        :raise WriterBusy: if somebody has it, unless ``wait``.
        """
        file = FileIO(f"{self._filename}-lock", "a")
        command = fcntl.F_OFD_SETLKW if wait else fcntl.F_OFD_SETLK
        try:
            fcntl.fcntl(file, command, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0))
        except BlockingIOError:
            file.close()
            raise WriterBusy(path) from None
        return ByteLock(file)

    @contextmanager
    def _connection(self, path: str = "") -> Iterator[Connection]:
        """
        A connection for one use. A transaction that is still open at the end is rolled back.

        :raise StorageFull: if SQLite says so inside.
        :raise StorageUnavailable: if it says anything else.
        """
        try:
            try:
                db = self._idle.pop()
            except IndexError:
                db = self._connect()
            try:
                yield db
            finally:
                db.rollback()
                if len(self._idle) < _IDLE:
                    self._idle.append(db)
                else:
                    db.close()
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
                raise StorageFull(path) from error
            raise StorageUnavailable(f"{self._filename}: {error}") from error

    def _connect(self) -> Connection:
        db = sqlite3.connect(self._filename, _BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
        db.executescript(_PRAGMAS)
        if self._max_size:
            [page_size] = db.execute("PRAGMA page_size").fetchone()
            db.execute(f"PRAGMA max_page_count = {max(1, self._max_size // page_size)}")
        return db
