"""Tests of :mod:`dregistry.storage._local_tree`, and of the driver's abilities for maintenance."""

from __future__ import annotations

import os
import time

from twisted.trial.unittest import SynchronousTestCase

from dregistry.storage import (
    StorageUnavailable,
    WriterBusy,
)
from dregistry.storage.filesystem import FilesystemDriver

from .support import ended, fork, inline_driver, result_of, temporary_directory

OLD = 1_000_000_000.0


class TreeCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = temporary_directory(self)
        self.driver = inline_driver(self.root)
        self.tree = self.driver.tree()

    def put(self, *paths: str, content: bytes = b"content") -> None:
        for path in paths:
            result_of(self.driver.put_content(path, content))


class TreeTests(TreeCase):
    def test_stats(self) -> None:
        self.put("/a/b", content=b"12345")
        os.utime(self.root + "/a/b", (OLD, OLD))
        file, folder = self.tree.stats(["/a/b", "/a"])
        assert file is not None
        assert folder is not None
        self.assertEqual((file.size, file.modified), (5, OLD))
        self.assertEqual((folder.size, folder.is_dir), (0, True))

    def test_move_takes_the_empty_directory_along(self) -> None:
        self.put("/a/b/data")
        self.tree.move("/a/b/data", "/c/d/data")
        self.assertEqual(self.tree.names("/a"), [])

    def test_move_of_what_is_written(self) -> None:
        writer = result_of(self.driver.writer("/a", create=True))
        self.assertRaises(WriterBusy, self.tree.move, "/a", "/b")
        self.assertTrue(self.tree.in_use("/a"))
        result_of(writer.close())
        self.assertFalse(self.tree.in_use("/a"))
        self.assertFalse(self.tree.in_use("/none"))

    def test_prune(self) -> None:
        self.put("/a/b")
        os.mkdir(self.root + "/empty")
        self.assertEqual(
            [self.tree.prune(path) for path in ("/a", "/empty", "/none", "/a/b")], [False, True, False, False]
        )
        self.assertEqual(self.tree.names("/"), ["a"])

    def test_errors(self) -> None:
        """They are the contract's."""
        name = "/" + "x" * 300
        for call in (self.tree.names, lambda path: self.tree.contents([path]), lambda path: self.tree.stats([path])):
            self.assertRaises(StorageUnavailable, call, name)


class AttendanceTests(TreeCase):
    def test_several_drivers(self) -> None:
        lock = inline_driver(self.root).attend()
        self.assertIsNone(self.driver.keep_out())
        lock.release()
        self.driver.keep_out().release()

    def test_a_process_that_ends(self) -> None:
        read, write = os.pipe()

        def attend() -> None:
            self.lock = self.driver.attend()
            os.write(write, b"1")

        pid = fork(attend)
        os.read(read, 1)
        self.assertEqual(ended(pid), 0)
        self.driver.keep_out().release()

    def test_new_root(self) -> None:
        driver = FilesystemDriver(self.root + "/new/root", self.driver._threads)
        driver.keep_out().release()
        lock = driver.attend()
        self.assertIsNone(driver.keep_out())
        lock.release()

    def test_root_that_cannot_be_made(self) -> None:
        """Then the first write will say so."""
        self.put("/file")
        driver = FilesystemDriver(self.root + "/file/root", self.driver._threads)
        driver.attend().release()
        driver.keep_out().release()


class RenewTests(SynchronousTestCase):
    def test_files(self) -> None:
        root = temporary_directory(self)
        driver = inline_driver(root)
        result_of(driver.put_content("/a", b"content"))
        os.utime(root + "/a", (OLD, OLD))
        driver.renew("/a")
        driver.renew("/none")
        info = result_of(driver.stat("/a"))
        self.assertLess(abs(info.modified - time.time()), 100)
        self.assertEqual(info.size, 7)
