"""Tests of :mod:`dregistry.maintenance.purge`."""

from __future__ import annotations

import fcntl
import os

from dregistry.maintenance.purge import Purge, purge_uploads
from dregistry.maintenance.report import UPLOAD
from dregistry.storage import paths

from .support import NAME, InFilesCase, InMemoryCase

UUID = "0d2d4d7e-8f5f-4c0b-9d0c-6a8f4f0f6a5e"
OTHER = "1d2d4d7e-8f5f-4c0b-9d0c-6a8f4f0f6a5e"
AGE = 3600.0
BEGAN = 1_000_000_000.0
STARTED_AT = b"2001-09-09T01:46:40Z"


class PurgeTests(InMemoryCase):
    def purge(self, after: float, dry_run: bool = False) -> Purge:
        """At some seconds after :data:`BEGAN`."""
        return purge_uploads(self.storage.tree, AGE, dry_run, self.recorder, BEGAN + after)

    def session(self, uuid: str = UUID, name: str = NAME, started_at: bytes | None = STARTED_AT) -> str:
        self.storage.put(paths.upload_data(name, uuid), b"x" * 100)
        if started_at is not None:
            self.storage.put(paths.upload_started_at(name, uuid), started_at)
        return paths.upload_data(name, uuid)

    def test_nothing(self) -> None:
        self.storage.image("a", "v1")
        self.assertEqual(self.purge(1e9), Purge())

    def test_age(self) -> None:
        path = self.session()
        self.assertEqual(self.purge(AGE), Purge(remaining=1))
        self.assertIn(path, self.storage.all())
        self.assertEqual(self.purge(AGE + 1), Purge(sessions=1, size=100))
        self.assertEqual(self.storage.all(), {})
        [item] = self.recorder.items
        self.assertEqual((item.kind, item.name, item.repository, item.removed), (UPLOAD, UUID, NAME, True))
        self.assertIn("2001-09-09T01:46:40Z", item.reason)

    def test_only_old_ones(self) -> None:
        self.storage.image("a", "v1")
        young = self.session(OTHER, started_at=b"2001-09-09T02:46:40Z")
        old = [self.session(), self.session(name="other"), self.session(name="deep/a/b/c")]
        self.assertEqual(self.purge(AGE + 1), Purge(sessions=3, size=300, remaining=1))
        after = self.storage.all()
        self.assertIn(young, after)
        self.assertFalse(set(old) & after.keys())

    def test_dry_run(self) -> None:
        self.session()
        before = self.storage.all()
        self.assertEqual(self.purge(AGE + 1, dry_run=True).sessions, 1)
        self.assertEqual(self.storage.all(), before)
        self.assertFalse(self.recorder.items[0].removed)

    def test_notations_of_time(self) -> None:
        """RFC 3339, as Go writes and reads it."""
        for text in (b"2001-09-09T03:46:40+02:00", b"2001-09-09T01:46:40.123456789Z", b"2001-09-09T01:46:40Z\n"):
            self.session(started_at=text)
            self.assertEqual(self.purge(AGE).sessions, 0, text)
            self.assertEqual(self.purge(AGE + 1).sessions, 1, text)

    def test_no_start(self) -> None:
        """Then the time of its bytes counts: they have just been written, in the days of the test."""
        for text in (None, b"", b"2001-09-", b"yesterday", b"\xff", b"2001-09-09T01:46:40", b"2001-09-09"):
            path = self.session(started_at=text)
            self.assertEqual(self.purge(AGE + 1), Purge(remaining=1), text)
            self.assertIn(path, self.storage.all())
            self.assertEqual(self.purge(1e10).sessions, 1)

    def test_what_other_registries_keep_there(self) -> None:
        self.session()
        self.storage.put(f"{paths.upload(NAME, UUID)}/hashstates/sha256/100", b"state")
        self.assertEqual(self.purge(AGE + 1).sessions, 1)
        self.assertEqual(self.storage.all(), {})

    def test_names_that_are_no_sessions(self) -> None:
        self.storage.put(f"{paths.uploads(NAME)}/notes/startedat", STARTED_AT)
        self.assertEqual(self.purge(1e10), Purge())


class FilesPurgeTests(PurgeTests, InFilesCase):
    def test_no_files(self) -> None:
        """A session of which a crash has left the directory."""
        folder = self.storage.root + paths.upload(NAME, UUID)
        os.makedirs(folder)
        os.utime(folder, (BEGAN, BEGAN))
        self.assertEqual(self.purge(AGE).sessions, 0)
        self.assertEqual(self.purge(AGE + 1).sessions, 1)
        self.assertFalse(os.path.exists(folder))

    def test_time_of_bytes(self) -> None:
        path = self.storage.root + self.session(started_at=None)
        os.utime(path, (BEGAN, BEGAN))
        os.utime(os.path.dirname(path), (BEGAN - 10_000, BEGAN - 10_000))
        self.assertEqual(self.purge(AGE).sessions, 0)
        self.assertEqual(self.purge(AGE + 1).sessions, 1)

    def test_at_work(self) -> None:
        """A request is writing to it."""
        with open(self.storage.root + self.session(), "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.assertEqual(self.purge(1e10), Purge(remaining=1))
        self.assertEqual(self.purge(1e10).sessions, 1)
