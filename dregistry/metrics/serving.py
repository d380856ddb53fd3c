"""
What a process that serves has to count.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Any

from twisted.python.threadpool import ThreadPool

from ..registry import Descriptors
from ..storage import IStorageDriver, Threads
from .families import STORAGE_CACHE
from .http import HttpMetrics
from .recorder import Recorder
from .sampling import Sampler, measured_threads
from .storage import MeasuredDriver


class Metrics:
    """
    :ivar http: of requests.
    """

    def __init__(self, recorder: Recorder, reactor: Any) -> None:
        self.http = HttpMetrics(recorder)
        self._recorder = recorder
        self._reactor = reactor
        self._pools: dict[str, ThreadPool] = {}

    def threads(self, pool: ThreadPool) -> Threads:
        """Runs calls in a pool."""
        self._pools[str(pool.name)] = pool
        return measured_threads(self._reactor, pool, self._recorder)

    def driver(self, driver: IStorageDriver, name: str) -> IStorageDriver:
        """
        The same, measured.

        :param name: as in the configuration.
        """
        measured: Any = MeasuredDriver(driver, self._recorder, name)
        return measured  # type: ignore[no-any-return]

    def watch(self, descriptors: Descriptors) -> None:
        """Count what is asked of a cache."""
        asked, hit, miss = (self._recorder.counter(STORAGE_CACHE, each) for each in ("Request", "Hit", "Miss"))

        def tell(known: bool) -> None:
            asked.add()
            (hit if known else miss).add()

        descriptors.watch(tell)

    def sampler(self, connections: Sized) -> Sampler:
        """Of all pools so far."""
        return Sampler(self._recorder, self._reactor, self._pools, connections)
