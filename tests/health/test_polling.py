"""Tests of :mod:`dregistry.health.polling` and of the state that it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from dregistry.health import REASON, Health
from dregistry.health.polling import PATIENCE, Check, Polling


class Probe:
    """Does as it is told, each time that it is called."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.calls = 0
        self.hanging: Deferred[None] | None = None

    async def __call__(self) -> None:
        self.calls += 1
        if self.hanging is not None:
            await self.hanging
        if self.fault is not None:
            raise ValueError(self.fault)


class PollingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.probe = Probe()
        self.health = Health()
        self.clock = Clock()

    def poll(self, interval: float = 10.0, threshold: int = 1) -> Polling:
        polling = Polling([Check("it", self.probe, interval, threshold)], self.health, self.clock)
        polling.start()
        return polling

    def levels(self) -> list[str]:
        return [event["log_level"].name for event in self.events]


class ThresholdTests(PollingCase):
    def test_first(self) -> None:
        """At once: what begins ill is never well."""
        self.probe.fault = "broken"
        self.poll()
        self.assertEqual(self.health.failing, {"it": "broken"})
        self.assertEqual(self.health.unready, REASON)
        self.assertEqual(self.levels(), ["error"])

    def test_in_a_row(self) -> None:
        """One that passes in between begins the count anew."""
        self.poll(threshold=3)
        for fault in ("a", "b", None, "c", "d"):
            self.probe.fault = fault
            self.clock.advance(10)
            self.assertEqual(self.health.failing, {})
        self.probe.fault = "e"
        self.clock.advance(10)
        self.assertEqual(self.health.failing, {"it": "e"})
        self.probe.fault = "f"
        self.clock.advance(10)
        self.assertEqual(self.health.failing, {"it": "f"})
        self.probe.fault = None
        self.clock.advance(10)
        self.assertEqual((self.health.failing, self.health.unready), ({}, None))
        self.assertEqual(self.levels(), ["warn", "warn", "error", "info"])

    def test_zero(self) -> None:
        """A threshold of 0 is one of 1, and an interval of 0 the default."""
        self.probe.fault = "broken"
        self.poll(interval=0, threshold=0)
        self.assertEqual(self.health.failing, {"it": "broken"})
        self.clock.advance(9.9)
        self.assertEqual(self.probe.calls, 1)
        self.clock.advance(0.2)
        self.assertEqual(self.probe.calls, 2)

    def test_long_texts(self) -> None:
        self.probe.fault = "x" * 10_000
        self.poll()
        self.assertLess(len(self.health.failing["it"]), 500)

    def test_several(self) -> None:
        """One that passes does not hide one that fails."""
        other = Probe()
        other.fault = "no"
        Polling([Check("a", self.probe), Check("b", other)], self.health, self.clock).start()
        self.assertEqual(self.health.failing, {"b": "no"})


class HangingTests(PollingCase):
    def test_no_answer(self) -> None:
        """It counts as a failure after a while; no second one is begun meanwhile."""
        self.probe.hanging = Deferred()
        self.poll(interval=1)
        self.clock.pump([1] * int(PATIENCE - 1))
        self.assertEqual(self.health.failing, {})
        self.clock.advance(1)
        self.assertEqual(self.health.failing, {"it": "no answer for 10 seconds"})
        self.clock.pump([1] * 50)
        self.assertEqual((self.probe.calls, self.health.failing), (1, {"it": "no answer for 60 seconds"}))
        hanging, self.probe.hanging = self.probe.hanging, None
        hanging.callback(None)
        self.assertEqual(self.health.failing, {})
        self.clock.advance(1)
        self.assertEqual(self.probe.calls, 2)

    def test_slow(self) -> None:
        """An interval that is longer is how long it may take."""
        self.probe.hanging = Deferred()
        self.poll(interval=60)
        self.clock.advance(59)
        self.assertEqual(self.health.failing, {})
        self.clock.advance(1)
        self.assertEqual(list(self.health.failing), ["it"])

    def test_stop(self) -> None:
        """Nothing more is looked at, and what was under way has no effect."""
        hanging = self.probe.hanging = Deferred()
        self.probe.fault = "broken"
        self.poll().stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        hanging.callback(None)
        self.assertEqual(self.health.failing, {})


class TellingTests(SynchronousTestCase):
    def test_changes(self) -> None:
        """Whoever watches hears of them once."""
        told: list[Mapping[str, Any]] = []
        health = Health()
        health.names = ["a", "b"]
        health.watch(told.append)
        health.update("a", "no")
        health.update("a", "no")
        health.update("b", None)
        health.drain()
        health.update("a", None)
        self.assertEqual(
            told,
            [
                {"draining": False, "checks": {"a": None, "b": None}},
                {"draining": False, "checks": {"a": "no", "b": None}},
                {"draining": True, "checks": {"a": "no", "b": None}},
                {"draining": True, "checks": {"a": None, "b": None}},
            ],
        )
