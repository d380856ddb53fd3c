"""Tests of :mod:`dregistry.metrics.storage`: a driver that is measured is a driver, and its actions are seen."""

from __future__ import annotations

import os
import shutil
import tempfile

from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from dregistry.metrics.families import STORAGE_ACTION
from dregistry.metrics.storage import MeasuredDriver
from dregistry.storage import IDirectorySearch, ILocalFiles, IRedirecting, IStorageDriver, IWalking, PathNotFound
from dregistry.storage.memory import MemoryDriver
from dregistry.testing import (
    AttendanceSuite,
    DirectorySearchSuite,
    LocalFilesSuite,
    LockingSuite,
    RenewingSuite,
    StorageDriverSuite,
)

from ..storage.support import inline_driver, result_of
from .support import Counted


class MeasuredMemoryTests(StorageDriverSuite, TestCase):
    def make_driver(self) -> MeasuredDriver:
        return MeasuredDriver(MemoryDriver(), Counted().recorder, "inmemory")


class MeasuredFilesystemTests(
    StorageDriverSuite,
    LocalFilesSuite,
    LockingSuite,
    DirectorySearchSuite,
    RenewingSuite,
    AttendanceSuite,
    TestCase,
):
    def make_driver(self) -> MeasuredDriver:
        folder = tempfile.mkdtemp(prefix="dregistry-measured-")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return MeasuredDriver(inline_driver(os.path.join(folder, "root")), Counted().recorder, "filesystem")


class MeasuredTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.counted = Counted()
        self.driver = MeasuredDriver(MemoryDriver(), self.counted.recorder, "inmemory")

    def actions(self) -> dict[str, float]:
        values = self.counted.values(STORAGE_ACTION)
        return {action: sum(found[:-1]) for (_, action), found in values.items() if sum(found[:-1])}

    def test_interfaces(self) -> None:
        """What the driver can do besides it can still; what it cannot it still cannot."""
        folder = tempfile.mkdtemp(prefix="dregistry-measured-")
        self.addCleanup(shutil.rmtree, folder)
        files = MeasuredDriver(inline_driver(folder), self.counted.recorder, "filesystem")
        self.assertTrue(verifyObject(IStorageDriver, files))
        self.assertTrue(ILocalFiles.providedBy(files))
        self.assertTrue(IDirectorySearch.providedBy(files))
        self.assertFalse(IRedirecting.providedBy(files))
        self.assertFalse(IWalking.providedBy(files))

    def test_actions(self) -> None:
        result_of(self.driver.put_content("/a/b", b"x"))
        result_of(self.driver.get_content("/a/b"))
        result_of(self.driver.get_contents(["/a/b", "/a/c"]))
        result_of(self.driver.stat("/a/b"))
        result_of(self.driver.children("/a"))
        result_of(self.driver.move("/a/b", "/a/d"))
        result_of(self.driver.delete("/a/d"))
        self.assertEqual(
            self.actions(), {"PutContent": 1, "GetContent": 2, "Stat": 1, "List": 1, "Move": 1, "Delete": 1}
        )
        self.assertEqual({driver for driver, _ in self.counted.values(STORAGE_ACTION)}, {"inmemory"})

    def test_failures(self) -> None:
        """They take time, too."""
        for call in (self.driver.get_content, self.driver.stat, self.driver.delete):
            with self.assertRaises(PathNotFound):
                result_of(call("/a/b"))
        self.assertEqual(self.actions(), {"GetContent": 1, "Stat": 1, "Delete": 1})

    def test_commit(self) -> None:
        """Of what was written: that is what waits for the disk."""
        writer = result_of(self.driver.writer("/a/b", create=True))
        result_of(writer.write(b"abc"))
        self.assertEqual((writer.size, self.actions()), (3, {}))
        result_of(writer.commit("/a/c"))
        self.assertEqual(self.actions(), {"Move": 1})
        self.assertEqual(result_of(self.driver.get_content("/a/c")), b"abc")
