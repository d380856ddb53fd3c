"""Tests of :mod:`dregistry.registry.uploads`, case by case; :mod:`.test_uploads_machine` mixes them."""

from __future__ import annotations

import json
from datetime import datetime

from dregistry.digest import Digest
from dregistry.errors import BlobUploadUnknown, DigestInvalid, RangeInvalid
from dregistry.registry import Registry
from dregistry.registry.uploads import Ticket, Uploads, UploadSession
from dregistry.storage import paths
from dregistry.storage.memory import MemoryDriver

from ..storage.support import ended, fork, inline_driver, result_of, temporary_directory
from .faulty import FaultyDriver
from .support import RegistryCase, content_of, origin, tree

NAME = "some/repo"
BIG = bytes(range(256)) * (1 << 12)
"""1 MiB: one batch."""


class UploadsCase(RegistryCase):
    def setUp(self) -> None:
        super().setUp()
        self.uploads = self.repository.uploads
        self.elsewhere = Registry(self.core()).repository(NAME, origin).uploads

    def start(self, *pieces: bytes, algorithm: str = "sha256") -> Ticket:
        """A session that holds the pieces, each of a request of its own."""
        ticket = self.do(self.uploads.start(algorithm))
        for piece in pieces:
            ticket = self.add(ticket, piece)
        return ticket

    def add(self, ticket: Ticket, piece: bytes, elsewhere: bool = False) -> Ticket:
        """By one request, in this process or another; for the next one."""

        async def add() -> Ticket:
            async with await (self.elsewhere if elsewhere else self.uploads).open(ticket) as session:
                await session.append(piece)
            return session.ticket

        return self.do(add())

    def open(self, ticket: Ticket, elsewhere: bool = False) -> UploadSession:
        return self.do((self.elsewhere if elsewhere else self.uploads).open(ticket))

    def progress(self, ticket: Ticket) -> dict:
        return json.loads(self.do(self.driver.get_content(paths.upload_progress(NAME, ticket.uuid))))

    def assert_unknown(self, ticket: Ticket) -> None:
        for uploads in (self.uploads, self.elsewhere):
            for call in (uploads.offset, uploads.open, uploads.cancel):
                self.assertEqual(self.refused(BlobUploadUnknown, call(ticket)).uuid, ticket.uuid)

    def assert_gone(self, ticket: Ticket) -> None:
        """Nothing of it is in storage; only a first ticket would begin anew."""
        self.assert_unknown(Ticket(ticket.uuid))
        self.assertEqual(self.tree(paths.upload(NAME, ticket.uuid)), {})


class FirstTests(UploadsCase):
    """Sessions before their first bytes."""

    def test_start(self) -> None:
        for algorithm in ("sha256", "sha512"):
            ticket = self.do(self.uploads.start(algorithm))
            self.assertEqual(ticket.begins, algorithm)
            for uploads in (self.uploads, self.elsewhere):
                self.assertEqual(self.do(uploads.offset(ticket)), 0)
            self.assert_unknown(Ticket(ticket.uuid))
        self.assertEqual(self.tree(), {})

    def test_request_that_brings_nothing(self) -> None:
        ticket = self.do(self.uploads.start("sha512"))
        self.assertEqual(self.add(ticket, b""), ticket)
        self.assertEqual(self.add(ticket, b"", elsewhere=True), ticket)
        self.assertEqual(self.tree(), {})

    def test_first_bytes(self) -> None:
        """From then on the uuid is enough, and the first ticket is still good."""
        start = self.do(self.uploads.start("sha512"))
        ticket = self.add(start, b"abc")
        self.assertEqual(ticket, Ticket(start.uuid))
        self.assertEqual(self.progress(ticket)["algorithm"], "sha512")
        for each in (start, ticket, Ticket(start.uuid, "sha256")):
            self.assertEqual(self.do(self.elsewhere.offset(each)), 3)
        self.assertEqual(self.add(start, b"de", elsewhere=True), ticket)
        self.assertEqual(self.progress(ticket)["algorithm"], "sha512")
        self.assertEqual(self.do(self.uploads.offset(ticket)), 5)

    def test_whole_blob(self) -> None:
        """
        In one small request: one look for the session, one write of the blob with its link, and no session. Where no
        byte comes, one more look: the session may have ended before.
        """
        for content in (b"abc", b"", BIG[:-1]):
            driver = FaultyDriver(MemoryDriver())
            uploads = Registry(self.core(driver=driver)).repository(NAME, origin).uploads
            ticket = self.do(uploads.start())
            digest = Digest.of(content)

            async def push(
                uploads: Uploads = uploads, ticket: Ticket = ticket, digest: Digest = digest, content: bytes = content
            ) -> None:
                async with await uploads.open(ticket, digest) as session:
                    await session.append(content)
                    await session.commit(digest)

            self.do(push())
            looks = ["get_content"] if content else ["get_content"] * 2
            self.assertEqual(driver.calls, [*looks, "put_contents"])
            self.assertEqual(
                self.do(tree(driver.inner)),
                {paths.blob_data(digest): content, paths.layer_link(NAME, digest): str(digest).encode()},
            )

    def test_progress_is_there_from_the_first_batch(self) -> None:
        """So that others find what a request has written which never ends."""
        session = self.open(self.do(self.uploads.start("sha512")))
        self.do(session.append(BIG[:-1]))
        self.assertEqual(self.tree(), {})
        self.do(session.append(b"!"))
        found = self.progress(session.ticket)
        self.assertEqual((found["algorithm"], found["offset"], found["digests"]), ("sha512", 0, {}))
        self.assertIn(paths.upload_started_at(NAME, session.uuid), self.tree())
        self.assertEqual(session.ticket, Ticket(session.uuid))
        error = self.refused(RangeInvalid, self.elsewhere.open(session.ticket))
        self.assertEqual(error.upload, session.uuid)
        self.assertLessEqual(error.offset, len(BIG))
        self.do(session.discard())
        self.assert_gone(session.ticket)

    def test_first_request_that_was_cut_off_with_its_process(self) -> None:
        """After more than a batch: another process goes on with what is there."""
        root = temporary_directory(self)

        def end_in_the_middle() -> None:
            uploads = Registry(self.core(driver=inline_driver(root))).repository(NAME, origin).uploads
            session = result_of(uploads.open(ticket))
            for _ in range(3):
                result_of(session.append(BIG))

        ticket = self.do(self.uploads.start())
        self.assertEqual(ended(fork(end_in_the_middle)), 0)
        repository = Registry(self.core(driver=inline_driver(root))).repository(NAME, origin)
        offset = self.do(repository.uploads.offset(Ticket(ticket.uuid)))
        self.assertTrue(len(BIG) <= offset <= 3 * len(BIG), offset)
        session = self.do(repository.uploads.open(Ticket(ticket.uuid)))
        self.do(session.append((BIG * 3)[offset:] + b"end"))
        digest = Digest.of(BIG * 3 + b"end")
        self.do(session.commit(digest))
        self.assertEqual(self.do(content_of(repository, digest)), BIG * 3 + b"end")

    def test_two_requests_at_once(self) -> None:
        """The first to write has the session, whatever the other brings."""
        for first in (b"abc", BIG * 2):
            for late in (b"de", BIG * 2):
                ticket = self.do(self.uploads.start())
                sessions = [self.open(ticket), self.open(ticket, elsewhere=True)]
                self.do(sessions[0].append(first))
                self.do(sessions[0].__aexit__(None, None, None))

                async def come_late(session: UploadSession = sessions[1], late: bytes = late) -> None:
                    async with session:
                        await session.append(late)

                error = self.refused(RangeInvalid, come_late())
                self.assertEqual((error.upload, error.offset), (ticket.uuid, len(first)))
                self.assertEqual(self.do(self.elsewhere.offset(ticket)), len(first))
                digest = Digest.of(first)
                self.do(self.open(sessions[0].ticket).commit(digest))
                self.assertEqual(self.do(content_of(self.repository, digest)), first)
                self.assert_gone(ticket)

    def test_while_another_writes(self) -> None:
        """As above, where the first one is still at it."""
        for late in (b"de", BIG * 2):
            ticket = self.do(self.uploads.start())
            sessions = [self.open(ticket), self.open(ticket, elsewhere=True)]
            self.do(sessions[0].append(BIG))

            async def come_late(session: UploadSession = sessions[1], late: bytes = late) -> None:
                async with session:
                    await session.append(late)

            self.assertEqual(self.refused(RangeInvalid, come_late()).upload, ticket.uuid)
            self.do(sessions[0].append(b"abc"))
            self.do(sessions[0].commit(Digest.of(BIG + b"abc")))
            self.assert_gone(ticket)

    def test_the_same_blob_by_two_requests_at_once(self) -> None:
        ticket = self.do(self.uploads.start())
        digest = Digest.of(b"abc")
        sessions = [self.open(ticket), self.open(ticket, elsewhere=True)]
        for session in sessions:
            self.do(session.append(b"abc"))
        for session in sessions:
            self.do(session.commit(digest))
        self.assertEqual(self.do(content_of(self.repository, digest)), b"abc")
        self.assert_gone(ticket)

    def test_cancel(self) -> None:
        """For good, and for every ticket."""
        ticket = self.do(self.uploads.start())
        self.do(self.elsewhere.cancel(ticket))
        for each in (ticket, Ticket(ticket.uuid), Ticket(ticket.uuid, "sha512")):
            self.assert_unknown(each)
        self.assertEqual(
            set(self.tree()), {paths.upload_progress(NAME, ticket.uuid), paths.upload_started_at(NAME, ticket.uuid)}
        )

    def test_cancelled_under_a_request(self) -> None:
        """Whose bytes are in memory yet."""
        for piece in (b"abc", BIG * 2):
            ticket = self.do(self.uploads.start())
            session = self.open(ticket)
            self.do(session.append(b"1"))
            self.do(self.elsewhere.cancel(ticket))

            async def go_on(session: UploadSession = session, piece: bytes = piece) -> None:
                async with session:
                    await session.append(piece)

            self.refused(BlobUploadUnknown, go_on())
            self.assert_unknown(ticket)
            self.assert_unknown(Ticket(ticket.uuid))

    def test_finished(self) -> None:
        """By a first ticket it is a session of nothing again."""
        for pieces in ((), (b"abc",)):
            ticket = self.do(self.uploads.start())
            last = ticket
            for piece in pieces:
                last = self.add(last, piece)
            session = self.open(last)
            self.do(session.commit(Digest.of(b"".join(pieces))))
            self.assert_gone(ticket)
            self.assertEqual(self.do(self.uploads.offset(ticket)), 0)

    def test_ended_and_asked_again(self) -> None:
        """As by a client that got no answer: the blob is there, and another it does not get."""
        ticket = self.do(self.uploads.start())
        session = self.open(ticket)
        self.do(session.append(b"abc"))
        first = self.do(session.commit(Digest.of(b"abc")))
        before = self.tree()
        self.assertEqual(self.do(self.open(ticket).commit(Digest.of(b"abc"))), first)
        self.refused(DigestInvalid, self.open(ticket).commit(Digest.of(b"other")))
        self.assertEqual(self.tree(), before)

    def test_of_an_algorithm_that_is_not_computed(self) -> None:
        """No registry gives such tickets; nor is what they say of a session in storage believed."""
        fresh, stored = self.do(self.uploads.start()), self.start(b"abc")
        for begins in ("md5", "", "SHA256", "sha256 ", "sha256:abc", "\0", "\xfc", "x" * 1000):
            for uuid in (fresh.uuid, stored.uuid):
                self.assert_unknown(Ticket(uuid, begins))
        self.assertEqual(self.do(self.uploads.offset(stored)), 3)


class SessionTests(UploadsCase):
    def test_time_of_the_start(self) -> None:
        """From the end of the first request on; later ones leave it."""
        path = paths.upload_started_at(NAME, self.start(b"abc").uuid)
        started = datetime.strptime(self.tree()[path].decode(), "%Y-%m-%dT%H:%M:%SZ")
        self.assertGreater(started.year, 2000)
        self.put(path, b"2001-01-01T00:00:00Z")
        self.add(Ticket(path.split("/")[-2]), b"de")
        self.assertEqual(self.tree()[path], b"2001-01-01T00:00:00Z")

    def test_start_by_an_algorithm_that_is_not_computed(self) -> None:
        self.refused(DigestInvalid, self.uploads.start("md5"))
        self.assertEqual(self.tree(), {})

    def test_what_is_no_uuid(self) -> None:
        """Nobody leaves the repository's directory by a session's name."""
        for text in ("", "..", "../../../blobs", "x" * 1000, "00000000-0000-0000-0000-00000000000G", "%2e"):
            for call in (self.uploads.offset, self.uploads.open, self.uploads.cancel):
                for begins in (None, "sha256"):
                    error = self.refused(BlobUploadUnknown, call(Ticket(text, begins)))
                    self.assertLessEqual(len(error.uuid), 64)
        self.assertEqual(self.tree(), {})

    def test_of_another_repository(self) -> None:
        start = self.do(self.uploads.start())
        ticket = self.add(start, b"abc")
        other = self.registry.repository("some/other", origin).uploads
        for call in (other.offset, other.open, other.cancel):
            self.refused(BlobUploadUnknown, call(ticket))
        self.assertEqual(self.do(other.offset(start)), 0)
        self.do(other.cancel(start))
        self.assertEqual(self.do(self.uploads.offset(ticket)), 3)

    def test_kept_between_requests(self) -> None:
        ticket = self.start(b"abc", b"", b"de")
        self.assertEqual(self.do(self.uploads.offset(ticket)), 5)
        self.assertEqual(self.do(self.elsewhere.offset(ticket)), 5)
        found = self.progress(ticket)
        self.assertEqual(
            (found["algorithm"], found["offset"], found["digests"]),
            ("sha256", 5, {"sha256": Digest.of(b"abcde").hex}),
        )

    def test_kept_when_the_request_fails(self) -> None:
        """Whatever becomes of a request, what it has taken stays."""
        ticket = self.start(b"abc")

        async def fail() -> None:
            async with await self.uploads.open(ticket) as session:
                await session.append(b"de")
                raise KeyError

        self.refused(KeyError, fail())
        self.assertEqual(self.do(self.elsewhere.offset(ticket)), 5)

    def test_one_request_at_a_time(self) -> None:
        ticket = self.start(b"abc")
        session = self.open(ticket)
        error = self.refused(RangeInvalid, self.elsewhere.open(ticket))
        self.assertEqual((error.upload, error.offset), (ticket.uuid, 3))
        self.do(session.discard())

    def test_cancel(self) -> None:
        ticket = self.start(b"abc")
        self.do(self.elsewhere.cancel(ticket))
        self.assert_gone(ticket)

    def test_cancelled_under_a_request(self) -> None:
        ticket = self.start(b"abc")
        session = self.open(ticket)
        self.do(self.elsewhere.cancel(ticket))
        self.do(session.append(b"de"))
        self.refused(BlobUploadUnknown, session.__aexit__(None, None, None))
        self.assert_gone(ticket)

    def test_discard(self) -> None:
        ticket = self.start(b"abc")
        session = self.open(ticket)
        self.do(session.append(BIG))
        self.do(session.discard())
        self.do(session.__aexit__(None, None, None))
        self.do(session.discard())
        self.assert_gone(ticket)
