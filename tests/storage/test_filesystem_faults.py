"""Tests of :mod:`dregistry.storage.filesystem`: the operating system refuses."""

from __future__ import annotations

import errno
import os
import resource
import signal
from contextlib import contextmanager
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from dregistry.storage import PathNotFound, StorageFull, StorageUnavailable

from .support import ended, fork, inline_driver, result_of, temporary_directory, tree

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
BROKEN = (errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE, errno.ESTALE, errno.ENOLCK)


@contextmanager
def failing(function: str, number: int, after: int = 0, partial: int = 0):
    """
    A function of ``os`` fails by an errno.

    :param after: calls that succeed before.
    :param partial: bytes that the last of those writes, for ``pwrite``.
    """
    real = getattr(os, function)
    calls = []

    def wrapped(*args, **kwargs):
        calls.append(args)
        if partial and len(calls) == after:
            return real(args[0], bytes(args[1][:partial]), *args[2:])
        if len(calls) > after:
            path = next((arg for arg in args if isinstance(arg, str)), None)
            raise OSError(number, os.strerror(number), path)
        return real(*args, **kwargs)

    with mock.patch.object(os, function, wrapped):
        yield


class _Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = temporary_directory(self)
        self.driver = inline_driver(self.root)
        self.put("/a/file", b"old")

    def put(self, path: str, content: bytes, durable: bool = True) -> None:
        result_of(self.driver.put_content(path, content, durable))

    def refused(self, coroutine, number: int, path: str, absent: bool = False) -> None:
        """The error is the one of the contract, and does not tell where the root is."""
        expected = StorageFull if number in FULL else StorageUnavailable
        error = self.assertRaises(expected, result_of, coroutine)
        self.assertIn(path, str(error) + repr(error))
        self.assertNotIn(self.root, str(error) + repr(error))


class PutTests(_Case):
    def test_refused(self) -> None:
        """Whatever fails, the old content is there, and nothing else."""
        before = tree(self.root)
        for number in FULL + BROKEN:
            for function in ("open", "pwrite", "fsync", "rename"):
                with failing(function, number):
                    self.refused(self.driver.put_content("/a/file", b"new"), number, "/a/file")
                self.assertEqual(tree(self.root), before, (function, number))
                self.assertEqual(result_of(self.driver.get_content("/a/file")), b"old")

    def test_refused_in_new_directories(self) -> None:
        before = tree(self.root)
        for number in FULL + BROKEN:
            for function in ("mkdir", "open", "pwrite", "fsync", "rename"):
                for after in (0, 1) if function in ("mkdir", "fsync") else (0,):
                    with failing(function, number, after):
                        self.refused(self.driver.put_content("/a/b/c/d", b"new"), number, "/a/b/c/d")
                    self.assertEqual(tree(self.root), before, (function, number, after))
        self.put("/a/b/c/d", b"new")
        self.assertEqual(result_of(self.driver.get_content("/a/b/c/d")), b"new")

    def test_full_in_the_middle(self) -> None:
        before = tree(self.root)
        for path in ("/a/file", "/a/b/file"):
            with failing("pwrite", errno.ENOSPC, after=1, partial=1000):
                self.refused(self.driver.put_content(path, b"x" * 5000, False), errno.ENOSPC, path)
            self.assertEqual(tree(self.root), before)
        self.assertEqual(result_of(self.driver.get_content("/a/file")), b"old")

    def test_full_when_closed(self) -> None:
        """As network file systems tell it."""
        real = os.close

        def close(descriptor: int) -> None:
            real(descriptor)
            raise OSError(errno.EDQUOT, "quota")

        before = tree(self.root)
        with mock.patch.object(os, "close", close):
            self.refused(self.driver.put_content("/a/file", b"new", False), errno.EDQUOT, "/a/file")
        self.assertEqual(tree(self.root), before)
        self.assertEqual(result_of(self.driver.get_content("/a/file")), b"old")

    def test_directory_made_and_pruned_by_another(self) -> None:
        """The rename into place fails by a directory that is gone again when one looks."""
        real = os.rename
        for number in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            refusals = [number] * 3

            def rename(source: str, target: str, refusals: list[int] = refusals) -> None:
                if refusals:
                    raise OSError(refusals.pop(), "refused")
                real(source, target)

            with mock.patch.object(os, "rename", rename):
                self.put("/a/b/c", b"new")
            self.assertEqual(tree(self.root), {"a/", "a/file", "a/b/", "a/b/c"})
            result_of(self.driver.delete("/a/b"))

    def test_short_writes(self) -> None:
        content = bytes(range(256)) * 50
        real = os.pwrite
        with mock.patch.object(os, "pwrite", lambda file, data, offset: real(file, data[:999], offset)):
            self.put("/a/file", content)
        self.assertEqual(result_of(self.driver.get_content("/a/file")), content)


class WriterTests(_Case):
    def test_write_refused(self) -> None:
        """It keeps its size, and goes on when there is room again."""
        for number in FULL + BROKEN:
            writer = result_of(self.driver.writer("/u/data", create=True))
            result_of(writer.write(b"kept,"))
            with failing("pwrite", number):
                self.refused(writer.write(b"refused"), number, "/u/data")
            with failing("pwrite", number, after=1, partial=3):
                self.refused(writer.write(b"refused in the middle"), number, "/u/data")
            self.assertEqual((writer.size, os.stat(self.root + "/u/data").st_size), (5, 5))
            result_of(writer.write(b"too"))
            result_of(writer.commit())
            self.assertEqual(result_of(self.driver.get_content("/u/data")), b"kept,too")
            result_of(self.driver.delete("/u"))

    def test_write_refused_and_not_undone(self) -> None:
        """The rest of a write that failed goes when the writer is closed, at the latest."""
        writer = result_of(self.driver.writer("/u/data", create=True))
        result_of(writer.write(b"kept"))
        with failing("pwrite", errno.EIO, after=1, partial=3), failing("ftruncate", errno.EIO):
            self.refused(writer.write(b"refused"), errno.EIO, "/u/data")
        self.assertEqual(writer.size, 4)
        result_of(writer.close())
        self.assertEqual(result_of(self.driver.get_content("/u/data")), b"kept")

    def test_open_refused(self) -> None:
        for number in FULL + BROKEN:
            with failing("open", number):
                self.refused(self.driver.writer("/u/data", create=True), number, "/u/data")
                self.refused(self.driver.writer("/a/file"), number, "/a/file")
            with failing("mkdir", number):
                self.refused(self.driver.writer("/v/data", create=True), number, "/v/data")
        self.assertEqual(result_of(self.driver.get_content("/a/file")), b"old")

    def test_commit_refused(self) -> None:
        """What was written stays where it is, and another writer can commit it."""
        for function in ("fsync", "mkdir", "rename"):
            for number in FULL + BROKEN:
                writer = result_of(self.driver.writer("/u/data", create=True))
                result_of(writer.write(b"content"))
                with failing(function, number):
                    self.refused(writer.commit("/new/folder/data"), number, "/u/data")
                self.assertRaises(PathNotFound, result_of, self.driver.get_content("/new/folder/data"))
                writer = result_of(self.driver.writer("/u/data"))
                self.assertEqual(writer.size, 7)
                result_of(writer.commit("/new/folder/data"))
                self.assertEqual(result_of(self.driver.get_content("/new/folder/data")), b"content")
                result_of(self.driver.delete("/new"))

    def test_cancel_refused(self) -> None:
        writer = result_of(self.driver.writer("/u/data", create=True))
        with failing("unlink", errno.EROFS):
            self.refused(writer.cancel(), errno.EROFS, "/u/data")
        result_of(result_of(self.driver.writer("/u/data", create=True)).cancel())


class OtherTests(_Case):
    def test_broken(self) -> None:
        driver = self.driver
        self.put("/a/large", b"x" * 2_000_000)
        for number in BROKEN:
            with failing("stat", number):
                self.refused(driver.stat("/a/file"), number, "/a/file")
                self.refused(driver.stats(["/a/file"]), number, "/a/file")
            with failing("scandir", number):
                self.refused(driver.children("/a"), number, "/a")
                self.refused(driver.find_directories("/a", "_m", "", 1), number, "/a")
            with failing("rename", number):
                self.refused(driver.move("/a/file", "/b"), number, "/a/file")
            with failing("unlink", number):
                self.assertRaises(StorageUnavailable, result_of, driver.delete("/a/file"))
            for path in ("/a/file", "/a/large"):
                with failing("pread", number):
                    self.refused(anext(driver.read(path)), number, path)
        self.assertEqual(result_of(driver.get_content("/a/file")), b"old")

    def test_broken_content(self) -> None:
        """As of a disk that fails: opened, but not to be read."""
        with failing("read", errno.EIO):
            self.refused(self.driver.get_content("/a/file"), errno.EIO, "/a/file")
            self.refused(self.driver.get_contents(["/a/file"]), errno.EIO, "/a/file")

    def test_no_more_room_in_earnest(self) -> None:
        """The limit of a process, in one that may be limited."""

        def limited() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
            before = tree(self.root)
            for path in ("/a/file", "/a/b/c"):
                self.assertRaises(StorageFull, result_of, self.driver.put_content(path, b"x" * 200_000))
                self.assertEqual(tree(self.root), before)
            writer = result_of(self.driver.writer("/u/data", create=True))
            result_of(writer.write(b"x" * 90_000))
            self.assertRaises(StorageFull, result_of, writer.write(b"y" * 20_000))
            self.assertEqual(os.stat(self.root + "/u/data").st_size, 90_000)
            result_of(writer.write(b"z" * 10_000))
            result_of(writer.commit())

        self.assertEqual(ended(fork(limited)), 0)
        self.assertEqual(result_of(self.driver.get_content("/a/file")), b"old")
        self.assertEqual(result_of(self.driver.get_content("/u/data")), b"x" * 90_000 + b"z" * 10_000)
