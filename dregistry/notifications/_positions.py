"""
How far each endpoint has got, and what became of what it was sent. Calls block: one thread makes them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from attrs import field, frozen

from ._database import Database, OutboxError
from ._events import Events, Stored, Wanted

_CHUNK = 1000
"""Events that are removed in one transaction; writers wait meanwhile."""


@frozen
class Next:
    """
    :ivar position: the event up to which the endpoint has everything.
    :ivar event: what it is to have next; None if there is nothing.
    """

    position: int
    event: Stored | None


@frozen
class Counts:
    """
    Of one endpoint, since it was first configured.

    :ivar pending: events that it is to have and has not got.
    :ivar failures: tries that it answered by refusing.
    :ivar errors: tries that it did not answer.
    :ivar dead_letters: events that were given up.
    :ivar statuses: answers, each with how often it came.
    """

    pending: int = 0
    successes: int = 0
    failures: int = 0
    errors: int = 0
    dead_letters: int = 0
    statuses: Mapping[str, int] = field(factory=dict)


class Positions:
    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events

    def register(self, names: Sequence[str]) -> None:
        """Have endpoints that are new begin with what comes from now on."""
        with self._database.transaction():
            last = self._events.bounds()[1]
            for name in names:
                self._database.change("INSERT OR IGNORE INTO endpoints(name, position) VALUES (?, ?)", name, last)

    def forget_others(self, names: Sequence[str]) -> None:
        """Drop endpoints that are not among those: should one come back, it is new."""
        with self._database.transaction():
            for [name] in self._database.rows("SELECT name FROM endpoints"):
                if name not in names:
                    self._database.change("DELETE FROM endpoints WHERE name = ?", name)

    def get(self, name: str) -> int:
        """
        The event up to which an endpoint has everything.

        :raise OutboxError: if there is no such endpoint.
        """
        rows = self._database.rows("SELECT position FROM endpoints WHERE name = ?", name)
        if not rows:
            raise OutboxError(f"the outbox knows no endpoint {name!r}")
        return int(rows[0][0])

    def next(self, name: str, wanted: Wanted) -> Next:
        """What an endpoint is to have next. It passes over what it is not to have."""
        last = self._events.bounds()[1]
        position = self.get(name)
        event = self._events.first_wanted(position, wanted)
        if event is None and position < last:
            with self._database.transaction():
                self._advance(name, position, last)
        return Next(position, event)

    def delivered(self, name: str, position: int, event: int, status: str) -> None:
        """An endpoint took an event. If its position was changed meanwhile, to send events again, that stays."""
        with self._database.transaction():
            self._count(name, "successes", status)
            self._advance(name, position, event)

    def failed(self, name: str, status: str | None) -> None:
        """An endpoint did not take an event: it said so by ``status``, or (None) did not answer."""
        with self._database.transaction():
            self._count(name, "errors" if status is None else "failures", status)

    def _advance(self, name: str, position: int, new: int) -> None:
        query = "UPDATE endpoints SET position = ? WHERE name = ? AND position = ?"
        self._database.change(query, new, name, position)

    def _count(self, name: str, column: str, status: str | None) -> None:
        self._database.change(f"UPDATE endpoints SET {column} = {column} + 1 WHERE name = ?", name)  # noqa: S608
        if status is None:
            return
        for [text] in self._database.rows("SELECT statuses FROM endpoints WHERE name = ?", name):
            statuses = json.loads(text)
            statuses[status] = statuses.get(status, 0) + 1
            self._database.change("UPDATE endpoints SET statuses = ? WHERE name = ?", json.dumps(statuses), name)

    def rewind(self, name: str, position: int) -> int:
        """
        Have an endpoint get the events after that one again, as far as they are still there.

        :return: the event after which it goes on now.
        :raise OutboxError: if there is no such endpoint.
        """
        with self._database.transaction():
            first = self._events.bounds()[0]
            position = min(max(position, first - 1), self.get(name))
            self._database.change("UPDATE endpoints SET position = ? WHERE name = ?", position, name)
        return position

    def counts(self, name: str, wanted: Wanted) -> Counts:
        query = "SELECT position, successes, failures, errors, dead_letters, statuses FROM endpoints WHERE name = ?"
        rows = self._database.rows(query, name)
        if not rows:
            return Counts()
        position, successes, failures, errors, dead_letters, statuses = rows[0]
        pending = self._events.count(position, self._events.bounds()[1], wanted)
        return Counts(pending, successes, failures, errors, dead_letters, json.loads(statuses))

    def remove_through(self, last: int, endpoints: Mapping[str, Wanted], go_on: Callable[[], bool]) -> dict[str, int]:
        """
        Remove the oldest events, up to that one.

        :param go_on: asked between transactions.
        :return: by the endpoint's name, how many of them it was to have and did not get: dead letters.
        """
        dead = dict.fromkeys(endpoints, 0)
        first = self._events.bounds()[0]
        while first <= last and go_on():
            end = min(last, first + _CHUNK - 1)
            with self._database.transaction():
                for name, wanted in endpoints.items():
                    dead[name] += self._give_up(name, wanted, end)
                self._database.change("DELETE FROM events WHERE id <= ?", end)
            first = end + 1
        return {name: number for name, number in dead.items() if number}

    def _give_up(self, name: str, wanted: Wanted, end: int) -> int:
        """Move an endpoint past events that are about to be removed."""
        position = self.get(name)
        if position >= end:
            return 0
        lost = self._events.count(position, end, wanted)
        query = "UPDATE endpoints SET position = ?, dead_letters = dead_letters + ? WHERE name = ?"
        self._database.change(query, end, lost, name)
        return lost
