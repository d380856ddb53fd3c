"""Tests of :mod:`dregistry.registry.uploads`: how sessions become blobs."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown, BlobUploadUnknown, DigestInvalid, RangeInvalid
from dregistry.registry import Registry
from dregistry.registry.uploads import Ticket, Uploads
from dregistry.storage import paths
from dregistry.storage.memory import MemoryDriver

from .faulty import Interrupted
from .support import content_of, origin
from .test_uploads import BIG, NAME, UploadsCase


class CommitTests(UploadsCase):
    def committed(self, ticket: Ticket, content: bytes, algorithm: str = "sha256", elsewhere: bool = False) -> None:
        """The request that ends the session, bringing nothing."""
        session = self.open(ticket, elsewhere)
        digest = Digest.of(content, algorithm)
        descriptor = self.do(session.commit(digest))
        self.do(session.__aexit__(None, None, None))
        self.assertEqual(
            (descriptor.digest, descriptor.size, descriptor.media_type),
            (digest, len(content), "application/octet-stream"),
        )
        self.assertEqual(self.do(content_of(self.repository, digest)), content)
        self.assert_gone(ticket)

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
        for content in (b"abc", BIG + b"abc"):
            digest = Digest.of(content, "sha512")
            session = self.open(self.start())
            self.do(session.append(content))
            self.do(session.commit(digest))
            self.assertEqual(self.do(content_of(self.repository, digest)), content)
            self.assert_gone(session.ticket)

    def test_last_piece_elsewhere(self) -> None:
        """The closing PUT brings the end, to a process that has not hashed the beginning."""
        session = self.open(self.start(b"abc"), elsewhere=True)
        self.do(session.append(b"de"))
        self.do(session.commit(Digest.of(b"abcde")))

    def test_digest_of_an_earlier_request(self) -> None:
        """The closing PUT that brings nothing need not read what another process hashed."""
        ticket = self.start(b"abc")
        self.put(paths.upload_data(NAME, ticket.uuid), b"xyz")  # to be told apart, were it read
        session = self.open(ticket, elsewhere=True)
        self.do(session.commit(Digest.of(b"abc")))

    def test_unhashed(self) -> None:
        """By turns in two processes: neither has hashed all, so it is read again."""
        ticket = self.start(b"abc")
        self.add(ticket, b"de", elsewhere=True)
        self.assertEqual(self.progress(ticket)["digests"], {})
        self.add(ticket, b"f")
        self.add(ticket, b"", elsewhere=True)
        self.committed(ticket, b"abcdef", elsewhere=True)

    def test_known_digests_stay_known(self) -> None:
        """A process that adds nothing to what another has hashed leaves it its word."""
        ticket = self.start(b"abc")
        self.add(ticket, b"", elsewhere=True)
        self.assertEqual(self.progress(ticket)["digests"], {"sha256": Digest.of(b"abc").hex})

    def test_torn_progress(self) -> None:
        for torn in (b"", b"{", b"[]", b"3", b'{"algorithm":"sha256","offset":"x","digests":{}}', b"\xff"):
            ticket = self.start(b"abc")
            self.put(paths.upload_progress(NAME, ticket.uuid), torn)
            self.committed(ticket, b"abc", elsewhere=True)

    def test_lost_progress(self) -> None:
        """By a power cut; or there was none, in a session that another registry began."""
        ticket = self.start(b"abc")
        self.do(self.driver.delete(paths.upload_progress(NAME, ticket.uuid)))
        for uploads in (self.uploads, self.elsewhere):
            self.assertEqual(self.do(uploads.offset(ticket)), 3)
        self.committed(self.add(ticket, b"de", elsewhere=True), b"abcde")

    def test_lost_progress_and_a_first_ticket(self) -> None:
        """Which says that there may be nothing yet: the first bytes that come are told what there is."""
        start = self.do(self.uploads.start())
        ticket = self.add(start, b"abc")
        self.do(self.driver.delete(paths.upload_progress(NAME, ticket.uuid)))

        async def go_on() -> None:
            async with await self.elsewhere.open(start) as session:
                await session.append(b"de")

        self.assertEqual(self.refused(RangeInvalid, go_on()).offset, 3)
        self.assertEqual(self.do(self.uploads.offset(start)), 3)
        self.committed(self.add(start, b"de"), b"abcde")

    def test_progress_of_an_algorithm_that_is_not_computed(self) -> None:
        for content in (b"", b"abc"):
            ticket = self.start(content)
            self.put(paths.upload_progress(NAME, ticket.uuid), b'{"algorithm":"md5","offset":0,"digests":{}}')
            self.committed(ticket, content, elsewhere=True)

    def test_wrong_digest(self) -> None:
        for algorithm in ("sha256", "sha512"):
            for pieces in ((b"abc",), (b"a", b"bc"), (BIG, b"abc")):
                *before, last = pieces
                session = self.open(self.start(*before))
                self.do(session.append(last))
                wrong = Digest.of(b"abd", algorithm)
                self.refused(DigestInvalid, session.commit(wrong))
                self.do(session.__aexit__(None, None, None))
                self.assert_gone(session.ticket)
                for digest in (wrong, Digest.of(b"".join(pieces), algorithm)):
                    self.refused(BlobUnknown, self.repository.blobs.stat(digest))
        self.assertEqual(self.tree(), {})

    def test_known_content(self) -> None:
        """The same blob again, here and in another repository: stored once, linked twice."""
        for number, content in enumerate((b"abc", BIG + b"abc"), 1):
            digest = self.push(content)
            before = self.do(self.driver.stat(paths.blob_data(digest))).modified
            self.push(content)
            self.push(content, repository=self.registry.repository("b", origin))
            if len(content) > len(BIG):  # what comes in one small request is put there again, at no cost
                self.assertEqual(self.do(self.driver.stat(paths.blob_data(digest))).modified, before)
            self.assertEqual(len(self.tree(f"{paths.ROOT}/blobs")), number)
            self.assertEqual(self.do(content_of(self.registry.repository("b", origin), digest)), content)

    def test_torn_content_is_replaced(self) -> None:
        """Content of the wrong size (a crash without fsync) does not count as known."""
        for content in (b"abc", BIG + b"abc"):
            digest = Digest.of(content)
            self.put(paths.blob_data(digest), b"a")
            self.push(content)
            self.assertEqual(self.do(content_of(self.repository, digest)), content)

    def test_cancelled_before(self) -> None:
        session = self.open(self.start(b"abc"))
        self.do(self.elsewhere.cancel(session.ticket))
        self.refused(BlobUploadUnknown, session.commit(Digest.of(b"abc")))
        self.refused(BlobUnknown, self.repository.blobs.stat(Digest.of(b"abc")))
        self.assert_gone(session.ticket)

    def test_cancelled_before_it_is_read(self) -> None:
        """As above, where the digest is not known yet."""
        session = self.open(self.start(b"abc"))
        self.do(self.elsewhere.cancel(session.ticket))
        self.refused(BlobUploadUnknown, session.commit(Digest.of(b"abc", "sha512")))

    def test_read_again_under_the_lock(self) -> None:
        """What another request does while the bytes are read is refused, or ends the session."""
        for piece in (b"abc", BIG + b"abc"):
            driver = Interrupted(MemoryDriver(), "writer.read")
            here, there = (Registry(self.core(driver=driver)).repository(NAME, origin).uploads for _ in range(2))
            ticket = self.do(here.start())

            async def add(uploads: Uploads = here, ticket: Ticket = ticket, piece: bytes = piece) -> Ticket:
                async with await uploads.open(ticket) as session:
                    await session.append(piece)
                return session.ticket

            ticket = self.do(add())
            digest = Digest.of(piece, "sha512")
            refusals: list[int] = []

            def interrupt(there: Uploads = there, ticket: Ticket = ticket, found: list[int] = refusals) -> None:
                found.append(self.refused(RangeInvalid, there.open(ticket)).offset)

            driver.interrupt = interrupt
            self.do(self.do(here.open(ticket)).commit(digest))
            self.assertGreater(len(refusals), 0)
            self.assertEqual(set(refusals), {len(piece)})
            blob = Registry(self.core(driver=driver)).repository(NAME, origin)
            self.assertEqual(self.do(content_of(blob, digest)), piece)

    def test_cancelled_while_it_is_read(self) -> None:
        driver = Interrupted(MemoryDriver(), "writer.read")
        here, there = (Registry(self.core(driver=driver)).repository(NAME, origin) for _ in range(2))
        session = self.do(here.uploads.open(self.do(here.uploads.start())))
        self.do(session.append(BIG + b"abc"))
        digest = Digest.of(BIG + b"abc", "sha512")

        def interrupt() -> None:
            driver.at = ""
            self.do(there.uploads.cancel(session.ticket))

        driver.interrupt = interrupt
        self.refused(BlobUploadUnknown, session.commit(digest))
        self.refused(BlobUnknown, there.blobs.stat(digest))


class ReusedTests(UploadsCase):
    """
    A uuid that a client uses again, or in two repositories. Whatever was known of the bytes of the one session does not
    count for the other.
    """

    ONE = b"what was hashed"
    OTHER = b"what is written"

    def assert_not_mistaken(self, uploads: Uploads, ticket: Ticket) -> None:
        """A session holds OTHER: it makes a blob of no other digest."""
        self.refused(DigestInvalid, self.do(uploads.open(ticket)).commit(Digest.of(self.ONE)))
        self.refused(BlobUnknown, self.repository.blobs.stat(Digest.of(self.ONE)))
        self.assertNotIn(paths.blob_data(Digest.of(self.ONE)), self.tree())

    def test_in_two_repositories(self) -> None:
        first = self.registry.repository("some/other", origin).uploads
        start = self.do(self.uploads.start())
        ticket = self.add(start, self.OTHER)

        async def add() -> None:
            async with await first.open(start) as session:
                await session.append(self.ONE)

        self.do(add())
        self.assert_not_mistaken(self.uploads, ticket)

    def test_begun_anew_in_another_process(self) -> None:
        start = self.do(self.uploads.start())
        ticket = self.add(start, self.ONE)
        self.do(self.elsewhere.cancel(ticket))
        self.add(start, self.OTHER, elsewhere=True)
        self.assert_not_mistaken(self.uploads, ticket)

    def test_begun_anew_under_a_request(self) -> None:
        """Which then has nothing to say of it."""
        for elsewhere in (False, True):
            start = self.do(self.uploads.start())
            ticket = self.add(start, self.ONE[:1])
            session = self.open(ticket)
            self.do(session.append(self.ONE[1:]))
            self.do(self.elsewhere.cancel(ticket))
            self.add(start, self.OTHER, elsewhere=True)
            self.refused(BlobUploadUnknown, session.__aexit__(None, None, None))
            self.assertEqual(self.progress(ticket)["digests"], {"sha256": Digest.of(self.OTHER).hex})
            self.assert_not_mistaken(self.elsewhere if elsewhere else self.uploads, ticket)

    def test_begun_anew_while_a_request_opens_it(self) -> None:
        """Between its look at what is known of the session and its hold of the bytes."""
        for hashed_here in (True, False):
            driver = Interrupted(self.driver, "writer")
            here = Registry(self.core(driver=driver)).repository(NAME, origin).uploads
            start = self.do(here.start())

            async def add(start: Ticket = start, uploads: Uploads = here if hashed_here else self.uploads) -> None:
                async with await uploads.open(start) as session:
                    await session.append(self.ONE)

            self.do(add())

            def interrupt(start: Ticket = start, driver: Interrupted = driver) -> None:
                driver.at = ""
                self.do(self.elsewhere.cancel(start))
                self.add(start, self.OTHER, elsewhere=True)

            driver.interrupt = interrupt

            async def commit(uploads: Uploads = here, uuid: str = start.uuid) -> None:
                async with await uploads.open(Ticket(uuid)) as session:
                    await session.commit(Digest.of(self.ONE))

            failure = self.failureResultOf(Deferred.fromCoroutine(commit()), DigestInvalid, BlobUploadUnknown)
            self.assertEqual(driver.at, "", failure)
            self.assertNotIn(paths.blob_data(Digest.of(self.ONE)), self.tree())

    def test_begun_anew_by_the_same(self) -> None:
        """That is no harm."""
        start = self.do(self.uploads.start())
        self.do(self.uploads.cancel(self.add(start, self.ONE)))
        ticket = self.add(start, self.OTHER)
        self.do(self.open(ticket).commit(Digest.of(self.OTHER)))
        self.assertEqual(self.do(content_of(self.repository, Digest.of(self.OTHER))), self.OTHER)
