"""
The outbox: one durable queue of events for all processes that serve a storage.

Every process has an :class:`Outbox` of its own on the same files. What one has written the others see at their next
look, and somebody who waits looks a few times a second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from ..storage import Threads
from ._database import Database, OutboxError
from ._events import Events, Stored, Version, Wanted
from ._positions import Counts, Next, Positions
from ._writer import EventWriter
from .event import Record

__all__ = ["Counts", "Database", "Next", "Outbox", "OutboxError", "Page", "Stored", "Tables", "Version", "Wanted"]

LOOK = 0.2
"""Seconds between looks for what other processes wrote."""
_PAGE_CHARACTERS = 4 << 20

_T = TypeVar("_T")


class Tables:
    """
    One connection to the outbox. All calls block.

    :param folder: see :class:`Database`.
    """

    def __init__(self, folder: str | None, durable: bool = True) -> None:
        self.database = Database(folder, durable)
        self.events = Events(self.database)
        self.positions = Positions(self.database, self.events)


@frozen
class Page:
    """
    :ivar skipped: how many events between the one asked for and the first of these are not kept any more.
    :ivar last: the last event that was made.
    """

    events: Sequence[Stored]
    skipped: int
    last: int


class Outbox:
    """
    :param tables: for what is written, by the one thread of ``threads``.
    :param reading: another connection and thread, so that nothing waits for those who read much; None for the same.
    """

    def __init__(
        self, tables: Tables, threads: Threads, clock: Any, reading: tuple[Tables, Threads] | None = None
    ) -> None:
        self._tables = tables
        self._threads = threads
        self._reading, self._reading_threads = reading or (tables, threads)
        self._writer = EventWriter(lambda records: threads.run(tables.events.append, records), clock)
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._looking = False
        self._waiting: list[tuple[Version, Deferred[None]]] = []

    def add(self, record: Record) -> Awaitable[None]:
        """Write an event; see :meth:`EventWriter.add`."""
        return self._writer.add(record)

    def add_soon(self, record: Record) -> Awaitable[None]:
        """Write an event a moment later; see :meth:`EventWriter.add_soon`."""
        return self._writer.add_soon(record)

    async def change(self, call: Callable[[Tables], _T]) -> _T:
        """Make a call that may write, in the thread for that."""
        return await self._threads.run(call, self._tables)

    async def read(self, call: Callable[[Tables], _T]) -> _T:
        """Make a call that only reads."""
        return await self._reading_threads.run(call, self._reading)

    async def page(self, after: int | None, limit: int) -> Page:
        """
        The events after that one, ``limit`` of them at most.

        :param after: None to begin with the oldest.
        """

        def read(tables: Tables) -> Page:
            first, last = tables.events.bounds()
            start = first - 1 if after is None else after
            events = tables.events.page(start, limit, _PAGE_CHARACTERS)
            skipped = events[0].id - 1 - start if events else max(0, first - 1 - start)
            return Page(events, skipped, last)

        return await self.read(read)

    async def version(self) -> Version:
        """What :meth:`changed` compares with."""
        return await self.read(lambda tables: tables.events.version())

    def changed(self, version: Version) -> Deferred[None]:
        """Fires when the outbox is seen to have another version. It can be cancelled."""
        waiter: Deferred[None] = Deferred(self._forget)
        self._waiting.append((version, waiter))
        self._look_later()
        return waiter

    def _forget(self, waiter: Deferred[None]) -> None:
        self._waiting = [each for each in self._waiting if each[1] is not waiter]
        if not self._waiting:
            self._stop_looking()

    def _look_later(self) -> None:
        if self._waiting and self._timer is None and not self._looking:
            self._timer = self._clock.callLater(LOOK, self._look)

    def _stop_looking(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _look(self) -> None:
        self._timer = None
        self._looking = True
        Deferred.fromCoroutine(self._wake()).addErrback(lambda _: None)  # whoever waits will ask, and be told

    async def _wake(self) -> None:
        try:
            version = await self.version()
        finally:
            self._looking = False
            self._look_later()
        ready = [waiter for seen, waiter in self._waiting if seen != version]
        self._waiting = [each for each in self._waiting if each[0] == version]
        if not self._waiting:
            self._stop_looking()
        for waiter in ready:
            waiter.callback(None)

    async def close(self) -> None:
        """Write what is still to be written, and close the files. Nothing is asked of it any more."""
        await self._writer.flush()
        self._stop_looking()
        await self._threads.run(self._tables.database.close)
        if self._reading is not self._tables:
            await self._reading_threads.run(self._reading.database.close)
