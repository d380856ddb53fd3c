"""
The tables, and what is done to them: functions of a connection, whose transaction the caller begins and ends.

Content is a row with a key made of its path, and rows of pieces of at most 1 MiB. To move it is to change its key.
Directories are what the keys imply.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from sqlite3 import Connection
from typing import TypeAlias, TypeVar

from dregistry.storage import FileInfo, InvalidOffset, PathNotFound, check_path

SCHEMA = """
CREATE TABLE IF NOT EXISTS content (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- is not used again: who holds one never meets other content under it
    key TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    modified REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS piece (
    content INTEGER NOT NULL REFERENCES content ON DELETE CASCADE,
    start INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (content, start)
);
"""

Pieces: TypeAlias = Generator[bytes, None, None]
T = TypeVar("T")

_PIECE = 1 << 20
_BELOW, _AFTER = " ", "!"
"""Less than all characters of names, and the next: what is below a key is between the two."""


def _key(path: str) -> str:
    """A path such that keys sort as names do, level by level: ``a``, ``a/b``, ``a-b``."""
    return check_path(path).replace("/", _BELOW)


def find(db: Connection, path: str) -> tuple[int, int, float]:
    """
    The id, the size and the time of change of the content at ``path``.

    :raise PathNotFound:
    """
    query = "SELECT id, size, modified FROM content WHERE key = ?"
    row: tuple[int, int, float] | None = db.execute(query, (_key(path),)).fetchone()
    if row is None:
        raise PathNotFound(path)
    return row


def size(db: Connection, path: str) -> int:
    _, found, _ = find(db, path)
    return found


def is_there(db: Connection, id: int) -> bool:
    return db.execute("SELECT 1 FROM content WHERE id = ?", (id,)).fetchone() is not None


def get(db: Connection, path: str) -> bytes:
    return b"".join(pieces_at(db, path))


def pieces_at(db: Connection, path: str, offset: int = 0, length: int | None = None) -> Pieces:
    id, size, _ = find(db, path)
    if offset > size:
        raise InvalidOffset(path, offset)
    return pieces(db, id, offset, size if length is None else min(offset + length, size))


def pieces(db: Connection, id: int, offset: int, end: int) -> Pieces:
    """The bytes of a content from ``offset`` to ``end``."""
    query = """
        SELECT start, data FROM piece WHERE content = ?1 AND start < ?3
        AND start >= (SELECT max(start) FROM piece WHERE content = ?1 AND start <= ?2) ORDER BY start
    """
    if offset < end:
        for start, data in db.execute(query, (id, offset, end)):
            yield data[max(0, offset - start) : end - start]


def stat(db: Connection, path: str) -> FileInfo:
    try:
        _, size, modified = find(db, path)
    except PathNotFound:
        if _first(db, path, "") is None:
            raise
        return FileInfo(path, 0, True)
    return FileInfo(path, size, False, modified)


def children(db: Connection, path: str, after: str, limit: int | None) -> list[str]:
    """One look into the index of keys for each name, however much is below it."""
    names: list[str] = []
    while limit is None or len(names) < limit:
        name = _first(db, path, names[-1] if names else after)
        if name is None:
            break
        names.append(name)
    if not names and _first(db, path, "") is None:
        raise PathNotFound(path)
    return names


def _first(db: Connection, path: str, after: str) -> str | None:
    """The first name below ``path`` that sorts after ``after``."""
    folder = _key(path) + _BELOW
    query = "SELECT min(key) FROM content WHERE key >= ? AND key < ?"
    [key] = db.execute(query, (folder + after + _AFTER, _key(path) + _AFTER)).fetchone()
    return None if key is None else str(key)[len(folder) :].partition(_BELOW)[0]


def each(db: Connection, call: Callable[[Connection, str], T], paths: Sequence[str]) -> list[T | None]:
    """What ``call`` returns for each path, None where nothing is."""
    found: list[T | None] = []
    for path in paths:
        try:
            found.append(call(db, path))
        except PathNotFound:
            found.append(None)
    return found


def put(db: Connection, contents: Sequence[tuple[str, bytes]]) -> None:
    for path, data in contents:
        db.execute("DELETE FROM content WHERE key = ?", (_key(path),))
        append(db, create(db, path), 0, data)


def create(db: Connection, path: str) -> int:
    """The id of a new content, where none is."""
    query = "INSERT INTO content (key, size, modified) VALUES (?, 0, ?) RETURNING id"
    [id] = db.execute(query, (_key(path), time.time())).fetchone()
    return int(id)


def append(db: Connection, id: int, size: int, data: bytes) -> None:
    """:param size: of the content before."""
    rows = ((id, size + at, data[at : at + _PIECE]) for at in range(0, len(data), _PIECE))
    db.executemany("INSERT INTO piece (content, start, data) VALUES (?, ?, ?)", rows)
    db.execute("UPDATE content SET size = ?, modified = ? WHERE id = ?", (size + len(data), time.time(), id))


def move(db: Connection, id: int, destination: str) -> None:
    key = _key(destination)
    db.execute("DELETE FROM content WHERE key = ? AND id <> ?", (key, id))
    db.execute("UPDATE content SET key = ? WHERE id = ?", (key, id))


def delete(db: Connection, path: str) -> None:
    """What is at ``path``, and all below it."""
    key = _key(path)
    if not db.execute("DELETE FROM content WHERE key >= ? AND key < ?", (key, key + _AFTER)).rowcount:
        raise PathNotFound(path)


def remove(db: Connection, id: int) -> None:
    """A content, if it is there."""
    db.execute("DELETE FROM content WHERE id = ?", (id,))
