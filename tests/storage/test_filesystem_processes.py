"""Tests of :mod:`dregistry.storage.filesystem`: several processes upon one directory."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from twisted.trial.unittest import SynchronousTestCase

from dregistry.storage import PathNotFound, WriterBusy

from .support import ended, fork, inline_driver, result_of, temporary_directory, tree

ROUNDS = 150


class _Case(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = temporary_directory(self)
        self.driver = inline_driver(self.root)

    def race(self, *calls: Callable[[], object]) -> None:
        """All at once, each in its own process and over and over; none may fail."""
        children = [fork(call) for call in calls]
        self.assertEqual([ended(child) for child in children], [0] * len(calls))

    def put(self, path: str, content: bytes) -> None:
        result_of(self.driver.put_content(path, content, durable=False))

    def get(self, path: str) -> bytes:
        return bytes(result_of(self.driver.get_content(path)))

    def delete(self, path: str) -> None:
        result_of(self.driver.delete(path))


class RaceTests(_Case):
    def test_creating_and_pruning(self) -> None:
        """Siblings come and go, and with each last one the directories above."""

        def churn(name: str) -> Callable[[], None]:
            def run() -> None:
                for number in range(ROUNDS):
                    self.put(f"/a/b/c/{name}", b"%d" % number)
                    self.assertEqual(self.get(f"/a/b/c/{name}"), b"%d" % number)
                    self.delete(f"/a/b/c/{name}")
                self.put(f"/a/b/c/{name}", b"last")

            return run

        self.race(churn("x"), churn("y"), churn("z"))
        self.assertEqual(tree(self.root), {"a/", "a/b/", "a/b/c/", "a/b/c/x", "a/b/c/y", "a/b/c/z"})

    def test_writing_moving_and_pruning(self) -> None:
        def upload(name: str) -> Callable[[], None]:
            def run() -> None:
                for number in range(ROUNDS):
                    writer = result_of(self.driver.writer(f"/a/u/{name}", create=True))
                    result_of(writer.write(b"%d" % number))
                    result_of(writer.commit(f"/a/b/c/{name}"))
                    self.assertEqual(self.get(f"/a/b/c/{name}"), b"%d" % number)
                    result_of(self.driver.move(f"/a/b/c/{name}", f"/a/d/e/{name}"))
                    self.delete(f"/a/d/e/{name}")

            return run

        self.race(upload("x"), upload("y"), upload("z"))
        self.race(lambda: self.put("/a/b/c/x", b""), lambda: self.put("/a/b/c/y", b""))

    def test_reading_what_is_replaced(self) -> None:
        contents = [bytes([65 + number]) * (number * 1000) for number in range(20)]
        self.put("/a/file", contents[0])

        def write() -> None:
            for content in contents * 10:
                self.put("/a/file", content)

        def read() -> None:
            for _ in range(400):
                self.assertIn(self.get("/a/file"), contents)
                self.assertEqual(result_of(self.driver.children("/a")), ["file"])

        self.race(write, write, read)

    def test_deleting_a_tree_while_it_grows(self) -> None:
        def grow(name: str) -> Callable[[], None]:
            def run() -> None:
                for number in range(ROUNDS):
                    self.put(f"/r/tree/{name}/{number % 7}/file", b"whole")

            return run

        def cut() -> None:
            for _ in range(ROUNDS):
                try:
                    self.delete("/r/tree")
                except PathNotFound:
                    continue

        self.race(grow("x"), grow("y"), cut)
        self.put("/r/tree/file", b"whole")
        self.assertEqual({path for path in tree(self.root) if path.endswith("~") or path.endswith("~/")}, set())


class LockTests(_Case):
    def test_between_processes(self) -> None:
        writer = result_of(self.driver.writer("/a/file", create=True))

        def refused() -> None:
            for create in (True, False):
                self.assertRaises(WriterBusy, result_of, self.driver.writer("/a/file", create=create))
            self.assertRaises(WriterBusy, result_of, self.driver.move("/a/file", "/b"))

        def granted() -> None:
            result_of(result_of(self.driver.writer("/a/file")).close())

        self.race(refused)
        result_of(writer.close())
        self.race(granted)

    def test_ends_with_the_process(self) -> None:
        """Killed, it leaves the bytes that it wrote."""
        ready, tell = os.pipe()
        self.addCleanup(os.close, ready)

        def hold() -> None:
            writer = result_of(self.driver.writer("/a/file", create=True))
            result_of(writer.write(b"half"))
            os.write(tell, b"!")
            signal.pause()

        child = fork(hold)
        os.close(tell)
        self.assertEqual(os.read(ready, 1), b"!")
        self.assertRaises(WriterBusy, result_of, self.driver.writer("/a/file"))
        os.kill(child, signal.SIGKILL)
        self.assertEqual(ended(child), -signal.SIGKILL)
        writer = result_of(self.driver.writer("/a/file"))
        result_of(writer.write(b" done"))
        result_of(writer.commit())
        self.assertEqual(self.get("/a/file"), b"half done")

    def test_one_of_many(self) -> None:
        """Every byte that was granted a lock is there."""
        self.put("/a/file", b"")

        def append() -> None:
            done = 0
            while done < 40:
                try:
                    writer = result_of(self.driver.writer("/a/file"))
                except WriterBusy:
                    continue
                result_of(writer.write(b"x" * 10))
                result_of(writer.close())
                done += 1

        self.race(append, append, append)
        self.assertEqual(len(self.get("/a/file")), 3 * 40 * 10)
