"""Tests of :mod:`dregistry.registry.uploads`, case by case; :mod:`.test_uploads_machine` mixes them."""

from __future__ import annotations

import json
from datetime import datetime

from dregistry.digest import Digest
from dregistry.errors import BlobUploadUnknown, DigestInvalid, RangeInvalid
from dregistry.registry import Registry
from dregistry.registry.uploads import UploadSession
from dregistry.storage import paths

from .support import RegistryCase, origin

NAME = "some/repo"
BIG = bytes(range(256)) * (1 << 12)
"""1 MiB: one batch."""


class UploadsCase(RegistryCase):
    def setUp(self) -> None:
        super().setUp()
        self.uploads = self.repository.uploads
        self.elsewhere = Registry(self.core()).repository(NAME, origin).uploads

    def start(self, *pieces: bytes, algorithm: str = "sha256") -> str:
        """A session that holds the pieces, each of a request of its own."""
        uuid = self.do(self.uploads.start(algorithm))
        for piece in pieces:
            self.add(uuid, piece)
        return uuid

    def add(self, uuid: str, piece: bytes, elsewhere: bool = False) -> None:
        """By one request, in this process or another."""

        async def add() -> None:
            async with await (self.elsewhere if elsewhere else self.uploads).open(uuid) as session:
                await session.append(piece)

        self.do(add())

    def open(self, uuid: str, elsewhere: bool = False) -> UploadSession:
        return self.do((self.elsewhere if elsewhere else self.uploads).open(uuid))

    def progress(self, uuid: str) -> dict:
        return json.loads(self.do(self.driver.get_content(paths.upload_progress(NAME, uuid))))

    def assert_gone(self, uuid: str) -> None:
        for uploads in (self.uploads, self.elsewhere):
            for call in (uploads.offset, uploads.open, uploads.cancel):
                self.assertEqual(self.refused(BlobUploadUnknown, call(uuid)).uuid, uuid)
        self.assertEqual(self.tree(paths.upload(NAME, uuid)), {})


class SessionTests(UploadsCase):
    def test_start(self) -> None:
        uuid = self.do(self.uploads.start())
        self.assertEqual(self.do(self.uploads.offset(uuid)), 0)
        self.assertEqual(self.tree(paths.upload(NAME, uuid)), {paths.upload_data(NAME, uuid): b""})

    def test_time_of_the_start(self) -> None:
        """From the end of the first request on; later ones leave it."""
        path = paths.upload_started_at(NAME, self.start(b"abc"))
        started = datetime.strptime(self.tree()[path].decode(), "%Y-%m-%dT%H:%M:%SZ")
        self.assertGreater(started.year, 2000)
        self.put(path, b"2001-01-01T00:00:00Z")
        self.add(path.split("/")[-2], b"de")
        self.assertEqual(self.tree()[path], b"2001-01-01T00:00:00Z")

    def test_start_by_an_algorithm_that_is_not_computed(self) -> None:
        self.refused(DigestInvalid, self.uploads.start("md5"))
        self.assertEqual(self.tree(), {})

    def test_what_is_no_uuid(self) -> None:
        """Nobody leaves the repository's directory by a session's name."""
        for text in ("", "..", "../../../blobs", "x" * 1000, "00000000-0000-0000-0000-00000000000G", "%2e"):
            for call in (self.uploads.offset, self.uploads.open, self.uploads.cancel):
                self.assertLessEqual(len(self.refused(BlobUploadUnknown, call(text)).uuid), 64)

    def test_of_another_repository(self) -> None:
        uuid = self.start(b"abc")
        other = self.registry.repository("some/other", origin).uploads
        for call in (other.offset, other.open, other.cancel):
            self.refused(BlobUploadUnknown, call(uuid))
        self.assertEqual(self.do(self.uploads.offset(uuid)), 3)

    def test_kept_between_requests(self) -> None:
        uuid = self.start(b"abc", b"", b"de")
        self.assertEqual(self.do(self.uploads.offset(uuid)), 5)
        self.assertEqual(self.do(self.elsewhere.offset(uuid)), 5)
        self.assertEqual(
            self.progress(uuid), {"algorithm": "sha256", "offset": 5, "digests": {"sha256": Digest.of(b"abcde").hex}}
        )

    def test_kept_when_the_request_fails(self) -> None:
        """Whatever becomes of a request, what it has taken stays."""
        uuid = self.start(b"abc")

        async def fail() -> None:
            async with await self.uploads.open(uuid) as session:
                await session.append(b"de")
                raise KeyError

        self.refused(KeyError, fail())
        self.assertEqual(self.do(self.elsewhere.offset(uuid)), 5)

    def test_one_request_at_a_time(self) -> None:
        uuid = self.start(b"abc")
        session = self.open(uuid)
        error = self.refused(RangeInvalid, self.elsewhere.open(uuid))
        self.assertEqual((error.upload, error.offset), (uuid, 3))
        self.do(session.discard())

    def test_cancel(self) -> None:
        uuid = self.start(b"abc")
        self.do(self.elsewhere.cancel(uuid))
        self.assert_gone(uuid)

    def test_cancelled_under_a_request(self) -> None:
        uuid = self.start(b"abc")
        session = self.open(uuid)
        self.do(self.elsewhere.cancel(uuid))
        self.do(session.append(b"de"))
        self.refused(BlobUploadUnknown, session.__aexit__(None, None, None))
        self.assert_gone(uuid)

    def test_discard(self) -> None:
        uuid = self.start(b"abc")
        session = self.open(uuid)
        self.do(session.append(BIG))
        self.do(session.discard())
        self.do(session.__aexit__(None, None, None))
        self.do(session.discard())
        self.assert_gone(uuid)
