"""Tests of :mod:`dregistry._balance`: which of several processes takes a connection."""

from __future__ import annotations

import os
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IReadDescriptor
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dregistry._balance import WAIT, Gate, Loads


class Reactor(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        if reader in self.readers:
            self.readers.remove(reader)


class Queue:
    """Connections that wait, as all ports of the one socket see them."""

    def __init__(self, waiting: int) -> None:
        self.waiting = waiting


class Port:
    """Accepts as Twisted's does: as many at once as its attribute says, which it raises."""

    def __init__(self, queue: Queue, accepted: Any) -> None:
        self.numberAccepts = 100
        self._queue = queue
        self._accepted = accepted

    def fileno(self) -> int:
        return 9

    def doRead(self) -> None:
        for _ in range(self.numberAccepts):
            if not self._queue.waiting:
                return
            self._queue.waiting -= 1
            self._accepted()
        self.numberAccepts += 20


class Process:
    def __init__(self, queue: Queue, loads: Loads, number: int) -> None:
        self.count = 0
        self.reactor = Reactor()
        self.port = Port(queue, self._accepted)
        self.gate = Gate(self.reactor, self.port, loads, number)
        self._loads, self._number = loads, number
        self.reactor.addReader(self.port)
        loads.put(number, 0)
        self.gate.start()

    def _accepted(self) -> None:
        self.count += 1
        self._loads.put(self._number, self.count)

    def wake(self) -> None:
        for reader in list(self.reactor.readers):
            reader.doRead()


class BalanceTests(SynchronousTestCase):
    def processes(self, number: int, waiting: int) -> tuple[Queue, Loads, list[Process]]:
        queue, loads = Queue(waiting), Loads.create(number)
        self.addCleanup(os.close, loads.fileno())
        return queue, loads, [Process(queue, loads, each) for each in range(number)]

    def test_interface(self) -> None:
        _, _, [process] = self.processes(1, 0)
        verifyObject(IReadDescriptor, process.gate)
        self.assertEqual((process.gate.fileno(), process.reactor.readers), (9, [process.gate]))

    def test_one_at_a_time(self) -> None:
        queue, _, [process] = self.processes(1, 3)
        process.wake()
        self.assertEqual((process.count, queue.waiting), (1, 2))

    @given(st.lists(st.integers(0, 2), max_size=200))
    def test_evenly(self, order: list[int]) -> None:
        """Whoever is awake most often."""
        queue, loads, processes = Queue(1000), Loads.create(3), []
        try:
            processes = [Process(queue, loads, each) for each in range(3)]
            for number in order:
                processes[number].wake()
            counts = [process.count for process in processes]
            assert max(counts) - min(counts) <= 1
        finally:
            os.close(loads.fileno())

    def test_one_that_does_not_come(self) -> None:
        """It may be busy; nobody waits longer for it than a moment."""
        queue, _, [first, second] = self.processes(2, 3)
        first.wake()
        for expected in (2, 3):
            first.wake()
            self.assertEqual((first.count, first.reactor.readers), (expected - 1, []))
            first.reactor.advance(WAIT)
            first.wake()
            self.assertEqual(first.count, expected)
        self.assertEqual((second.count, queue.waiting), (0, 0))

    def test_one_that_is_gone(self) -> None:
        """It is not waited for at all, until it is back."""
        _, loads, [first, _] = self.processes(2, 10)
        loads.leave(1)
        for expected in (1, 2, 3):
            first.wake()
            self.assertEqual(first.count, expected)
        loads.put(1, 0)
        first.wake()
        self.assertEqual(first.count, 3)

    def test_shared(self) -> None:
        """The memory is the same for whoever has the descriptor."""
        loads = Loads.create(2)
        self.addCleanup(os.close, loads.fileno())
        loads.put(0, 5)
        loads.put(1, 6)
        self.assertEqual([Loads(loads.fileno()).has_fewest(each) for each in (0, 1)], [True, False])

    def test_stop(self) -> None:
        _, _, [first, second] = self.processes(2, 3)
        first.wake()
        first.wake()
        for process in (first, second):  # one of them waits
            process.gate.stop()
            process.reactor.advance(1)
            self.assertEqual(process.reactor.readers, [])
