"""Tests of :mod:`dregistry.storage.filesystem`: what it leaves on the disk, where it meets other things there."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from contextlib import contextmanager
from threading import Event
from typing import Any
from unittest import mock

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from dregistry.storage import PathNotFound, StorageError, StorageUnavailable, WriterBusy
from dregistry.storage._files import move_with
from dregistry.storage.filesystem import FilesystemDriver
from dregistry.testing import InlineThreads, pooled_threads

from .support import inline_driver, temporary_directory, tree


class _Case(TestCase):
    def setUp(self) -> None:
        self.root = temporary_directory(self)
        self.driver = inline_driver(self.root)

    def at(self, path: str) -> str:
        return self.root + path

    def file(self, path: str, content: bytes = b"") -> None:
        os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
        with open(self.at(path), "wb") as file:
            file.write(content)

    async def refused(self, expected, awaitable):
        try:
            await awaitable
        except expected as error:
            self.assertNotIn(self.root, str(error) + repr(error))
            return error
        raise self.failureException(f"{expected} expected")


class LeftoverTests(_Case):
    async def test_only_the_content_is_left(self) -> None:
        for durable in (True, False):
            await self.driver.put_content("/a/b/c", b"1", durable)
            await self.driver.put_content("/a/b/c", b"2", durable)
        writer = await self.driver.writer("/u/data", create=True)
        await writer.commit("/a/d/e/data")
        await self.driver.move("/a/b/c", "/a/b/f")
        self.assertEqual(tree(self.root), {"a/", "a/b/", "a/b/f", "a/d/", "a/d/e/", "a/d/e/data"})

    async def test_delete_prunes(self) -> None:
        await self.driver.put_content("/a/b/c/d", b"")
        await self.driver.put_content("/a/e", b"")
        await self.driver.delete("/a/b/c/d")
        self.assertEqual(tree(self.root), {"a/", "a/e"})
        await self.driver.delete("/a")
        self.assertEqual(tree(self.root), set())
        self.assertTrue(os.path.isdir(self.root))

    async def test_temporary_names_are_not_seen(self) -> None:
        """Such as a crash leaves; a path of the contract, whatever it looks like, is."""
        await self.driver.put_content("/r/.a.0123456789abcdef.tmp", b"")
        await self.driver.put_content("/r/b/_m/file", b"")
        for leftover in ("/r/.a.0123456789abcdef~", "/r/.c.0123456789abcdef~/_m/x", "/r/d/_m/.x.0123456789abcdef~"):
            self.file(leftover)
        self.assertEqual(await self.driver.children("/r"), [".a.0123456789abcdef.tmp", "b", "d"])
        self.assertEqual(await self.driver.find_directories("/r", "_m", "", 9), ["b"])

    async def test_names_as_long_as_they_get(self) -> None:
        name = "x" * 255
        await self.driver.put_content(f"/{name}/{name}/{name}", b"1")
        await self.driver.put_content(f"/{name}/{name}/{name}", b"2")
        self.assertEqual(await self.driver.get_content(f"/{name}/{name}/{name}"), b"2")
        await self.driver.delete(f"/{name}/{name}")
        self.assertEqual(tree(self.root), set())

    async def test_modes_are_left_to_the_umask(self) -> None:
        before = os.umask(0o027)
        self.addCleanup(os.umask, before)
        await self.driver.put_content("/a/b", b"")
        await (await self.driver.writer("/c/d", create=True)).close()
        modes = [stat.S_IMODE(os.stat(self.at(path)).st_mode) for path in ("/a", "/a/b", "/c", "/c/d")]
        self.assertEqual(modes, [0o750, 0o640, 0o750, 0o640])

    async def test_root_is_made(self) -> None:
        driver = inline_driver(self.at("/not/yet"))
        await self.refused(PathNotFound, driver.children("/a"))
        await driver.put_content("/a/b", b"1")
        self.assertEqual(await driver.children("/a"), ["b"])


class OtherThingsTests(_Case):
    """Links, and content where directories should be or the reverse: nothing breaks, nothing is lost."""

    async def test_content_in_the_way(self) -> None:
        await self.driver.put_content("/file", b"kept")
        await self.refused(StorageError, self.driver.put_content("/file/below/deep", b""))
        await self.refused(StorageError, self.driver.put_content("/file/below", b""))
        await self.refused(StorageError, self.driver.writer("/file/below", create=True))
        await self.driver.put_content("/other", b"kept, too")
        await self.refused(StorageUnavailable, self.driver.move("/other", "/file/below"))
        self.assertEqual(await self.driver.get_contents(["/file", "/other"]), [b"kept", b"kept, too"])
        self.assertEqual(tree(self.root), {"file", "other"})

    async def test_directory_in_the_way(self) -> None:
        await self.driver.put_content("/folder/file", b"kept")
        await self.refused(StorageUnavailable, self.driver.put_content("/folder", b""))
        await self.refused(StorageUnavailable, self.driver.writer("/folder", create=True))
        await self.driver.put_content("/other", b"kept, too")
        await self.refused(StorageUnavailable, self.driver.move("/other", "/folder"))
        writer = await self.driver.writer("/other")
        await self.refused(StorageUnavailable, writer.commit("/folder"))
        self.assertEqual(await self.driver.get_contents(["/folder/file", "/other"]), [b"kept", b"kept, too"])
        self.assertEqual(tree(self.root), {"folder/", "folder/file", "other"})

    async def test_symbolic_links(self) -> None:
        """A part of the tree may be a link to elsewhere; to delete it removes the link alone."""
        elsewhere = temporary_directory(self)
        os.makedirs(elsewhere + "/name/_m")
        os.symlink(elsewhere, self.at("/link"))
        await self.driver.put_content("/link/name/_m/file", b"1")
        self.assertEqual(await self.driver.children("/link/name"), ["_m"])
        self.assertEqual(await self.driver.find_directories("/link", "_m", "", 9), ["name"])
        os.symlink(elsewhere, self.at("/another"))
        await self.driver.delete("/another")
        self.assertEqual(await self.driver.get_content("/link/name/_m/file"), b"1")

    async def test_link_to_nowhere(self) -> None:
        """As of a volume that is not mounted."""
        os.symlink("nowhere", self.at("/link"))
        await self.driver.put_content("/file", b"1")
        await self.refused(PathNotFound, self.driver.get_content("/link/file"))
        await self.refused(StorageUnavailable, self.driver.put_content("/link/file", b""))
        await self.refused(StorageUnavailable, self.driver.writer("/link/file", create=True))
        await self.refused(StorageUnavailable, self.driver.move("/file", "/link/file"))
        self.assertEqual(await self.driver.get_content("/file"), b"1")
        self.assertEqual(sorted(os.listdir(self.root)), ["file", "link"])

    async def test_link_to_itself(self) -> None:
        await self.driver.put_content("/r/a/_m/file", b"1")
        os.symlink("../a", self.at("/r/a/loop"))
        os.symlink("self", self.at("/r/self"))
        found = await self.driver.find_directories("/r", "_m", "", 1000)
        self.assertEqual(found[:2], ["a", "a/loop"])
        self.assertLess(len(found), 100)
        await self.refused(StorageUnavailable, self.driver.get_content("/r/self"))
        await self.driver.delete("/r")
        self.assertEqual(tree(self.root), set())


class GivenUpTests(_Case):
    """Whoever waited stops to wait, while a thread is still at work."""

    def setUp(self) -> None:
        super().setUp()
        self.threads = pooled_threads(self)
        self.driver = FilesystemDriver(self.root, self.threads)

    async def test_write_given_up_then_closed(self) -> None:
        """What the thread still writes goes to no other file, though that gets the same descriptor at once."""
        writer = await self.driver.writer("/file", create=True)
        waiting = Deferred.fromCoroutine(writer.write(b"x" * 20_000_000))
        waiting.cancel()
        await self.refused(CancelledError, waiting)
        await writer.close()
        others = [await self.driver.writer(f"/other{number}", create=True) for number in range(8)]
        for other in others:
            await other.close()
            self.assertEqual(other.size, 0)
        size = (await self.driver.stat("/file")).size
        self.assertIn(size, (0, 20_000_000))
        again = await self.driver.writer("/file")
        self.assertEqual(again.size, size)
        await again.cancel()

    async def test_ends_wait_for_the_write(self) -> None:
        """No descriptor is closed under a thread that uses it."""
        real_pwrite, real_close = os.pwrite, os.close
        for end in ("close", "commit", "cancel"):
            started, closed, overlaps = Event(), Event(), []

            def pwrite(*args, started=started, closed=closed, overlaps=overlaps) -> int:
                started.set()
                overlaps.append(closed.wait(0.05))
                return real_pwrite(*args)

            def close(descriptor: int, closed=closed) -> None:
                real_close(descriptor)
                closed.set()

            writer = await self.driver.writer("/file", create=True)
            with mock.patch.multiple(os, pwrite=pwrite, close=close):
                waiting = Deferred.fromCoroutine(writer.write(b"x" * 100_000))
                waiting.addErrback(lambda failure: failure.trap(CancelledError))
                self.assertTrue(started.wait(10))
                waiting.cancel()
                await getattr(writer, end)()
            self.assertEqual((overlaps, closed.is_set()), ([False], True))

    async def test_cancel_while_writing(self) -> None:
        writer = await self.driver.writer("/file", create=True)
        waiting = Deferred.fromCoroutine(writer.write(b"x" * 20_000_000))
        waiting.addErrback(lambda failure: failure.trap(CancelledError))
        waiting.cancel()
        await writer.cancel()
        self.assertEqual(tree(self.root), set())

    async def test_reader_given_up(self) -> None:
        await self.driver.put_content("/file", b"x" * 3_000_000)
        before = len(os.listdir("/proc/self/fd"))
        stream = self.driver.read("/file")
        await anext(stream)
        waiting = Deferred.fromCoroutine(anext(stream))
        waiting.cancel()
        await self.refused(CancelledError, waiting)
        await stream.aclose()
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


class LockedTooLateTests(_Case):
    """Between the opening of a file and its lock, another process is faster."""

    @contextmanager
    def meanwhile(self, change):
        real, changes = fcntl.flock, [change]

        def flock(descriptor: int, operation: int) -> None:
            if changes:
                changes.pop()()
            real(descriptor, operation)

        with mock.patch.object(fcntl, "flock", flock):
            yield

    def setUp(self) -> None:
        super().setUp()
        self.file("/a/file", b"old")

    async def test_removed(self) -> None:
        with self.meanwhile(lambda: os.unlink(self.at("/a/file"))):
            await self.refused(PathNotFound, self.driver.writer("/a/file"))

    async def test_moved_away(self) -> None:
        with self.meanwhile(lambda: os.rename(self.at("/a/file"), self.at("/a/blob"))):
            await self.refused(PathNotFound, self.driver.writer("/a/file"))
        self.file("/a/file", b"old")
        with self.meanwhile(lambda: os.rename(self.at("/a/file"), self.at("/a/blob"))):
            writer = await self.driver.writer("/a/file", create=True)
        await writer.write(b"new")
        await writer.commit()
        self.assertEqual(await self.driver.get_contents(["/a/file", "/a/blob"]), [b"new", b"old"])

    async def test_replaced(self) -> None:
        for create in (True, False):
            self.file("/a/other", b"replaced")
            with self.meanwhile(lambda: os.rename(self.at("/a/other"), self.at("/a/file"))):
                writer = await self.driver.writer("/a/file", create=create)
            await writer.write(b", new")
            await writer.commit()
            self.assertEqual(await self.driver.get_content("/a/file"), b"replaced, new")

    async def test_pruned(self) -> None:
        with self.meanwhile(lambda: shutil.rmtree(self.at("/a"))):
            writer = await self.driver.writer("/a/file", create=True)
        await writer.write(b"new")
        await writer.commit()
        self.assertEqual(await self.driver.get_content("/a/file"), b"new")


class DescriptorTests(_Case):
    async def test_none_stays_open(self) -> None:
        await self.driver.put_content("/a/b", b"x" * 3_000_000)
        before = os.listdir("/proc/self/fd")
        writer = await self.driver.writer("/a/c", create=True)
        for create in (True, False):
            await self.refused(WriterBusy, self.driver.writer("/a/c", create=create))
        await self.refused(WriterBusy, self.driver.move("/a/c", "/d"))
        await writer.cancel()
        await self.refused(PathNotFound, self.driver.writer("/a/c"))
        await self.refused(StorageError, self.driver.writer("/a", create=True))
        await self.refused(PathNotFound, self.driver.get_content("/a"))
        await self.driver.move("/a/b", "/e/f")
        stream = self.driver.read("/e/f")
        await anext(stream)
        await stream.aclose()
        await self.driver.delete("/e")
        self.assertEqual(os.listdir("/proc/self/fd"), before)

    async def test_inline_threads_fail_as_they_should(self) -> None:
        await self.refused(ZeroDivisionError, InlineThreads().run(lambda: 1 // 0))


class ReplacedTests(TestCase):
    def test_while_the_disk_is_waited_for(self) -> None:
        """What is moved is the open file, not another one that has its name since."""
        folder = temporary_directory(self)
        source, target = os.path.join(folder, "upload", "data"), os.path.join(folder, "blob", "data")

        def put(content: bytes) -> int:
            os.makedirs(os.path.dirname(source), exist_ok=True)
            descriptor = os.open(source, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            self.addCleanup(os.close, descriptor)
            os.write(descriptor, content)
            return descriptor

        class Disk:
            def contents(self, descriptors: Any, folders: Any) -> None:
                os.unlink(source)
                put(b"of another session")

            def names(self, descriptor: int, changed: Any) -> None:
                """Nothing to be seen to."""

        disk: Any = Disk()
        self.assertRaises(FileNotFoundError, move_with, put(b"hashed"), source, target, [], disk)
        self.assertFalse(os.path.exists(target))
        self.assertTrue(os.path.exists(source))
