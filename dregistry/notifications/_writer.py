"""
Events on their way into the outbox: those of one process that come at the same time are committed together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._database import OutboxError
from .event import Record

PAUSE = 0.25
"""Seconds for which an event that nobody waits for may lie in memory, to be written together with others."""
BATCH = 1000
"""Events that are written without a pause."""
MOST = 10_000
"""Events in memory beyond which whoever brings more waits; or, while they cannot be written, loses them."""
_RETRY = 1.0

_log = Logger()


class _Done:
    def __await__(self) -> Generator[Any, Any, None]:
        return
        yield


DONE = _Done()
"""To be awaited where there is nothing to wait for."""


class EventWriter:
    """
    :param append: writes events, all or none.
    """

    def __init__(self, append: Callable[[Sequence[Record]], Awaitable[None]], clock: Any) -> None:
        self._append = append
        self._clock = clock
        self._records: list[Record] = []
        self._waiting: list[Deferred[None]] = []
        self._writing = False
        self._flushing: Deferred[None] | None = None
        self._timer: IDelayedCall | None = None
        self._failing = False

    async def add(self, record: Record) -> None:
        """
        Return when it is written.

        :raise OutboxError: if it could not be; that is tried again as long as the process lives.
        """
        self._take(record)
        written: Deferred[None] = Deferred()
        self._waiting.append(written)
        if not self._failing:
            self._start()
        await written

    def add_soon(self, record: Record) -> Awaitable[None]:
        """Write it a moment later; as a rule there is nothing to wait for."""
        if len(self._records) >= MOST:
            return self.add(record)
        self._take(record)
        if len(self._records) >= BATCH and not self._failing:
            self._start()
        elif self._timer is None and not self._writing:
            self._timer = self._clock.callLater(PAUSE, self._start)
        return DONE

    def _take(self, record: Record) -> None:
        if self._failing and len(self._records) >= MOST:
            raise OutboxError("an event is lost: the outbox cannot be written, and as many as may wait do so")
        self._records.append(record)

    def _start(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        if not self._writing:
            self._writing = True
            Deferred.fromCoroutine(self._write_all()).addErrback(lambda failure: _log.failure("in the outbox", failure))

    async def _write_all(self) -> None:
        """Write what is there, and what comes meanwhile if somebody waits for it or it is much."""
        while self._records and not (await self._write_once()):
            if not (self._waiting or len(self._records) >= BATCH or self._flushing is not None):
                break
        self._writing = False
        flushing, self._flushing = self._flushing, None
        if flushing is not None:
            flushing.callback(None)
        elif self._records and self._timer is None:
            self._timer = self._clock.callLater(_RETRY if self._failing else PAUSE, self._start)

    async def _write_once(self) -> bool:
        """Write what is there; whether that failed."""
        records, self._records = self._records, []
        waiting, self._waiting = self._waiting, []
        failure = await self._write(records)
        for written in waiting:
            if failure is None:
                written.callback(None)
            else:
                written.errback(failure)
        return failure is not None

    async def _write(self, records: list[Record]) -> Failure | None:
        try:
            await self._append(records)
        except Exception as error:
            self._records[:0] = records
            if not self._failing:
                _log.failure("{count} events cannot be written, and will be tried again", count=len(records))
            self._failing = True
            return Failure(OutboxError(f"the event is not written yet: {error}"))
        if self._failing:
            self._failing = False
            _log.info("{count} events that could not be written are", count=len(records))
        return None

    async def flush(self) -> None:
        """Write all that is there, before the process ends."""
        if not self._records and not self._writing:
            return
        self._flushing = Deferred()
        flushed = self._flushing
        self._start()
        await flushed
        if self._records:
            _log.error("{count} events are lost: they could not be written", count=len(self._records))
