"""Tests of :mod:`dregistry.maintenance._ahead`."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from dregistry.maintenance._ahead import _LONGEST, _PATIENCE, _SHORTEST, ahead, together
from dregistry.storage._local_tree import LocalTree

from ..storage.support import temporary_directory

MANY = 2 * _LONGEST


class Waiting:
    """A tree whose every n-th call waits, by the count of calls; none if n is 0."""

    concurrency = 4

    def __init__(self, every: int) -> None:
        self.every = every
        self.calls = 0
        self.threads: list[bool] = []

    def waits(self) -> int:
        return self.calls // self.every if self.every else 0

    def call(self, number: int) -> int:
        self.calls += 1
        here = threading.current_thread() is threading.main_thread()
        self.threads.append(not here)
        return number * 2


class AheadTests(SynchronousTestCase):
    def results(self, tree: Any, count: int = MANY) -> list[int]:
        return list(ahead(tree, tree.call, range(count)))

    def test_no_waits(self) -> None:
        tree = Waiting(0)
        self.assertEqual(self.results(tree), [2 * number for number in range(MANY)])
        self.assertEqual(set(tree.threads), {False})

    def test_waits(self) -> None:
        """One call is made here, then more and more together."""
        tree = Waiting(1)
        self.assertEqual(self.results(tree), [2 * number for number in range(MANY)])
        here = [number for number, thread in enumerate(tree.threads) if not thread]
        self.assertEqual(here, [0, 1, 2, 3, 20, 53, 118, 247, 504, 1017])

    def test_waits_now_and_then(self) -> None:
        """Threads would take longer than the few waits."""
        tree = Waiting(2)
        self.assertEqual(self.results(tree), [2 * number for number in range(MANY)])
        self.assertEqual(set(tree.threads), {False})

    def test_waits_no_more(self) -> None:
        tree = Waiting(1)
        results = ahead(tree, tree.call, range(MANY))  # type: ignore[arg-type]
        for _ in range(_PATIENCE + _SHORTEST):
            next(results)
        tree.every = 0
        self.assertEqual(len(list(results)), MANY - _PATIENCE - _SHORTEST)
        self.assertEqual(tree.threads.count(True), _SHORTEST)

    def test_nothing(self) -> None:
        for tree in (Waiting(0), Waiting(1)):
            self.assertEqual(self.results(tree, 0), [])

    def test_one_at_a_time(self) -> None:
        tree = Waiting(1)
        tree.concurrency = 1
        self.results(tree)
        self.assertEqual(set(tree.threads), {False})

    def test_failure(self) -> None:
        """It comes in its turn, and ends the work."""
        tree = Waiting(1)
        seen = []

        def call(number: int) -> int:
            if number == 20:
                raise ValueError
            return tree.call(number)

        with self.assertRaises(ValueError):
            for result in ahead(tree, call, range(MANY)):  # type: ignore[arg-type]
                seen.append(result)
        self.assertEqual(seen, [2 * number for number in range(20)])
        self.assertLess(tree.calls, 40)

    def test_not_far_ahead(self) -> None:
        taken = 0

        def numbers() -> Iterator[int]:
            nonlocal taken
            for number in range(MANY):
                taken = number + 1
                yield number

        tree = Waiting(1)
        for number, _ in enumerate(ahead(tree, tree.call, numbers())):  # type: ignore[arg-type]
            self.assertLessEqual(taken, number + 1 + 2 * tree.concurrency)

    def test_given_up(self) -> None:
        tree = Waiting(1)
        results = ahead(tree, tree.call, range(MANY))  # type: ignore[arg-type]
        for _ in range(3):
            next(results)
        results.close()  # type: ignore[attr-defined]
        self.assertLess(tree.calls, 20)


class TogetherTests(SynchronousTestCase):
    def test_order(self) -> None:
        for at_once in (1, 3):
            self.assertEqual(list(together(str, range(100), at_once)), [str(number) for number in range(100)])

    def test_really(self) -> None:
        """Two calls that wait for each other."""
        barrier = threading.Barrier(2, timeout=30)
        self.assertEqual(len(list(together(lambda _: barrier.wait(), range(2), 2))), 2)


class CountTests(SynchronousTestCase):
    def test_files(self) -> None:
        """What the kernel counts does not grow with calls; where it does not count, every call is taken to wait."""
        for kind, grows in (("ext4", False), ("xfs", False), ("nfs4", True), ("fuse.sshfs", True), ("", True)):
            with mock.patch("dregistry.storage._local_tree.file_system_of", return_value=kind):
                tree = LocalTree(temporary_directory(self))
            tree.names("/")
            before = tree.waits()
            tree.names("/")
            self.assertEqual(tree.waits() > before, grows, kind)
