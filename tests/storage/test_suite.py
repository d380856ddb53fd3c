"""Tests of :class:`dregistry.testing.StorageDriverSuite`: what does not keep to the contract does not pass it."""

from __future__ import annotations

import unittest
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase, TestCase

from dregistry.storage import PathNotFound
from dregistry.storage.memory import MemoryDriver
from dregistry.testing import StorageDriverSuite


def failures(base: type, driver: Any) -> set[str]:
    """The names of the tests that do not pass."""

    class Case(StorageDriverSuite, base):  # type: ignore[misc]
        def make_driver(self) -> Any:
            return driver()

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert result.testsRun > 50
    return {case.id().rpartition(".")[2] for case, _ in result.failures + result.errors}


class Hasty(MemoryDriver):
    """A reader sees what changes under it, and the failure comes too early."""

    def read(self, path, offset=0, length=None):
        self._content(path)

        async def pieces():
            position = offset
            while piece := self._content(path).data[position : position + 1000]:
                position += len(piece)
                yield piece

        return pieces()


class Shared(MemoryDriver):
    """Two writers at once."""

    async def writer(self, path, *args, **kwargs):
        self._writing.clear()
        return await super().writer(path, *args, **kwargs)


class Unordered(MemoryDriver):
    async def children(self, path, after="", limit=None):
        return sorted(await super().children(path, after, limit), key=str.lower)


class Forgetful(MemoryDriver):
    async def delete(self, path):
        try:
            await super().delete(path)
        except PathNotFound:
            return


class Lax(MemoryDriver):
    """It takes any path."""

    async def stat(self, path):
        return await super().stat(path) if path.isascii() else None


class Incomplete(MemoryDriver):
    stats = None


class SuiteTests(SynchronousTestCase):
    def test_a_good_driver_passes(self) -> None:
        self.assertEqual(failures(TestCase, MemoryDriver), set())

    def test_it_may_take_time_to_make(self) -> None:
        async def make() -> MemoryDriver:
            return MemoryDriver()

        self.assertEqual(failures(TestCase, make), set())
        self.assertEqual(failures(TestCase, lambda: Deferred.fromCoroutine(make())), set())
        self.assertEqual(failures(TestCase, lambda: succeed(MemoryDriver())), set())

    def test_bad_drivers_do_not(self) -> None:
        for driver, expected in (
            (Hasty, "test_read_nothing"),
            (Hasty, "test_read_what_is_deleted"),
            (Hasty, "test_read_what_is_put_anew"),
            (Shared, "test_one_writer_at_a_time"),
            (Unordered, "test_children_in_order"),
            (Forgetful, "test_delete_nothing"),
            (Lax, "test_invalid_paths"),
            (Incomplete, "test_interfaces"),
        ):
            self.assertIn(expected, failures(TestCase, driver))

    def test_bases_that_do_not_wait(self) -> None:
        """Nothing passes unseen."""
        for base in (SynchronousTestCase, unittest.TestCase):
            self.assertIn("test_interfaces", failures(base, Incomplete))
            self.assertIn("test_delete_nothing", failures(base, Forgetful))
