"""Tests of :mod:`dregistry.storage._local_tree`, and of the driver's abilities for maintenance."""

from __future__ import annotations

import os
import time

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dregistry.storage import (
    IAttendance,
    ILock,
    IRenewing,
    IWalking,
    PathNotFound,
    StorageUnavailable,
    WriterBusy,
)
from dregistry.storage.filesystem import FilesystemDriver
from dregistry.storage.memory import MemoryDriver

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
    def test_interface(self) -> None:
        verifyObject(IWalking, self.driver)

    def test_names(self) -> None:
        self.put("/a/c/link", "/a/b/link", "/a/b/c", "/a/d/other")
        self.assertEqual(self.tree.names("/a"), ["b", "c", "d"])
        self.assertEqual(self.tree.names("/a", "link"), ["b", "c"])
        for path in ("/nothing", "/a/b/link", "/a/b/link/below"):
            self.assertEqual(self.tree.names(path), [])

    def test_contents(self) -> None:
        self.put("/a", content=b"12345")
        self.put("/large", content=b"x" * 100_000)
        self.assertEqual(self.tree.contents(["/none", "/a", "/a/b", "/"]), [None, b"12345", None, None])
        self.assertEqual(self.tree.contents(["/a", "/large"], 5), [b"12345", None])
        self.assertEqual(self.tree.contents(["/a", "/large"], 4), [None, None])
        self.assertEqual(self.tree.contents(["/large"]), [b"x" * 100_000])

    def test_stats(self) -> None:
        self.put("/a/b", content=b"12345")
        os.utime(self.root + "/a/b", (OLD, OLD))
        nothing, file, folder, below = self.tree.stats(["/none", "/a/b", "/a", "/a/b/c"])
        self.assertEqual((nothing, below), (None, None))
        assert file is not None
        assert folder is not None
        self.assertEqual((file.size, file.is_dir, file.modified), (5, False, OLD))
        self.assertEqual((folder.size, folder.is_dir), (0, True))

    def test_pieces(self) -> None:
        for content in (b"", b"x", b"x" * (1 << 20), os.urandom(2_500_000)):
            self.put("/a", content=content)
            pieces = [bytes(piece) for piece in self.tree.pieces("/a")]
            self.assertEqual(b"".join(pieces), content)
            self.assertTrue(all(1 <= len(piece) <= 1 << 20 for piece in pieces))
        for path in ("/none", "/a/b"):
            self.assertRaises(PathNotFound, list, self.tree.pieces(path))

    def test_put(self) -> None:
        self.tree.put("/a/b", b"one")
        self.tree.put("/a/b", b"two")
        self.assertEqual(result_of(self.driver.get_content("/a/b")), b"two")

    def test_move(self) -> None:
        self.put("/a/b/data")
        self.tree.move("/a/b/data", "/c/d/data")
        self.assertEqual(self.tree.names("/c/d"), ["data"])
        self.assertEqual(self.tree.names("/a"), [])
        self.assertRaises(PathNotFound, self.tree.move, "/a/b/data", "/x")

    def test_move_of_what_is_written(self) -> None:
        writer = result_of(self.driver.writer("/a", create=True))
        self.assertRaises(WriterBusy, self.tree.move, "/a", "/b")
        self.assertTrue(self.tree.in_use("/a"))
        result_of(writer.close())
        self.assertFalse(self.tree.in_use("/a"))
        self.assertFalse(self.tree.in_use("/none"))

    def test_delete(self) -> None:
        self.put("/a/b/c", "/a/d", "/e/f", "/g")
        self.tree.delete(["/a/b", "/none", "/e/f", "/g/below"])
        self.assertEqual((self.tree.names("/a"), self.tree.names("/")), (["d"], ["a", "g"]))

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
    def test_interface(self) -> None:
        verifyObject(IAttendance, self.driver)
        lock = self.driver.attend()
        verifyObject(ILock, lock)

    def test_several_attend(self) -> None:
        first, second = self.driver.attend(), inline_driver(self.root).attend()
        self.assertIsNone(self.driver.keep_out())
        first.release()
        self.assertIsNone(self.driver.keep_out())
        second.release()
        self.driver.keep_out().release()

    def test_kept_out(self) -> None:
        lock = self.driver.keep_out()
        self.assertIsNone(self.driver.attend())
        self.assertIsNone(self.driver.keep_out())
        lock.release()
        self.driver.attend().release()

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
        verifyObject(IRenewing, driver)
        result_of(driver.put_content("/a", b"content"))
        os.utime(root + "/a", (OLD, OLD))
        driver.renew("/a")
        driver.renew("/none")
        info = result_of(driver.stat("/a"))
        self.assertLess(abs(info.modified - time.time()), 100)
        self.assertEqual(info.size, 7)

    def test_memory(self) -> None:
        driver = MemoryDriver()
        verifyObject(IRenewing, driver)
        result_of(driver.put_content("/a", b"content"))
        driver._put("/a", b"content", OLD)
        driver.renew("/a")
        driver.renew("/none")
        self.assertLess(abs(result_of(driver.stat("/a")).modified - time.time()), 100)
        self.assertEqual(result_of(driver.get_content("/a")), b"content")
