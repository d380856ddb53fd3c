"""
Events in the order in which they were committed. Calls block: one thread makes them.

Their numbers have no gaps, and only the oldest are ever removed.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from itertools import chain

from attrs import field, frozen

from ._database import Database
from .event import Record, complete

_INSERT = "INSERT INTO events(time, action, media_type, kind, content) VALUES "
_ROWS = 200
"""Events that are written by one statement, when there are so many."""

Version = tuple[int, int]
"""Differs from an earlier one when anything was written in between."""


@frozen
class Wanted:
    """What an endpoint is to have: all events but those of such media types, actions or kinds of target."""

    media_types: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()

    def __call__(self, action: str, media_type: str, kind: str) -> bool:
        return action not in self.actions and media_type not in self.media_types and kind not in self.kinds

    def condition(self) -> tuple[str, list[str]]:
        """The same in SQL, and the values of its placeholders."""
        parts, values = ["1"], list[str]()
        for column, names in (("action", self.actions), ("media_type", self.media_types), ("kind", self.kinds)):
            if names:
                parts.append(f"{column} NOT IN ({', '.join('?' * len(names))})")
                values += sorted(names)
        return " AND ".join(parts), values


@frozen
class Stored:
    """
    An event of the outbox.

    :ivar id: its place in the order of all; later events have greater ones.
    :ivar time: when it took place, in nanoseconds since the epoch.
    """

    id: int
    time: int
    _kept: str = field(repr=False)

    @property
    def content(self) -> str:
        """Its JSON."""
        return complete(self.id, self.time, self._kept)


class Events:
    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, records: Sequence[Record]) -> None:
        """Add events at the end, all or none."""
        with self._database.transaction():
            for start in range(0, len(records), _ROWS):
                self._insert(records[start : start + _ROWS])

    def _insert(self, records: Sequence[Record]) -> None:
        """By as few statements as there can be: Python switches threads at each."""
        size = _ROWS if len(records) == _ROWS else 1
        query = _INSERT + ", ".join(["(?, ?, ?, ?, ?)"] * size)
        for start in range(0, len(records), size):
            self._database.change(query, *chain.from_iterable(records[start : start + size]))

    def bounds(self) -> tuple[int, int]:
        """The first event that is there and the last one that was made; when none is there, the first is after it."""
        [[last]] = self._database.rows("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'events'")
        [[first]] = self._database.rows("SELECT coalesce(min(id), ? + 1) FROM events", last)
        return first, last

    def version(self) -> Version:
        [[version]] = self._database.rows("PRAGMA data_version")
        return version, self.bounds()[1]

    def page(self, after: int, limit: int, most_characters: int) -> list[Stored]:
        """The events after that one, ``limit`` at most, and none once there are so many characters."""
        found, size = list[Stored](), 0
        query = "SELECT id, time, content FROM events WHERE id > ? ORDER BY id LIMIT ?"
        with closing(self._database.each(query, after, limit)) as rows:
            for row in rows:
                found.append(Stored(*row))
                size += len(row[2])
                if size >= most_characters:
                    break
        return found

    def first_wanted(self, after: int, wanted: Wanted) -> Stored | None:
        """The first event after that one that is wanted."""
        condition, values = wanted.condition()
        query = f"SELECT id, time, content FROM events WHERE id > ? AND {condition} ORDER BY id LIMIT 1"  # noqa: S608
        rows = self._database.rows(query, after, *values)
        return Stored(*rows[0]) if rows else None

    def count(self, after: int, last: int, wanted: Wanted) -> int:
        """How many are wanted of those after the one and up to the other."""
        condition, values = wanted.condition()
        query = f"SELECT count(*) FROM events WHERE id > ? AND id <= ? AND {condition}"  # noqa: S608
        [[number]] = self._database.rows(query, after, last, *values)
        return int(number)

    def last_before(self, time: int) -> int:
        """The last event older than that, in nanoseconds since the epoch; the one before the first if none is."""
        first, last = self.bounds()
        low, high = first - 1, last  # clocks are set now and then, but not so that it would matter
        while low < high:
            middle = (low + high + 1) // 2
            row = self._database.rows("SELECT time FROM events WHERE id = ?", middle)
            if not row or row[0][0] < time:  # or removed meanwhile
                low = middle
            else:
                high = middle - 1
        return low
