"""Tests of :mod:`dregistry.metrics.sampling`."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import Clock
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import SynchronousTestCase, TestCase

from dregistry.metrics.families import CONNECTIONS, CPU, POOL_BUSY, POOL_QUEUE, POOL_WAIT, REACTOR_LAG
from dregistry.metrics.sampling import Sampler, measured_threads

from .support import Counted


class SamplerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.counted = Counted()
        self.clock = Clock()
        self.connections: list[int] = []
        self.sampler = Sampler(self.counted.recorder, self.clock, {}, self.connections)
        self.sampler.start()

    def test_lag(self) -> None:
        """How much later than asked for the event loop came to it."""
        self.clock.advance(1)
        self.clock.advance(1.3)
        values = self.counted.values(REACTOR_LAG)[()]
        self.assertEqual(values[0], 1)
        self.assertEqual(values[REACTOR_LAG.bounds.index(0.5)], 1)
        self.assertAlmostEqual(values[-1], 0.3)

    def test_connections(self) -> None:
        self.connections += [1, 2]
        self.clock.advance(1)
        self.assertEqual(self.counted.value(CONNECTIONS), 2)

    def test_processor_time(self) -> None:
        """It only grows, also in a process that comes after another."""
        before = self.counted.value(CPU)
        self.assertGreater(before, 0)
        Sampler(self.counted.recorder, self.clock, {}, []).start()
        self.assertGreaterEqual(self.counted.value(CPU), 2 * before)

    def test_stop(self) -> None:
        self.sampler.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])


class ThreadTests(TestCase):
    @inlineCallbacks
    def test_queue(self) -> Any:
        """One thread at work, calls that wait for it, and how long. Twisted's private names are what they were."""
        from twisted.internet import reactor

        counted = Counted()
        pool = ThreadPool(0, 1, "storage")
        pool.start()
        self.addCleanup(pool.stop)
        threads = measured_threads(reactor, pool, counted.recorder)
        sampler = Sampler(counted.recorder, Clock(), {"storage": pool}, [])
        begun, go_on = threading.Event(), threading.Event()

        def first() -> int:
            begun.set()
            go_on.wait(20)
            return 1

        results = [threads.run(first)]
        begun.wait(20)
        results += [threads.run(lambda number: number, 2), threads.run(lambda: 1 / 0)]
        results[2].addErrback(lambda failure: failure.trap(ZeroDivisionError))
        sampler.start()
        self.assertEqual(counted.value(POOL_BUSY, "storage"), 1)
        self.assertEqual(counted.value(POOL_QUEUE, "storage"), 2)
        go_on.set()
        self.assertEqual((yield results[0]), 1)
        self.assertEqual((yield results[1]), 2)
        self.assertIs((yield results[2]), ZeroDivisionError)
        self.assertEqual(counted.value(POOL_WAIT, "storage"), 3)
        sampler.stop()
