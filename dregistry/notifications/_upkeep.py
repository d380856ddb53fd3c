"""
The outbox's bounds: events that are of no use any more, or too many, or too old, are removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from .outbox import Outbox, Tables, Wanted

_INTERVAL = 5.0
_NANOSECONDS = 10**9

_log = Logger()


@frozen
class Bounds:
    """
    :ivar most: events that are kept at most.
    :ivar age: seconds after which an event is removed, delivered or not.
    :ivar keep: seconds for which an event is kept when all endpoints have it.
    """

    most: int = 1_000_000
    age: float = 7 * 86_400.0
    keep: float = 86_400.0


class Upkeep:
    """
    :param endpoints: what each is to have.
    """

    def __init__(self, outbox: Outbox, endpoints: Mapping[str, Wanted], bounds: Bounds, clock: Any) -> None:
        self._outbox = outbox
        self._endpoints = endpoints
        self._bounds = bounds
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._work: Deferred[None] | None = None
        self._stopping = False

    def start(self) -> None:
        self._timer = None
        self._work = Deferred.fromCoroutine(self._run())

    async def stop(self) -> None:
        self._stopping = True
        if self._timer is not None:
            self._timer.cancel()
        if self._work is not None:
            await self._work

    async def _run(self) -> None:
        try:
            await self.tidy()
        except Exception:
            _log.failure("the outbox cannot be tidied up")
        if not self._stopping:
            self._timer = self._clock.callLater(_INTERVAL, self.start)

    async def tidy(self) -> None:
        """Remove what is to go now. What an endpoint has not got by then it will not get."""
        now = int(self._clock.seconds() * _NANOSECONDS)
        dead = await self._outbox.change(lambda tables: self._remove(tables, now))
        for name, count in dead.items():
            _log.error("endpoint {name}: {count} events are given up, as too old or too many", name=name, count=count)

    def _remove(self, tables: Tables, now: int) -> dict[str, int]:
        def before(age: float) -> int:
            return tables.events.last_before(now - int(age * _NANOSECONDS))

        first, last = tables.events.bounds()
        if first > last:
            return {}
        positions = [tables.positions.get(name) for name in self._endpoints]
        done = min([before(self._bounds.keep), *positions])
        through = max(done, before(self._bounds.age), last - self._bounds.most)
        return tables.positions.remove_through(through, self._endpoints, lambda: not self._stopping)
