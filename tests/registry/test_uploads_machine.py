"""
One upload session at a time, in two processes that share a storage: whatever they do by turns, a blob's bytes are those
that were sent, and only the right digest makes one.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown, BlobUploadUnknown, DigestInvalid, RangeInvalid
from dregistry.registry import Core, Origin, Repository
from dregistry.registry.uploads import Ticket, UploadSession
from dregistry.storage import paths
from dregistry.storage.filesystem import FilesystemDriver
from dregistry.storage.memory import MemoryDriver
from dregistry.testing import InlineThreads

from ..storage.support import inline_driver, result_of
from .support import content_of, tree

NAME = "a/b"
PIECES = st.builds(
    lambda size, byte: bytes([byte]) * size,
    st.sampled_from([0, 1, 5, 1 << 16, (1 << 16) + 1, 1 << 20, (1 << 20) + 3]),
    st.integers(0, 255),
)
BATCH = 1 << 20
"""Bytes that a request holds in memory at most."""
PROCESS = st.integers(0, 1)
ALGORITHM = st.sampled_from(["sha256", "sha512"])


class Processes(RuleBasedStateMachine):
    """
    :ivar content: what the session holds, by the model; None when there is no session.
    :ivar stored: whether something of it is in storage: a request has ended that brought bytes, or has brought a batch.
    :ivar session: as the request that is under way has it; None between requests.
    :ivar first: the ticket that the session was started by.
    :ivar ticket: the last one that was given out; every request may come by either.
    :ivar ended_for_good: whether the first ticket was cancelled before there were bytes.
    """

    def make_driver(self) -> Any:
        return MemoryDriver()

    def __init__(self) -> None:
        super().__init__()
        self.driver = self.make_driver()
        self.cores = [self.new_core(), self.new_core()]
        self.content: bytes | None = None
        self.session: UploadSession | None = None
        self.stored = False
        self.first = self.ticket = Ticket("")
        self.ended_for_good = True
        self.blobs: dict[Digest, bytes] = {}
        self.wrong: set[Digest] = set()

    def new_core(self) -> Core:
        return Core(self.driver, InlineThreads())

    def repository(self, process: int) -> Repository:
        return Repository(self.cores[process], NAME, Origin)

    def refused(self, expected, work):
        try:
            result_of(work)
        except expected as error:
            return error
        raise AssertionError(f"no {expected}")

    def files(self) -> set[str]:
        """The names of what is in storage of the session."""
        folder = paths.upload(NAME, self.first.uuid)
        return {path.removeprefix(f"{folder}/") for path in result_of(tree(self.driver, folder))}

    def unknown(self, ticket: Ticket) -> None:
        for process in range(2):
            self.refused(BlobUploadUnknown, self.repository(process).uploads.offset(ticket))
            self.refused(BlobUploadUnknown, self.repository(process).uploads.open(ticket))

    def ended(self) -> None:
        """The session is over, for every process, and nothing of it is left."""
        self.content = self.session = None
        self.stored = False
        self.unknown(Ticket(self.first.uuid))
        assert self.files() == set()

    @precondition(lambda self: self.content is None)
    @rule(process=PROCESS, algorithm=ALGORITHM)
    def start(self, process: int, algorithm: str) -> None:
        self.first = self.ticket = result_of(self.repository(process).uploads.start(algorithm))
        self.content = b""
        self.stored = self.ended_for_good = False

    @precondition(lambda self: self.content is None and not self.ended_for_good)
    @rule()
    def start_again(self) -> None:
        """By the ticket of a session that is over."""
        self.ticket = self.first
        self.content = b""

    def by(self, last: bool) -> Ticket:
        return self.ticket if last else self.first

    @precondition(lambda self: self.content is not None and self.session is None)
    @rule(process=PROCESS, last=st.booleans())
    def open(self, process: int, last: bool) -> None:
        self.session = result_of(self.repository(process).uploads.open(self.by(last)))

    @precondition(lambda self: self.session is not None and self.stored)
    @rule(process=PROCESS, last=st.booleans())
    def open_twice(self, process: int, last: bool) -> None:
        error = self.refused(RangeInvalid, self.repository(process).uploads.open(self.by(last)))
        assert error.upload == self.first.uuid
        assert 0 <= error.offset <= len(self.content)

    @precondition(lambda self: self.session is not None and not self.stored)
    @rule(process=PROCESS, piece=PIECES, late=PIECES)
    def overtake(self, process: int, piece: bytes, late: bytes) -> None:
        """Another request begins the session that this one has in memory, which then comes too late."""
        other = result_of(self.repository(process).uploads.open(self.first))
        result_of(other.append(piece))
        result_of(other.__aexit__(None, None, None))
        self.stored = piece != b""
        self.ticket = other.ticket
        brought, self.content = self.content + late, piece

        async def go_on(session: UploadSession) -> None:
            async with session:
                await session.append(late)

        if brought and piece:
            error = self.refused(RangeInvalid, go_on(self.session))
            assert (error.upload, error.offset) == (self.first.uuid, len(piece))
        else:
            result_of(go_on(self.session))
            self.content = piece or brought
            self.stored = self.content != b""
            self.ticket = self.ticket if piece else self.session.ticket
        self.session = None

    @precondition(lambda self: self.session is not None)
    @rule(piece=PIECES)
    def append(self, piece: bytes) -> None:
        result_of(self.session.append(piece))
        self.content += piece
        self.stored = self.stored or len(self.content) >= BATCH
        assert self.stored == (self.files() != set())

    @precondition(lambda self: self.session is not None)
    @rule()
    def suspend(self) -> None:
        result_of(self.session.__aexit__(None, None, None))
        self.ticket = self.session.ticket
        self.session = None
        self.stored = self.content != b""
        assert self.ticket == (Ticket(self.first.uuid) if self.stored else self.first)
        assert self.files() == ({"data", "progress", "startedat"} if self.stored else set())

    @precondition(lambda self: self.session is not None)
    @rule(algorithm=ALGORITHM)
    def commit(self, algorithm: str) -> None:
        digest = Digest.of(self.content, algorithm)
        descriptor = result_of(self.session.commit(digest))
        assert (descriptor.digest, descriptor.size) == (digest, len(self.content))
        self.blobs[digest] = self.content
        self.ended()

    @precondition(lambda self: self.session is not None)
    @rule(algorithm=ALGORITHM, other=st.binary(max_size=3))
    def commit_wrong(self, algorithm: str, other: bytes) -> None:
        digest = Digest.of(b"something else " + other, algorithm)
        self.refused(DigestInvalid, self.session.commit(digest))
        self.wrong |= {digest, Digest.of(self.content)}
        self.ended()

    @precondition(lambda self: self.session is not None)
    @rule()
    def discard(self) -> None:
        result_of(self.session.discard())
        self.ended()

    @precondition(lambda self: self.content is not None and not self.stored)
    @rule(process=PROCESS, piece=PIECES)
    def cancel_before_bytes(self, process: int, piece: bytes) -> None:
        """For good, for whichever ticket. A request that has some in memory finds the session gone."""
        result_of(self.repository(process).uploads.cancel(self.first))

        async def go_on(session: UploadSession) -> None:
            async with session:
                await session.append(piece)

        if self.session is not None and self.content + piece:
            self.refused(BlobUploadUnknown, go_on(self.session))
        elif self.session is not None:
            result_of(go_on(self.session))
        self.content = self.session = None
        self.ended_for_good = True
        self.unknown(Ticket(self.first.uuid))
        self.unknown(self.first)
        assert self.files() == {"progress", "startedat"}

    @precondition(lambda self: self.content is not None and self.stored)
    @rule(process=PROCESS, last=st.booleans(), then=st.sampled_from(["suspend", "commit"]), piece=PIECES)
    def cancel(self, process: int, last: bool, then: str, piece: bytes) -> None:
        """Maybe under the hands of a request, which then finds the session gone."""
        result_of(self.repository(process).uploads.cancel(self.by(last)))
        if self.session is not None:
            result_of(self.session.append(piece))
            if then == "commit":
                digest = Digest.of(self.content + piece)
                if digest in self.blobs:  # what is known already may be linked again without a session
                    with contextlib.suppress(BlobUploadUnknown):
                        result_of(self.session.commit(digest))
                else:
                    self.refused(BlobUploadUnknown, self.session.commit(digest))
                    self.wrong.add(digest)
            else:
                self.refused(BlobUploadUnknown, self.session.__aexit__(None, None, None))
        self.ended()

    @precondition(lambda self: self.content is not None and self.session is None)
    @rule(process=PROCESS)
    def restart(self, process: int) -> None:
        """A process ends, and with it the hashes that it held."""
        self.cores[process] = self.new_core()

    @precondition(lambda self: self.stored and self.session is None)
    @rule(torn=st.sampled_from([b"", b"{", b"{}", b"[1]", b'{"algorithm":"md5","offset":0,"digests":{}}']))
    def tear_progress(self, torn: bytes) -> None:
        """What a power cut may leave of the file that need not be durable."""
        result_of(self.driver.put_content(paths.upload_progress(NAME, self.first.uuid), torn))

    @invariant()
    def offset_is_right(self) -> None:
        if self.session is not None:
            assert self.session.offset == len(self.content)
        elif self.content is not None:
            for process in range(2):
                for ticket in {self.first, self.ticket}:
                    assert result_of(self.repository(process).uploads.offset(ticket)) == len(self.content)
            if not self.stored:
                self.unknown(Ticket(self.first.uuid))

    @invariant()
    def blobs_are_what_was_sent(self) -> None:
        for digest, content in self.blobs.items():
            for process in range(2):
                assert result_of(content_of(self.repository(process), digest)) == content

    @invariant()
    def nothing_else_is_visible(self) -> None:
        for digest in self.wrong - set(self.blobs):
            for process in range(2):
                self.refused(BlobUnknown, self.repository(process).blobs.stat(digest))


class FileProcesses(Processes):
    """The same where what a writer wrote can be read at once, and where the lock is the kernel's."""

    def make_driver(self) -> FilesystemDriver:
        self.root = tempfile.mkdtemp(prefix="dregistry-test-")
        return inline_driver(self.root)

    def teardown(self) -> None:
        if self.session is not None:
            result_of(self.session.discard())
        shutil.rmtree(self.root)


SETTINGS = settings(
    max_examples=100,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

MemoryTests = Processes.TestCase
MemoryTests.settings = SETTINGS
FileTests = FileProcesses.TestCase
FileTests.settings = SETTINGS
