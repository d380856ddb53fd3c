"""
What a process that serves watches of itself: health checks, and metrics where a debug server shows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import evolve
from twisted.python.threadpool import ThreadPool

from ._threads import PooledThreads
from .backends import Setup
from .health import Health
from .health.section import has_checks
from .registry import Descriptors
from .storage import IStorageDriver, Threads
from .web import Api, RegistrySite

if TYPE_CHECKING:
    from .health.polling import Polling
    from .metrics.recorder import Recorder
    from .metrics.sampling import Sampler
    from .metrics.serving import Metrics


class Observation:
    """
    :ivar health: of this process.
    :param recorder: counts, and tells the debug server of the process; None if there is none.
    """

    def __init__(self, setup: Setup, reactor: Any, recorder: Recorder | None) -> None:
        self.health = Health()
        self._setup = setup
        self._reactor = reactor
        self._recorder = recorder
        self._metrics: Metrics | None = None
        self._polling: Polling | None = None
        self._sampler: Sampler | None = None
        if recorder is not None and setup.exposes_metrics:
            from .metrics.serving import Metrics

            self._metrics = Metrics(recorder, reactor)

    def threads(self, pool: ThreadPool) -> Threads:
        """Runs calls in a pool."""
        return PooledThreads(self._reactor, pool) if self._metrics is None else self._metrics.threads(pool)

    def driver(self, driver: IStorageDriver) -> IStorageDriver:
        """The driver that is to be used in place of one that is to be watched."""
        config = self._setup.config
        if self._metrics is not None:
            driver = self._metrics.driver(driver, config.storage.driver)
        if has_checks(config):
            from .health.checks import build_checks
            from .health.polling import Polling

            threads = PooledThreads(self._reactor, self._reactor.getThreadPool())
            self._polling = Polling(build_checks(config, driver, threads, self._reactor), self.health, self._reactor)
        return driver

    def descriptors(self, descriptors: Descriptors | None) -> Descriptors | None:
        """A cache that is to be watched."""
        if descriptors is not None and self._metrics is not None:
            self._metrics.watch(descriptors)
        return descriptors

    def api(self, api: Api) -> Api:
        """What is to be served in place of something that is to be watched."""
        return evolve(api, health=self.health, metrics=None if self._metrics is None else self._metrics.http)

    def start(self, site: RegistrySite) -> None:
        """The process serves."""
        recorder = self._recorder
        if recorder is not None:
            self.health.watch(lambda state: recorder.publish({"role": "worker", **state}))
        if self._polling is not None:
            self._polling.start()
        if self._metrics is not None:
            self._sampler = self._metrics.sampler(site.connections)
            self._sampler.start()

    def stop(self) -> None:
        """Nothing is under way any more."""
        if self._polling is not None:
            self._polling.stop()
        if self._sampler is not None:
            self._sampler.stop()
