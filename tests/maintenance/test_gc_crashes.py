"""Tests of :mod:`dregistry.maintenance.gc`: the process ends at any change it makes, and a second run cleans up."""

from __future__ import annotations

import os
import shutil

from dregistry.digest import Digest
from dregistry.maintenance import Watcher
from dregistry.maintenance.gc import Options, collect
from dregistry.storage import paths
from dregistry.storage._local_tree import LocalTree

from ..storage.support import ended, fork
from .support import NAME, InFiles, InFilesCase, Recorder, index, subject

CRASH = 77
CHANGES = ("rename", "unlink", "rmdir", "mkdir", "pwrite")
LATER = 4_000_000_000.0


def crash_at(number: int) -> None:
    """End this process, with no chance to clean up, at the change of that number."""
    left = number

    def wrap(name: str) -> None:
        real = getattr(os, name)

        def wrapped(*args, **kwargs):
            nonlocal left
            if left == 0:
                os._exit(CRASH)
            left -= 1
            return real(*args, **kwargs)

        setattr(os, name, wrapped)

    for name in CHANGES:
        wrap(name)


class CrashTests(InFilesCase):
    def fill(self) -> None:
        storage = self.storage
        first = storage.image("first", "v1")
        storage.image("second", "v1")
        child = storage.image("child", name="other")
        storage.manifest(index(child), "list", name="other")
        gone = storage.image("gone", subject=subject(first))
        storage.put(paths.referrer_descriptor(NAME, first, gone), b"{}")
        storage.put(paths.referrers_scanned(NAME), f"{gone}\n{child}")
        storage.layer(b"linked")
        storage.blob(b"loose")

    def collect(self) -> None:
        collect(LocalTree(self.storage.root), Options(untagged_go=True), Watcher(), LATER)

    def test_at_every_change(self) -> None:
        self.patch(LocalTree, "concurrency", 1)  # for speed
        self.fill()
        before = self.storage.all()
        self.collect()
        final = self.storage.all()
        self.assertLess(final.keys(), before.keys())
        scanned = paths.referrers_scanned(NAME)
        crashes, status = 0, CRASH
        while status == CRASH:
            shutil.rmtree(self.storage.root + "/docker")
            self.fill()

            def child(number: int = crashes) -> None:
                crash_at(number)
                self.collect()

            status = ended(fork(child))
            found = self.storage.all()
            self.assertEqual({path: found[path] for path in final} | {scanned: final[scanned]}, final)
            self.assert_whole(found)
            if status == CRASH:
                crashes += 1
                self.collect()
                self.assertEqual(self.storage.all(), final)
        self.assertEqual(status, 0)
        self.assertGreater(crashes, 20)

    def assert_whole(self, found: dict[str, bytes]) -> None:
        """What can be found is there: links lead to blobs, entries of history and of referrers to manifests."""
        for path, content in found.items():
            if "~" in path:
                continue
            if path.endswith("/link"):
                self.assertIn(paths.blob_data(Digest.parse(content.decode())), found, path)
            if "/index/" in path:
                name = NAME if NAME in path else "other"
                self.assertIn(paths.revision_link(name, Digest.parse(content.decode())), found)
            if path.endswith("/descriptor"):
                algorithm, hex_ = path.split("/")[-3:-1]
                self.assertIn(paths.revision_link(NAME, Digest(algorithm, hex_)), found)


class LeftoverTests(InFilesCase):
    """What ``kill -9`` has left."""

    def setUp(self) -> None:
        super().setUp()
        root = self.storage.root
        self.storage.image("a", "v1")
        uploads = paths.uploads(NAME)
        self.places = {
            f"{paths.BLOBS}/sha256/ab/.{'ab' * 32}.0123456789abcdef~/data": b"x" * 1000,
            f"{paths.BLOBS}/sha256/.ab.0123456789abcdef~": b"x" * 10,
            f"{uploads}/.0d2d4d7e-8f5f-4c0b-9d0c-6a8f4f0f6a5e.0123456789abcdef~/data": b"x" * 5000,
            f"{paths.repository('.gone.0123456789abcdef~')}/_layers/x": b"x",
        }
        self.deep = {f"{paths.tag(NAME, 'v1')}/current/.link.0123456789abcdef~": b"sha256:"}
        for path, content in {**self.places, **self.deep}.items():
            self.storage.put(path, content)
        self.changed = os.stat(root + next(iter(self.deep))).st_ctime

    def collect(self, age: float, **options: bool) -> tuple[int, int]:
        recorder = Recorder()
        done = collect(self.storage.tree, Options(**options), recorder, self.changed + age)
        self.assertEqual(len(recorder.named("leftover")), done.leftovers)
        self.assertEqual(done.blobs, 0)
        return done.leftovers, done.leftover_size

    def left(self) -> set[str]:
        return {path for path in self.storage.all() if "~" in path}

    def test_young(self) -> None:
        """They may be of a process that is still at work."""
        self.assertEqual(self.collect(3000), (0, 0))
        self.assertEqual(self.left(), {*self.places, *self.deep})

    def test_dry_run(self) -> None:
        self.assertEqual(self.collect(10_000, dry_run=True), (4, 6011))
        self.assertEqual(self.left(), {*self.places, *self.deep})

    def test_old(self) -> None:
        self.assertEqual(self.collect(10_000), (4, 6011))
        self.assertEqual(self.left(), set(self.deep))
        self.assertEqual(self.collect(10_000), (0, 0))

    def test_everywhere(self) -> None:
        self.assertEqual(self.collect(10_000, all_leftovers=True), (5, 6018))
        self.assertEqual(self.left(), set())

    def test_no_such_names_in_a_driver(self) -> None:
        self.assertEqual(len(InFiles(self.storage.root).tree.names(paths.REPOSITORIES)), 1)
