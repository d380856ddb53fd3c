"""
What is known of the delivery of events: it is all in the outbox.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol

from attrs import frozen

from ..notifications._events import Wanted
from ..notifications._positions import Counts
from ..notifications.outbox import Tables
from ..notifications.statistics import Configured, describe, wanted_by
from .families import DEAD_LETTERS, EVENTS, OLDEST_PENDING, OUTBOX_EVENTS, PENDING, STATUSES, Family

Found = tuple[Family, tuple[str, ...], float]
"""A time series that has one value."""


class Readable(Protocol):
    """:class:`dregistry.notifications.outbox.Outbox`, as far as it is needed."""

    def read(self, call: Callable[[Tables], Any]) -> Awaitable[Any]: ...


@frozen
class _Endpoint:
    configured: Configured
    counts: Counts
    oldest: float


@frozen
class OutboxFigures:
    """
    :ivar events: how many the outbox holds.
    """

    events: int
    endpoints: Sequence[_Endpoint]

    def describe(self) -> list[dict[str, Any]]:
        """As distribution's ``/debug/vars`` has it."""
        return [describe(each.configured, each.counts) for each in self.endpoints]

    def series(self) -> Iterator[Found]:
        yield OUTBOX_EVENTS, (), self.events
        for each in self.endpoints:
            name, counts = each.configured.settings.name, each.counts
            total = counts.pending + counts.successes + counts.dead_letters
            yield EVENTS, ("Events", name), total
            yield EVENTS, ("Successes", name), counts.successes
            yield EVENTS, ("Failures", name), counts.failures
            yield EVENTS, ("Errors", name), counts.errors
            yield PENDING, (name,), counts.pending
            yield DEAD_LETTERS, (name,), counts.dead_letters
            yield OLDEST_PENDING, (name,), each.oldest
            for status, number in counts.statuses.items():
                yield STATUSES, (status, name), number


async def read_figures(outbox: Readable, endpoints: Sequence[Configured]) -> OutboxFigures:
    """:raise OutboxError: if it cannot be read."""

    def read(tables: Tables) -> OutboxFigures:
        first, last = tables.events.bounds()
        found = []
        for each in endpoints:
            wanted = wanted_by(each.endpoint)
            counts = tables.positions.counts(each.settings.name, wanted)
            oldest = _oldest(tables, each.settings.name, wanted) if counts.pending else 0.0
            found.append(_Endpoint(each, counts, oldest))
        return OutboxFigures(last - first + 1, found)

    figures: OutboxFigures = await outbox.read(read)
    return figures


def _oldest(tables: Tables, name: str, wanted: Wanted) -> float:
    event = tables.events.first_wanted(tables.positions.get(name), wanted)
    return 0.0 if event is None else max(0.0, time.time() - event.time / 1e9)
