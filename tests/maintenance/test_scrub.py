"""Tests of :mod:`dregistry.maintenance.scrub`."""

from __future__ import annotations

import fcntl
import os
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.maintenance._verifying import Pace
from dregistry.maintenance.gc import Options as CollectOptions
from dregistry.maintenance.gc import collect
from dregistry.maintenance.scrub import Options, Scrub, restore, scrub
from dregistry.storage import PathNotFound, StorageUnavailable, paths

from .support import InFilesCase, InMemoryCase, Recorder

QUARANTINE = Options(quarantine=True)


class ScrubTests(InMemoryCase):
    def scrub(self, options: Options = Options(), **more: Any) -> Scrub:  # noqa: B008
        return scrub(self.storage.tree, options, self.recorder, **more)

    def corrupt(self, content: bytes, algorithm: str = "sha256") -> Digest:
        """A blob that lost a bit."""
        digest = self.storage.blob(content, algorithm)
        self.storage.put(paths.blob_data(digest), content[:-1] + bytes([content[-1] ^ 1]))
        return digest

    def test_nothing(self) -> None:
        self.assertEqual(self.scrub(), Scrub())

    def test_sound(self) -> None:
        self.storage.image("a", "v1")
        self.storage.blob(b"", "sha256")
        self.storage.blob(b"by sha512", "sha512")
        self.storage.blob(b"x" * 5_000_000)
        done = self.scrub(QUARANTINE)
        self.assertEqual((done.blobs, done.corrupt, self.recorder.items), (6, 0, []))
        self.assertEqual(done.size, sum(len(content) for path, content in self.storage.all().items() if "data" in path))

    def test_corrupt(self) -> None:
        self.storage.image("a", "v1")
        digests = [self.corrupt(b"one"), self.corrupt(b"two", "sha512"), self.corrupt(b"x" * 3_000_000)]
        before = self.storage.all()
        done = self.scrub()
        self.assertEqual((done.blobs, done.corrupt, done.quarantined), (6, 3, 0))
        self.assertEqual(sorted(item.name for item in self.recorder.items), sorted(map(str, digests)))
        self.assertIn(str(Digest.of(b"ond")), self.recorder.items[0].reason + self.recorder.items[1].reason)
        self.assertEqual(self.storage.all(), before)

    def test_truncated(self) -> None:
        digest = self.storage.blob(b"whole")
        for content in (b"whol", b""):
            self.storage.put(paths.blob_data(digest), content)
            self.assertEqual(self.scrub().corrupt, 1)

    def test_quarantine(self) -> None:
        """It is served no more, can be pushed anew, and no collection takes it away."""
        digest = self.corrupt(b"content")
        self.assertEqual(self.scrub(QUARANTINE), Scrub(1, 7, 1, 1))
        self.assertTrue(self.recorder.items[0].removed)
        self.assertEqual(self.storage.all(), {paths.quarantined(digest): b"contenu"})
        self.assertEqual(self.scrub(QUARANTINE), Scrub())
        collect(self.storage.tree, CollectOptions(untagged_go=True), Recorder())
        self.assertIn(paths.quarantined(digest), self.storage.all())
        self.storage.blob(b"content")
        self.assertEqual(self.scrub(QUARANTINE), Scrub(1, 7))

    def test_restore(self) -> None:
        digest = self.corrupt(b"content")
        self.scrub(QUARANTINE)
        self.assertFalse(restore(self.storage.tree, digest))
        self.assertEqual(self.storage.all(), {paths.quarantined(digest): b"contenu"})
        self.storage.put(paths.quarantined(digest), b"content")
        self.assertTrue(restore(self.storage.tree, digest))
        self.assertEqual(self.storage.all(), {paths.blob_data(digest): b"content"})
        self.assertRaises(PathNotFound, restore, self.storage.tree, digest)

    def test_replaced_meanwhile(self) -> None:
        """A second look finds it sound."""
        digest = self.corrupt(b"content")
        storage = self.storage

        class Healing(type(storage.tree)):  # type: ignore[misc]
            looks = 0

            def pieces(self, path: str) -> Any:
                yield from super().pieces(path)
                storage.put(paths.blob_data(digest), b"content")

        storage.tree.__class__ = Healing
        self.assertEqual(self.scrub(QUARANTINE), Scrub(1, 7))
        self.assertEqual(self.recorder.items, [])

    def test_cannot_be_read(self) -> None:
        digest = self.storage.blob(b"content")
        self.storage.blob(b"other")

        class Failing(type(self.storage.tree)):  # type: ignore[misc]
            def pieces(self, path: str) -> Any:
                if path == paths.blob_data(digest):
                    raise StorageUnavailable("bad sector")
                yield from super().pieces(path)

        self.storage.tree.__class__ = Failing
        self.assertEqual(self.scrub(QUARANTINE), Scrub(1, 5, unreadable=1))
        [fault] = self.recorder.faults
        self.assertEqual(fault.name, str(digest))
        self.assertIn("bad sector", fault.reason)
        self.assertIn(paths.blob_data(digest), self.storage.all())

    def test_other_algorithm(self) -> None:
        self.storage.put(f"{paths.BLOBS}/other/aa/{'a' * 40}/data", b"?")
        self.assertEqual(self.scrub(), Scrub(1, 0, unverifiable=1))

    def test_threads(self) -> None:
        digests = [self.corrupt(str(number).encode()) for number in range(200)]
        done = self.scrub(Options(quarantine=True, threads=4))
        self.assertEqual((done.blobs, done.corrupt, done.quarantined), (200, 200, 200))
        self.assertEqual(set(self.storage.all()), {paths.quarantined(digest) for digest in digests})


class ResumeTests(InMemoryCase):
    options = Options(resume=True)

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        for number in range(50):
            self.storage.blob(str(number).encode())

    def scrub(self, until: int | None = None) -> Scrub:
        """:param until: interrupted when it has read so many blobs."""
        clock, read = self.clock, 0

        class Interrupted(Recorder):
            def read(self, size: int) -> None:
                nonlocal read
                read += 1
                clock.advance(1)
                if read == until:
                    raise KeyboardInterrupt

        return scrub(self.storage.tree, self.options, Interrupted(), clock.seconds)

    def test_interrupted(self) -> None:
        self.assertRaises(KeyboardInterrupt, self.scrub, 30)
        position = self.storage.all()[paths.SCRUB].decode()
        self.assertRegex(position, "^sha256/[0-9a-f]{2}$")
        done = self.scrub()
        self.assertTrue(20 <= done.blobs <= 22, done)
        self.assertNotIn(paths.SCRUB, self.storage.all())
        self.assertEqual(self.scrub().blobs, 50)

    def test_at_once(self) -> None:
        self.assertRaises(KeyboardInterrupt, self.scrub, 1)
        self.assertEqual(self.scrub().blobs, 50)

    def test_now_and_then(self) -> None:
        """A process that is killed cannot note anything at its end."""
        positions = []

        class Tree(type(self.storage.tree)):  # type: ignore[misc]
            def put(self, path: str, content: bytes) -> None:
                positions.append(content)
                super().put(path, content)

        self.storage.tree.__class__ = Tree
        self.scrub()
        self.assertTrue(2 <= len(positions) <= 5, positions)
        self.assertEqual(positions, sorted(positions))

    def test_not_asked_for(self) -> None:
        self.options = Options()
        self.assertRaises(KeyboardInterrupt, self.scrub, 30)
        self.assertEqual(self.scrub().blobs, 50)


class FilesScrubTests(ScrubTests, InFilesCase):
    def test_nothing_is_left_of_it(self) -> None:
        digest = self.corrupt(b"content")
        self.scrub(QUARANTINE)
        self.assertFalse(os.path.exists(self.storage.root + paths.blob(digest)))

    def test_busy(self) -> None:
        """Somebody is writing there: it is looked at next time."""
        digest = self.corrupt(b"content")
        writer = os.open(self.storage.root + paths.blob_data(digest), os.O_WRONLY)
        self.addCleanup(os.close, writer)
        fcntl.flock(writer, fcntl.LOCK_EX)
        done = self.scrub(QUARANTINE)
        self.assertEqual((done.corrupt, done.quarantined), (1, 0))


class PaceTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def test_rate(self) -> None:
        pace = Pace(100.0, self.clock.seconds, self.clock.advance)
        for _ in range(10):
            pace.spend(50)
        self.assertEqual(self.clock.seconds(), 4.5)

    def test_nothing_is_saved_up(self) -> None:
        pace = Pace(100.0, self.clock.seconds, self.clock.advance)
        self.clock.advance(1000)
        for _ in range(3):
            pace.spend(100)
        self.assertEqual(self.clock.seconds(), 1002)

    def test_no_bound(self) -> None:
        pace = Pace(None, self.clock.seconds, self.clock.advance)
        pace.spend(1 << 40)
        self.assertEqual(self.clock.seconds(), 0)

    def test_many_readers(self) -> None:
        """Together they do not read faster than one."""
        waits: list[float] = []
        pace = Pace(10.0, self.clock.seconds, waits.append)
        for _ in range(4):
            pace.spend(10)
        self.assertEqual(waits, [1.0, 2.0, 3.0])
