"""Tests of :mod:`dregistry.registry.uploads` on a driver whose writers have a state."""

from __future__ import annotations

from base64 import b64decode

from twisted.trial.unittest import TestCase

from dregistry.digest import Digest
from dregistry.errors import BlobUploadUnknown, RangeInvalid
from dregistry.registry import Registry
from dregistry.registry.uploads import Ticket, Uploads, UploadSession
from dregistry.storage import paths
from dregistry.testing import StorageDriverSuite

from .faulty import FaultyDriver
from .parts import PART, PartsDriver
from .support import content_of, origin
from .test_uploads import BIG, NAME, UploadsCase


class PartsDriverTests(StorageDriverSuite, TestCase):
    def make_driver(self) -> PartsDriver:
        return PartsDriver()


class StateTests(UploadsCase):
    driver: PartsDriver

    def make_driver(self) -> PartsDriver:
        return PartsDriver()

    def new_process(self) -> Uploads:
        return Registry(self.core()).repository(NAME, origin).uploads

    def state(self, ticket: Ticket) -> bytes:
        return b64decode(self.progress(ticket).get("state", ""))

    def states(self) -> list[bytes]:
        return [state for state, _ in self.driver.handed]

    def committed(self, ticket: Ticket, content: bytes) -> None:
        digest = Digest.of(content)
        self.do(self.open(ticket, elsewhere=True).commit(digest))
        self.assertEqual(self.do(content_of(self.repository, digest)), content)
        self.assert_gone(ticket)
        self.assertEqual(self.driver.parts, {})

    def test_handed_to_the_next_writer(self) -> None:
        ticket = self.start(BIG * 3)
        state = self.state(ticket)
        self.assertTrue(state)
        self.assertEqual(self.do(self.elsewhere.offset(ticket)), 3 * len(BIG))
        ticket = self.add(ticket, b"abc", elsewhere=True)
        ticket = self.add(ticket, b"de")
        self.committed(ticket, BIG * 3 + b"abcde")
        self.assertEqual(self.states(), [b"", state, state, state])

    def test_of_little(self) -> None:
        """A state that only the end of a request brings."""
        ticket = self.start(b"abc")
        self.assertTrue(self.state(ticket))
        self.committed(ticket, b"abc")

    def test_stored_when_it_changes(self) -> None:
        """Not at the end of the request: there may be none."""
        session = self.open(self.do(self.uploads.start()))
        self.do(session.append(BIG))
        self.assertEqual(self.progress(session.ticket)["offset"], 0)
        self.assertEqual(self.state(session.ticket), b"")
        for _ in range(3):
            self.do(session.append(BIG))
        [(_, state)] = self.driver.parts
        self.assertEqual(self.state(session.ticket), state)
        self.driver.crash()
        there = self.new_process()
        offset = self.do(there.offset(session.ticket))
        self.assertTrue(PART <= offset <= 4 * len(BIG), offset)
        again = self.do(there.open(session.ticket))
        self.assertEqual(again.offset, offset)
        self.do(again.append((BIG * 4)[offset:]))
        self.do(again.append(b"end"))
        digest = Digest.of(BIG * 4 + b"end")
        self.do(again.commit(digest))
        self.assertEqual(self.do(content_of(self.repository, digest)), BIG * 4 + b"end")

    def test_changed_in_a_later_request(self) -> None:
        """The progress of the first is not lost by it."""
        ticket = self.start(algorithm="sha512")
        self.add(ticket, b"", elsewhere=True)
        ticket = self.add(ticket, b"abc")
        before = self.progress(ticket)
        session = self.open(ticket)
        for _ in range(4):
            self.do(session.append(BIG))
        self.assertEqual({**self.progress(ticket), "state": before["state"]}, before)
        self.do(session.__aexit__(None, None, None))
        self.committed(ticket, b"abc" + BIG * 4)

    def test_not_stored_more_often(self) -> None:
        """Two small files when it begins, one for the state, one at the end."""
        driver = FaultyDriver(self.driver)
        uploads = Registry(self.core(driver=driver)).repository(NAME, origin).uploads
        session = self.do(uploads.open(self.do(uploads.start())))
        for _ in range(9):
            self.do(session.append(BIG))
        self.assertEqual(driver.calls.count("put_content"), 3)
        self.do(session.__aexit__(None, None, None))
        self.assertEqual(driver.calls.count("put_content"), 4)

    def test_crash_before_the_first_part(self) -> None:
        """The session is there, and has nothing: for a request that brings nothing, too."""
        session = self.open(self.do(self.uploads.start()))
        self.do(session.append(BIG))
        self.driver.crash()
        there = self.new_process()
        self.assertEqual(self.do(there.offset(session.ticket)), 0)
        self.add(session.ticket, b"", elsewhere=True)
        self.assertEqual(self.do(there.offset(session.ticket)), 0)
        self.committed(self.add(session.ticket, b"abc"), b"abc")

    def test_cancelled_under_a_request(self) -> None:
        """No matter when the state changes, nothing is left."""
        for before in (1, 4):
            session = self.open(self.do(self.uploads.start()))
            for _ in range(before):
                self.do(session.append(BIG))
            self.do(self.elsewhere.cancel(session.ticket))

            async def go_on(session: UploadSession = session) -> None:
                async with session:
                    for _ in range(4):
                        await session.append(BIG)

            self.refused(BlobUploadUnknown, go_on())
            self.assert_gone(session.ticket)
            self.assertEqual(self.driver.parts, {})

    def test_cancelled_before_commit(self) -> None:
        for before in (1, 4):
            session = self.open(self.do(self.uploads.start()))
            for _ in range(before):
                self.do(session.append(BIG))
            self.do(self.elsewhere.cancel(session.ticket))

            async def go_on(session: UploadSession = session, before: int = before) -> None:
                async with session:
                    for _ in range(4):
                        await session.append(BIG)
                    await session.commit(Digest.of(BIG * (before + 4)))

            self.refused(BlobUploadUnknown, go_on())
            self.assert_gone(session.ticket)
            self.assertEqual(self.driver.parts, {})

    def test_two_first_requests(self) -> None:
        """The one that comes too late takes nothing from the other."""
        for late in (b"de", BIG * 2):
            ticket = self.do(self.uploads.start())
            sessions = [self.open(ticket), self.open(ticket, elsewhere=True)]
            self.do(sessions[0].append(b"abc"))
            self.do(sessions[0].__aexit__(None, None, None))

            async def come_late(session: UploadSession = sessions[1], late: bytes = late) -> None:
                async with session:
                    await session.append(late)

            error = self.refused(RangeInvalid, come_late())
            self.assertEqual((error.upload, error.offset), (ticket.uuid, 3))
            for uploads in (self.uploads, self.elsewhere):
                self.assertEqual(self.do(uploads.offset(sessions[0].ticket)), 3)
            self.committed(sessions[0].ticket, b"abc")

    def test_destination_is_told(self) -> None:
        """To a driver, of a blob that is whole in one request; unless it is small enough for none."""
        for content, expected in ((b"abc", []), (BIG * 5, [Digest.of(BIG * 5)])):
            self.driver.handed.clear()
            self.push(content)  # by a request that does not know its end
            self.assertEqual(self.driver.handed, [(b"", None) for _ in expected])
            self.driver.handed.clear()
            digest = Digest.of(content, "sha512")

            async def push(content: bytes = content, digest: Digest = digest) -> None:
                session = await self.uploads.open(await self.uploads.start("sha512"), digest)
                async with session:
                    for offset in range(0, len(content), 1 << 16):
                        await session.append(content[offset : offset + (1 << 16)])
                    await session.commit(digest)

            self.do(push())
            self.assertEqual(self.driver.handed, [(b"", paths.blob_data(digest)) for _ in expected])
            self.assertEqual(self.do(content_of(self.repository, digest)), content)
            self.assertEqual(self.tree(f"{paths.REPOSITORIES}/{NAME}/_uploads"), {})
