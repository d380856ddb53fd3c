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
from dregistry.registry.uploads import UploadSession
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
PROCESS = st.integers(0, 1)
ALGORITHM = st.sampled_from(["sha256", "sha512"])


class Processes(RuleBasedStateMachine):
    """
    :ivar content: what the session holds, by the model; None when there is no session.
    :ivar session: as the request that is under way has it; None between requests.
    """

    def make_driver(self) -> Any:
        return MemoryDriver()

    def __init__(self) -> None:
        super().__init__()
        self.driver = self.make_driver()
        self.cores = [self.new_core(), self.new_core()]
        self.content: bytes | None = None
        self.session: UploadSession | None = None
        self.uuid = ""
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

    def ended(self) -> None:
        """The session is over, for every process, and nothing of it is left."""
        self.content = self.session = None
        for process in range(2):
            self.refused(BlobUploadUnknown, self.repository(process).uploads.offset(self.uuid))
            self.refused(BlobUploadUnknown, self.repository(process).uploads.open(self.uuid))
        assert result_of(tree(self.driver, paths.upload(NAME, self.uuid))) == {}

    @precondition(lambda self: self.content is None)
    @rule(process=PROCESS, algorithm=ALGORITHM)
    def start(self, process: int, algorithm: str) -> None:
        self.uuid = result_of(self.repository(process).uploads.start(algorithm))
        self.content = b""

    @precondition(lambda self: self.content is not None and self.session is None)
    @rule(process=PROCESS)
    def open(self, process: int) -> None:
        self.session = result_of(self.repository(process).uploads.open(self.uuid))

    @precondition(lambda self: self.session is not None)
    @rule(process=PROCESS)
    def open_twice(self, process: int) -> None:
        error = self.refused(RangeInvalid, self.repository(process).uploads.open(self.uuid))
        assert error.upload == self.uuid
        assert 0 <= error.offset <= len(self.content)

    @precondition(lambda self: self.session is not None)
    @rule(piece=PIECES)
    def append(self, piece: bytes) -> None:
        result_of(self.session.append(piece))
        self.content += piece

    @precondition(lambda self: self.session is not None)
    @rule()
    def suspend(self) -> None:
        result_of(self.session.__aexit__(None, None, None))
        self.session = None

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

    @precondition(lambda self: self.content is not None)
    @rule(process=PROCESS, then=st.sampled_from(["suspend", "commit"]), piece=PIECES)
    def cancel(self, process: int, then: str, piece: bytes) -> None:
        """Maybe under the hands of a request, which then finds the session gone."""
        result_of(self.repository(process).uploads.cancel(self.uuid))
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

    @precondition(lambda self: self.content is not None and self.session is None)
    @rule(torn=st.sampled_from([b"", b"{", b"{}", b"[1]", b'{"algorithm":"md5","offset":0,"digests":{}}']))
    def tear_progress(self, torn: bytes) -> None:
        """What a power cut may leave of the file that need not be durable."""
        result_of(self.driver.put_content(paths.upload_progress(NAME, self.uuid), torn))

    @invariant()
    def offset_is_right(self) -> None:
        if self.session is not None:
            assert self.session.offset == len(self.content)
        elif self.content is not None:
            for process in range(2):
                assert result_of(self.repository(process).uploads.offset(self.uuid)) == len(self.content)

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
