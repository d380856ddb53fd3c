"""
Tests of :mod:`dregistry.storage.filesystem`: the process ends at any system call; what is durable, and in which order.
"""

from __future__ import annotations

import contextlib  # trial takes a name ``suppress`` in a module for its own
import os
import shutil
from collections.abc import Callable
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from dregistry.storage import PathNotFound
from dregistry.storage.filesystem import FilesystemDriver

from .support import ended, fork, inline_driver, result_of, seen, temporary_directory

CALLS = ("open", "pwrite", "fsync", "close", "rename", "mkdir", "unlink", "rmdir", "stat", "fstat", "ftruncate")
CRASH = 77
NEW = b"new, and longer than one write" * 10


def crash_at(number: int) -> None:
    """End this process, with no chance to clean up, at the call of that number; in the middle of it if it writes."""
    left = number

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def wrapped(*args, **kwargs):
            nonlocal left
            if left == 0:
                if name == "pwrite":
                    real(args[0], bytes(args[1][: len(args[1]) // 2]), *args[2:])
                os._exit(CRASH)
            left -= 1
            return real(*args, **kwargs)

        setattr(os, name, wrapped)

    for name in CALLS:
        wrap(name)


class CrashTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = temporary_directory(self)
        self.driver = inline_driver(self.root)

    def at_every_call(
        self,
        prepare: Callable[[FilesystemDriver], None],
        change: Callable[[FilesystemDriver], None],
        check: Callable[[bool], None],
    ) -> None:
        """
        Prepare, crash in the change, check; repeat the change without a crash, check again.

        :param check: told whether the change was completed.
        """
        crashes, status = 0, CRASH
        while status == CRASH:
            for name in os.listdir(self.root):
                shutil.rmtree(os.path.join(self.root, name))
            prepare(self.driver)

            def child(number: int = crashes) -> None:
                crash_at(number)
                change(self.driver)

            status = ended(fork(child))
            check(status == 0)
            if status == CRASH:
                crashes += 1
                change(self.driver)
                check(True)
        self.assertEqual(status, 0)
        self.assertGreater(crashes, 2)

    def put(self, path: str, content: bytes, durable: bool = True) -> Callable[[FilesystemDriver], None]:
        return lambda driver: result_of(driver.put_content(path, content, durable))

    def content(self, path: str) -> bytes | None:
        return result_of(self.driver.get_contents([path]))[0]

    def test_replace(self) -> None:
        for durable in (True, False):

            def check(completed: bool) -> None:
                self.assertIn(self.content("/r/a"), [NEW] if completed else [b"old", NEW])
                self.assertEqual(list(seen(self.driver, "/r")), ["/r/a"])

            self.at_every_call(self.put("/r/a", b"old"), self.put("/r/a", NEW, durable), check)

    def test_put_in_new_directories(self) -> None:
        """They are seen with the content in them, or not at all."""
        for durable in (True, False):

            def check(completed: bool) -> None:
                before, after = ["/r/a"], ["/r/a", "/r/b/", "/r/b/c/", "/r/b/c/d"]
                found = list(seen(self.driver, "/r"))
                self.assertIn(found, [after] if completed else [before, after])
                self.assertEqual(self.content("/r/b/c/d"), NEW if found == after else None)
                self.assertEqual(result_of(self.driver.find_directories("/r", "c", "", 9)), ["b"] * (found == after))

            self.at_every_call(self.put("/r/a", b""), self.put("/r/b/c/d", NEW, durable), check)

    def test_move(self) -> None:
        for destination in ("/r/b", "/r/c/d/e"):

            def prepare(driver: FilesystemDriver) -> None:
                self.put("/r/a", NEW)(driver)
                self.put("/r/b", b"old")(driver)

            def move(driver: FilesystemDriver, destination: str = destination) -> None:
                try:
                    result_of(driver.move("/r/a", destination))
                except PathNotFound:
                    if self.content(destination) != NEW:  # else it was moved before the crash
                        raise

            def check(completed: bool, destination: str = destination) -> None:
                old = b"old" if destination == "/r/b" else None
                found = self.content("/r/a"), self.content(destination)
                self.assertIn(found, [(None, NEW)] if completed else [(NEW, old), (None, NEW)])

            self.at_every_call(prepare, move, check)

    def test_commit(self) -> None:
        """A session is resumed at what it holds, or it is a blob."""

        def commit(driver: FilesystemDriver) -> None:
            with contextlib.suppress(PathNotFound):
                writer = result_of(driver.writer("/r/u/data"))
                result_of(writer.write(NEW[writer.size :]))
                result_of(writer.commit("/r/b/c/data"))

        def check(completed: bool) -> None:
            session, blob = self.content("/r/u/data"), self.content("/r/b/c/data")
            if completed or session is None:
                self.assertEqual((session, blob), (None, NEW))
            else:
                self.assertEqual((session, blob), (NEW[: len(session)], None))

        self.at_every_call(self.put("/r/u/data", NEW[:9]), commit, check)

    def test_write_on(self) -> None:
        """As a client that asks how much has come: the next writer goes on with the rest."""

        def write(driver: FilesystemDriver) -> None:
            writer = result_of(driver.writer("/r/a", create=True))
            result_of(writer.write((b"old" + NEW)[writer.size :]))
            result_of(writer.commit())

        def check(completed: bool) -> None:
            found = self.content("/r/a")
            self.assertTrue((b"old" + NEW).startswith(found or b"nothing"), found)
            self.assertTrue(found == b"old" + NEW or not completed)

        self.at_every_call(self.put("/r/a", b"old"), write, check)

    def test_remove_a_tree(self) -> None:
        paths = ["/r/a/b/c", "/r/a/d", "/r/a/e/f"]

        def prepare(driver: FilesystemDriver) -> None:
            for path in [*paths, "/r/kept"]:
                self.put(path, b"", durable=False)(driver)

        def remove(driver: FilesystemDriver) -> None:
            with contextlib.suppress(PathNotFound):
                result_of(driver.delete("/r/a"))

        def check(completed: bool) -> None:
            found = [path for path in seen(self.driver, "/r") if not path.endswith("/")]
            self.assertIn(found, [["/r/kept"]] if completed else [[*paths, "/r/kept"], ["/r/kept"]])

        self.at_every_call(prepare, remove, check)

    def test_remove_the_last(self) -> None:
        def remove(driver: FilesystemDriver) -> None:
            with contextlib.suppress(PathNotFound):
                result_of(driver.delete("/r/a/b/c"))

        def check(completed: bool) -> None:
            self.assertIn(self.content("/r/a/b/c"), [None] if completed else [None, b"old"])
            self.assertEqual(self.content("/r/kept"), b"")

        def prepare(driver: FilesystemDriver) -> None:
            self.put("/r/a/b/c", b"old")(driver)
            self.put("/r/kept", b"")(driver)

        self.at_every_call(prepare, remove, check)


class DurabilityTests(SynchronousTestCase):
    """The order of the calls which a power cut would tell from another."""

    def setUp(self) -> None:
        self.root = temporary_directory(self)
        self.driver = inline_driver(self.root)
        result_of(self.driver.put_content("/r/a", b"old", durable=False))

    def record(self, change: Callable[[], object]) -> list[str]:
        """The calls; files and directories by their paths, temporary ones without the random part."""
        calls: list[str] = []

        def name(path: str) -> str:
            parts = os.path.relpath(path, self.root).split("/")
            return "/".join(part[: part.rindex(".")] + "~" if part.endswith("~") else part for part in parts)

        real = {function: getattr(os, function) for function in ("fsync", "rename", "mkdir", "pwrite")}

        def fsync(descriptor: int) -> None:
            calls.append("fsync " + name(os.readlink(f"/proc/self/fd/{descriptor}")))
            real["fsync"](descriptor)

        def pwrite(descriptor: int, data: bytes, offset: int) -> int:
            calls.append("write " + name(os.readlink(f"/proc/self/fd/{descriptor}")))
            return int(real["pwrite"](descriptor, data, offset))

        def rename(source: str, target: str) -> None:
            calls.append(f"rename {name(source)} {name(target)}")
            real["rename"](source, target)

        def mkdir(path: str) -> None:
            real["mkdir"](path)
            calls.append("mkdir " + name(path))

        with mock.patch.multiple(os, fsync=fsync, pwrite=pwrite, rename=rename, mkdir=mkdir):
            result_of(change())
        return calls

    def test_replace(self) -> None:
        expected = ["write r/.a~", "fsync r/.a~", "rename r/.a~ r/a", "fsync r"]
        self.assertEqual(self.record(lambda: self.driver.put_content("/r/a", b"new")), expected)

    def test_put_in_new_directories(self) -> None:
        expected = [
            "mkdir r/.b~",
            "mkdir r/.b~/c",
            "write r/.b~/c/d",
            "fsync r/.b~/c/d",
            "fsync r/.b~",
            "fsync r/.b~/c",
            "rename r/.b~ r/b",
            "fsync r",
        ]
        self.assertEqual(self.record(lambda: self.driver.put_content("/r/b/c/d", b"new")), expected)

    def test_not_durable(self) -> None:
        for path, size in (("/r/a", 1), ("/r/b/c/d", 1), ("/r/e", 200_000)):
            calls = self.record(lambda: self.driver.put_content(path, b"x" * size, durable=False))  # noqa: B023
            self.assertEqual([call for call in calls if call.startswith("fsync")], [])

    def test_move(self) -> None:
        expected = ["mkdir r/b", "mkdir r/b/c", "rename r/a r/b/c/d", "fsync r", "fsync r/b", "fsync r/b/c"]
        self.assertEqual(self.record(lambda: self.driver.move("/r/a", "/r/b/c/d")), expected)
        self.assertEqual(
            self.record(lambda: self.driver.move("/r/b/c/d", "/r/b/e")), ["rename r/b/c/d r/b/e", "fsync r/b"]
        )

    def test_commit(self) -> None:
        writer = result_of(self.driver.writer("/r/a"))
        result_of(writer.write(b"more"))
        expected = ["fsync r/a", "mkdir r/b", "rename r/a r/b/c", "fsync r", "fsync r/b"]
        self.assertEqual(self.record(lambda: writer.commit("/r/b/c")), expected)

    def test_close(self) -> None:
        """What it made is durable, too: the file's entry and the directories."""
        writer = result_of(self.driver.writer("/r/b/c", create=True))
        self.assertEqual(self.record(lambda: writer.write(b"data")), ["write r/b/c"])
        self.assertEqual(self.record(writer.close), ["fsync r/b/c", "fsync r", "fsync r/b"])
        self.assertEqual(self.record(writer.close), [])

    def test_cancel(self) -> None:
        writer = result_of(self.driver.writer("/r/b/c", create=True))
        self.assertEqual(self.record(writer.cancel), [])
