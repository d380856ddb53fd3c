"""Tests of :mod:`dregistry.metrics._memory`: processes that come and go, as the one that reads sees them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.metrics import _memory
from dregistry.metrics._memory import SEATS, Reading, SharedMemory
from dregistry.metrics.families import AUTH_FAILURES, CONNECTIONS, COUNTED, HTTP_DURATION, STORAGE_CACHE
from dregistry.metrics.recorder import Recorder

PROGRAM = """
import sys
from dregistry.metrics._memory import SharedMemory
from dregistry.metrics.families import AUTH_FAILURES, CONNECTIONS
from dregistry.metrics.recorder import Recorder
recorder = Recorder(SharedMemory(int(sys.argv[1])).sit_down())
for line in sys.stdin:
    recorder.counter(AUTH_FAILURES, "denied").add(float(line))
    recorder.counter(CONNECTIONS).set(7)
    recorder.publish({"said": float(line)})
    print("done", flush=True)
"""


class Process:
    """Another process, that counts what it is told to."""

    def __init__(self, descriptor: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(descriptor)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[descriptor],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self.pid = self._process.pid

    def count(self, number: float) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{number}\n".encode())
        self._process.stdin.flush()
        assert self._process.stdout.readline() == b"done\n"

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
            for each in (self._process.stdin, self._process.stdout):
                assert each is not None
                each.close()


def total(readings: list[Reading]) -> float:
    return sum(each.values[0] for one in readings for each in one.series if each.family == AUTH_FAILURES)


class SharedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.memory = SharedMemory.create()
        assert self.memory.descriptor is not None
        self.descriptor = self.memory.descriptor
        self.addCleanup(os.close, self.descriptor)

    def process(self) -> Process:
        found = Process(self.descriptor)
        self.addCleanup(found.kill)
        return found

    def test_nobody(self) -> None:
        self.assertEqual(self.memory.read(), [])

    def test_killed(self) -> None:
        """What a process counted stays, and the next one goes on with it; gauges and what it said of itself go."""
        first, second = self.process(), self.process()
        first.count(1)
        second.count(10)
        self.assertEqual(total(self.memory.read()), 11)
        self.assertEqual({each.pid for each in self.memory.read()}, {first.pid, second.pid})
        first.kill()
        readings = self.memory.read()
        self.assertEqual(total(readings), 11)
        gone, alive = sorted(readings, key=lambda each: each.pid or 0)
        self.assertEqual((gone.pid, gone.state, alive.pid, alive.state), (None, {}, second.pid, {"said": 10}))
        self.assertNotIn(CONNECTIONS, {each.family for each in gone.series})
        third = self.process()
        third.count(100)
        self.assertEqual(total(self.memory.read()), 111)
        self.assertEqual(len(self.memory.read()), 2)

    def test_own_seat(self) -> None:
        seat = self.memory.sit_down()
        Recorder(seat).publish({"role": "supervisor"})
        self.assertEqual(
            [(each.pid, each.state) for each in self.memory.read()], [(os.getpid(), {"role": "supervisor"})]
        )
        other = self.process()
        other.count(1)
        self.assertEqual([each.pid for each in self.memory.read()], [os.getpid(), other.pid])

    def test_another_version(self) -> None:
        """It begins anew: the numbers of the one before might be of something else."""
        self.process().count(1)
        self.doCleanups()
        self.setUp()
        first = self.process()
        first.count(5)
        first.kill()
        self.patch(_memory, "VERSION", _memory.VERSION ^ 2)
        self.assertEqual([each.series for each in self.memory.read()], [()])
        recorder = Recorder(self.memory.sit_down())
        recorder.counter(AUTH_FAILURES, "denied").add(2)
        self.assertEqual(total(self.memory.read()), 2)

    def test_no_seat(self) -> None:
        """One too many counts, and nobody sees it."""
        self.patch(SharedMemory, "_lock", lambda *_: False)
        recorder = Recorder(self.memory.sit_down())
        recorder.counter(AUTH_FAILURES, "denied").add()
        self.assertEqual(self.memory.read(), [])

    def test_seats_suffice(self) -> None:
        """Of workers of a large machine, each beside one that replaces it."""
        self.assertGreaterEqual(SEATS, 2 * 24 + 3)


class SeatTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.memory = SharedMemory()
        self.recorder = Recorder(self.memory.sit_down())

    def read(self) -> Reading:
        [found] = self.memory.read()
        return found

    def test_labels(self) -> None:
        """Whatever is in them."""
        labels = ["", "a\nb", '"', "é", "\u2028", "a\x1cb"]
        for number, label in enumerate(labels):
            self.recorder.counter(STORAGE_CACHE, label).add(number)
        self.assertEqual(
            {each.labels[0]: each.values[0] for each in self.read().series},
            {label: number for number, label in enumerate(labels)},
        )

    def test_full(self) -> None:
        """What finds no room is not shown, and does not disturb what is there."""
        self.recorder.counter(AUTH_FAILURES, "denied").add(3)
        for number in range(20_000):
            self.recorder.histogram(HTTP_DURATION, "h", str(number)).observe(1)
        series = self.read().series
        self.assertEqual(series[0].values, [3])
        self.assertLess(len(series), 20_000)
        self.assertEqual({sum(each.values[:-1]) for each in series[1:]}, {1})

    def test_many_keys(self) -> None:
        for number in range(2000):
            self.recorder.counter(STORAGE_CACHE, f"{number:01000d}").add()
        self.assertEqual({tuple(each.values) for each in self.read().series}, {(1.0,)})

    def test_state(self) -> None:
        """One that is too large is as if nothing had been said; one that is being written cannot be read yet."""
        self.recorder.publish({"a": 1})
        self.recorder.publish({"a": "x" * 20_000})
        self.assertEqual(self.read().state, {"a": 1})
        seat: Any = self.recorder._seat
        seat._head[2] = 3
        self.assertEqual(self.read().state, {})

    @given(st.lists(st.tuples(st.sampled_from(COUNTED), st.integers(0, 3), st.floats(0, 100)), max_size=60))
    @settings(max_examples=50, deadline=None)
    def test_as_a_table(self, steps: list[tuple[Any, int, float]]) -> None:
        """Whatever is added to what, each time series has what was added to it."""
        memory = SharedMemory()
        recorder = Recorder(memory.sit_down())
        expected: dict[tuple[str, str], float] = {}
        for family, number, amount in steps:
            labels = tuple(str(number) for _ in family.labels)
            if family.kind == "histogram":
                recorder.histogram(family, *labels).observe(amount)
            else:
                recorder.counter(family, *labels).add(amount)
            key = (family.name, json.dumps(labels))
            expected[key] = expected.get(key, 0.0) + amount
        [reading] = memory.read()
        found = {(each.family.name, json.dumps(each.labels)): each.values[-1] for each in reading.series}
        self.assertEqual(found, expected)
