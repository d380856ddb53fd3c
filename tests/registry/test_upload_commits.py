"""Tests of :mod:`dregistry.registry.uploads`: how sessions become blobs."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown, BlobUploadUnknown, DigestInvalid, RangeInvalid
from dregistry.registry import Registry
from dregistry.registry.uploads import Uploads, UploadSession
from dregistry.storage import paths
from dregistry.storage.memory import MemoryDriver

from .support import content_of, origin
from .test_uploads import BIG, NAME, UploadsCase


class Interrupted(MemoryDriver):
    """Something happens while the bytes of an upload are read."""

    async def interrupt(self) -> None:
        """What a test puts here."""

    async def read(self, path: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        async for piece in super().read(path, offset, length):
            if "_uploads" in path:
                await self.interrupt()
            yield piece


class CommitTests(UploadsCase):
    def committed(self, uuid: str, content: bytes, algorithm: str = "sha256", elsewhere: bool = False) -> None:
        """The request that ends the session, bringing nothing."""
        session = self.open(uuid, elsewhere)
        digest = Digest.of(content, algorithm)
        descriptor = self.do(session.commit(digest))
        self.do(session.__aexit__(None, None, None))
        self.assertEqual(
            (descriptor.digest, descriptor.size, descriptor.media_type),
            (digest, len(content), "application/octet-stream"),
        )
        self.assertEqual(self.do(content_of(self.repository, digest)), content)
        self.assert_gone(uuid)

    def test_one_piece(self) -> None:
        self.committed(self.start(b"abc"), b"abc")

    def test_nothing(self) -> None:
        self.committed(self.start(), b"")

    def test_batches(self) -> None:
        """More than one batch, and a rest."""
        self.committed(self.start(BIG + b"1", BIG * 2, b"2"), BIG + b"1" + BIG * 2 + b"2")

    def test_many_small_pieces(self) -> None:
        digest = Digest.of(b"ab" * 3000)
        session = self.open(self.start())
        for _ in range(3000):
            self.do(session.append(b"ab"))
        self.do(session.commit(digest))
        self.assertEqual(self.do(content_of(self.repository, digest)), b"ab" * 3000)

    def test_stored_as_distribution_does(self) -> None:
        digest = self.push(b"abc")
        self.assertEqual(
            self.tree(), {paths.blob_data(digest): b"abc", paths.layer_link(NAME, digest): str(digest).encode()}
        )

    def test_by_sha512(self) -> None:
        self.committed(self.start(b"abc", b"de", algorithm="sha512"), b"abcde", "sha512")

    def test_by_another_algorithm_than_announced(self) -> None:
        for started, ended in (("sha256", "sha512"), ("sha512", "sha256")):
            self.committed(self.start(b"abc", b"de", algorithm=started), b"abcde", ended)

    def test_by_another_algorithm_in_the_request_that_brings_it(self) -> None:
        """What a writer has not closed need not be readable."""
        session = self.open(self.start())
        self.do(session.append(b"abc"))
        self.do(session.commit(Digest.of(b"abc", "sha512")))

    def test_last_piece_elsewhere(self) -> None:
        """The closing PUT brings the end, to a process that has not hashed the beginning."""
        session = self.open(self.start(b"abc"), elsewhere=True)
        self.do(session.append(b"de"))
        self.do(session.commit(Digest.of(b"abcde")))

    def test_digest_of_an_earlier_request(self) -> None:
        """The closing PUT that brings nothing need not read what another process hashed."""
        uuid = self.start(b"abc")
        self.put(paths.upload_data(NAME, uuid), b"xyz")  # to be told apart, were it read
        session = self.open(uuid, elsewhere=True)
        self.do(session.commit(Digest.of(b"abc")))

    def test_unhashed(self) -> None:
        """By turns in two processes: neither has hashed all, so it is read again."""
        uuid = self.start(b"abc")
        self.add(uuid, b"de", elsewhere=True)
        self.assertEqual(self.progress(uuid)["digests"], {})
        self.add(uuid, b"f")
        self.add(uuid, b"", elsewhere=True)
        self.committed(uuid, b"abcdef", elsewhere=True)

    def test_known_digests_stay_known(self) -> None:
        """A process that adds nothing to what another has hashed leaves it its word."""
        uuid = self.start(b"abc")
        self.add(uuid, b"", elsewhere=True)
        self.assertEqual(self.progress(uuid)["digests"], {"sha256": Digest.of(b"abc").hex})

    def test_torn_progress(self) -> None:
        for torn in (b"", b"{", b"[]", b"3", b'{"algorithm":"sha256","offset":"x","digests":{}}', b"\xff"):
            uuid = self.start(b"abc")
            self.put(paths.upload_progress(NAME, uuid), torn)
            self.committed(uuid, b"abc", elsewhere=True)

    def test_progress_of_an_algorithm_that_is_not_computed(self) -> None:
        uuid = self.start()
        self.put(paths.upload_progress(NAME, uuid), b'{"algorithm":"md5","offset":0,"digests":{}}')
        self.committed(uuid, b"", elsewhere=True)

    def test_wrong_digest(self) -> None:
        for algorithm in ("sha256", "sha512"):
            session = self.open(self.start(b"abc"))
            wrong = Digest.of(b"abd", algorithm)
            self.refused(DigestInvalid, session.commit(wrong))
            self.do(session.__aexit__(None, None, None))
            self.assert_gone(session.uuid)
            for digest in (wrong, Digest.of(b"abc", algorithm)):
                self.refused(BlobUnknown, self.repository.blobs.stat(digest))
        self.assertEqual(self.tree(), {})

    def test_known_content(self) -> None:
        """The same blob again, here and in another repository: stored once, linked twice."""
        digest = self.push(b"abc")
        before = self.do(self.driver.stat(paths.blob_data(digest))).modified
        self.push(b"abc")
        self.push(b"abc", repository=self.registry.repository("b", origin))
        self.assertEqual(self.do(self.driver.stat(paths.blob_data(digest))).modified, before)
        self.assertEqual(len(self.tree(f"{paths.ROOT}/blobs")), 1)
        self.assertEqual(self.do(content_of(self.registry.repository("b", origin), digest)), b"abc")

    def test_torn_content_is_replaced(self) -> None:
        """Content of the wrong size (a crash without fsync) does not count as known."""
        digest = Digest.of(b"abc")
        self.put(paths.blob_data(digest), b"a")
        self.push(b"abc")
        self.assertEqual(self.do(content_of(self.repository, digest)), b"abc")

    def test_cancelled_before(self) -> None:
        session = self.open(self.start(b"abc"))
        self.do(self.elsewhere.cancel(session.uuid))
        self.refused(BlobUploadUnknown, session.commit(Digest.of(b"abc")))
        self.refused(BlobUnknown, self.repository.blobs.stat(Digest.of(b"abc")))
        self.assert_gone(session.uuid)

    def test_cancelled_before_it_is_read(self) -> None:
        """As above, where the digest is not known yet."""
        session = self.open(self.start(b"abc"))
        self.do(self.elsewhere.cancel(session.uuid))
        self.refused(BlobUploadUnknown, session.commit(Digest.of(b"abc", "sha512")))

    def test_taken_up_elsewhere_while_it_is_read(self) -> None:
        """The bytes are read without the lock: what another request does meanwhile decides."""
        for keep_open in (True, False):
            driver = Interrupted()
            here, there = (Registry(self.core(driver=driver)).repository(NAME, origin).uploads for _ in range(2))
            session = self.do(here.open(self.do(here.start())))
            self.do(session.append(b"abc"))
            uuid = session.uuid
            others: list[UploadSession] = []

            async def interrupt(
                there: Uploads = there, uuid: str = uuid, others: list = others, keep_open: bool = keep_open
            ) -> None:
                others.append(await there.open(uuid))
                await others[0].append(b"de")
                if not keep_open:
                    await others[0].__aexit__(None, None, None)

            driver.interrupt = interrupt
            error = self.refused(RangeInvalid, session.commit(Digest.of(b"abc", "sha512")))
            self.assertEqual((error.upload, error.offset), (uuid, 3 if keep_open else 5))
            self.do(session.__aexit__(None, None, None))
            if keep_open:
                self.do(others[0].__aexit__(None, None, None))
            self.assertEqual(self.do(there.offset(uuid)), 5)
            del driver.interrupt
            session = self.do(here.open(uuid))
            self.do(session.commit(Digest.of(b"abcde")))
