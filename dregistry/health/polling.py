"""
Checks now and then, and what becomes of a process's health by them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._state import Health

INTERVAL = 10.0
"""Seconds between two looks."""
PATIENCE = 10.0
"""Seconds after which a check that has no outcome yet counts as failed, if it is not due less often."""
_LONGEST_FAULT = 300

_log = Logger()


@frozen
class Check:
    """
    :ivar name: in ``/debug/health``.
    :ivar probe: raises if something is wrong; the text of the error says what.
    :ivar interval: seconds; 0 for :data:`INTERVAL`.
    :ivar threshold: failures in a row that count; 0 is as good as 1.
    """

    name: str
    probe: Callable[[], Awaitable[object]] = field(repr=False)
    interval: float = INTERVAL
    threshold: int = 1


class Polling:
    """All checks of a process."""

    def __init__(self, checks: Sequence[Check], health: Health, clock: Any) -> None:
        health.names = [check.name for check in checks]
        self._polls = [_Poll(check, health, clock) for check in checks]

    def start(self) -> None:
        for poll in self._polls:
            poll.look()

    def stop(self) -> None:
        """What is under way has no effect any more."""
        for poll in self._polls:
            poll.stop()


class _Poll:
    """
    One check. The next one does not begin before the last one has an outcome: threads that hang do not pile up.
    """

    def __init__(self, check: Check, health: Health, clock: Any) -> None:
        self._check = check
        self._health = health
        self._clock = clock
        self._interval = check.interval or INTERVAL
        self._failures = 0
        self._stopped = False
        self._began: float | None = None
        self._next: IDelayedCall | None = None

    def look(self) -> None:
        self._next = self._clock.callLater(self._interval, self.look)
        now = self._clock.seconds()
        if self._began is None:
            self._began = now
            Deferred.fromCoroutine(self._probe()).addCallbacks(lambda _: self._ended(None), self._failed)
        elif now - self._began >= max(PATIENCE, self._interval):
            self._update(f"no answer for {now - self._began:.0f} seconds")

    def stop(self) -> None:
        self._stopped = True
        if self._next is not None:
            self._next.cancel()

    async def _probe(self) -> None:
        await self._check.probe()

    def _failed(self, failure: Failure) -> None:
        self._ended(failure.getErrorMessage()[:_LONGEST_FAULT] or type(failure.value).__name__)

    def _ended(self, fault: str | None) -> None:
        self._began = None
        if not self._stopped:
            self._update(fault)

    def _update(self, fault: str | None) -> None:
        name, before = self._check.name, self._health.failing.get(self._check.name)
        self._failures = 0 if fault is None else self._failures + 1
        shown = fault if self._failures >= max(1, self._check.threshold) else None
        if shown is not None and before is None:
            _log.error("unhealthy: health check {name}: {fault}", name=name, fault=shown)
        elif fault is not None and self._failures == 1:
            _log.warn("health check {name}: {fault}", name=name, fault=fault)
        elif shown is None and before is not None:
            _log.info("health check {name} passes again", name=name)
        self._health.update(name, shown)
