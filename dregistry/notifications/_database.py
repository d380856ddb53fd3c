"""
The outbox's database.

Writers of several processes take turns by a lock file. SQLite's own way, to sleep and try again, makes some of them
wait for ten times as long.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_FILE = "outbox.db"
_LOCK = "outbox.lock"
_VERSION = 1
_PAGE = 8192
"""Bytes: of larger pages events waste less."""
_SCHEMA = f"""
CREATE TABLE events(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    time INTEGER NOT NULL,
    action TEXT NOT NULL,
    media_type TEXT NOT NULL,
    kind TEXT NOT NULL,
    content TEXT NOT NULL
);
CREATE TABLE endpoints(
    name TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    successes INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    errors INTEGER NOT NULL DEFAULT 0,
    dead_letters INTEGER NOT NULL DEFAULT 0,
    statuses TEXT NOT NULL DEFAULT '{{}}'
) WITHOUT ROWID;
PRAGMA user_version = {_VERSION};
"""


class OutboxError(Exception):
    """The outbox cannot be opened, read or written."""


class Database:
    """
    :param folder: where the files are, made if need be; None for memory, to end with the process.
    :param durable: whether what is written here survives a power cut, not only the end of the process.
    :raise OutboxError: if it cannot be opened, or was made by another version.
    """

    def __init__(self, folder: str | None, durable: bool = True) -> None:
        self._lock: int | None = None
        try:
            path = ":memory:" if folder is None else self._open_folder(folder)
            self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
            with self._turn():
                self._connection.execute(f"PRAGMA page_size = {_PAGE}")
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
                self._connection.execute("PRAGMA journal_size_limit = 16777216")
                self._make_tables()
        except (OSError, sqlite3.Error) as error:
            self.close()
            raise OutboxError(f"cannot open the outbox in {folder}: {error}") from None

    @staticmethod
    def exists(folder: str) -> bool:
        """Whether there is one: opening one makes it."""
        return os.path.exists(os.path.join(folder, _FILE))

    def _open_folder(self, folder: str) -> str:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self._lock = os.open(os.path.join(folder, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        return os.path.join(folder, _FILE)

    def _make_tables(self) -> None:
        [[version]] = self._connection.execute("PRAGMA user_version")
        if version == 0:
            self._connection.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        elif version != _VERSION:
            raise sqlite3.Error(f"it has version {version}, this is {_VERSION}")

    def close(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if self._lock is None:
            yield
            return
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """
        All that is changed inside, or nothing of it.

        :raise OutboxError: if it cannot be written.
        """
        with self._turn():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                self._roll_back()
                raise OutboxError(str(error)) from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def rows(self, query: str, *values: Any) -> list[Any]:
        """What a query finds."""
        return self._connection.execute(query, values).fetchall()

    def each(self, query: str, *values: Any) -> sqlite3.Cursor:
        """The same row by row; the caller closes it."""
        return self._connection.execute(query, values)

    def change(self, query: str, *values: Any) -> None:
        """Within a transaction."""
        self._connection.execute(query, values)
