"""
What is looked at each second, and what threads keep calls waiting.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sized
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from .families import CONNECTIONS, CPU, POOL_BUSY, POOL_QUEUE, POOL_WAIT, REACTOR_LAG
from .recorder import Histogram, Recorder

PERIOD = 1.0
"""Seconds."""

_T = TypeVar("_T")


@frozen
class MeasuredThreads:
    """:class:`dregistry._threads.PooledThreads` that observes how long calls wait."""

    reactor: Any
    pool: ThreadPool
    waits: Histogram

    def run(self, call: Callable[..., _T], *args: Any) -> Awaitable[_T]:
        asked = time.perf_counter()
        began: list[float] = []

        def timed() -> _T:
            began.append(time.perf_counter())
            return call(*args)

        def observe(outcome: Any) -> Any:
            if began:
                self.waits.observe(began[0] - asked)
            return outcome

        return deferToThreadPool(self.reactor, self.pool, timed).addBoth(observe)


def measured_threads(reactor: Any, pool: ThreadPool, recorder: Recorder) -> MeasuredThreads:
    return MeasuredThreads(reactor, pool, recorder.histogram(POOL_WAIT, str(pool.name)))


class Sampler:
    """
    :param connections: those that are open.
    """

    def __init__(self, recorder: Recorder, clock: Any, pools: Mapping[str, ThreadPool], connections: Sized) -> None:
        self._clock = clock
        self._connections = connections
        self._lag = recorder.histogram(REACTOR_LAG)
        self._cpu = recorder.counter(CPU)
        self._open = recorder.counter(CONNECTIONS)
        self._pools = [
            (pool, recorder.counter(POOL_QUEUE, name), recorder.counter(POOL_BUSY, name))
            for name, pool in pools.items()
        ]
        self._used = 0.0
        self._due = 0.0
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        self._look()
        self._schedule()

    def stop(self) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _schedule(self) -> None:
        self._due = self._clock.seconds() + PERIOD
        self._next = self._clock.callLater(PERIOD, self._tick)

    def _tick(self) -> None:
        self._lag.observe(max(0.0, self._clock.seconds() - self._due))
        self._look()
        self._schedule()

    def _look(self) -> None:
        used = time.process_time()
        self._cpu.add(used - self._used)
        self._used = used
        self._open.set(len(self._connections))
        for pool, waiting, busy in self._pools:
            statistics = pool._team.statistics()
            waiting.set(statistics.backloggedWorkCount)
            busy.set(statistics.busyWorkerCount)
