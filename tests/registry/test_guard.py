"""
A storage that fails, at every call in turn that an operation makes: clients are told UNAVAILABLE and no more, nothing
is visible by halves, nothing stays open, and the operation works once the storage does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown, BlobUploadUnknown, RegistryError, Unavailable
from dregistry.registry._guard import guarded_chunks
from dregistry.registry.uploads import Ticket
from dregistry.storage import IStorageDriver, IWriter, StorageError, StorageFull, StorageUnavailable, paths
from dregistry.storage.memory import MemoryDriver

from ..storage.support import result_of
from .faulty import FaultyDriver
from .operations import CHANGES, NAME, Operation, Storage, read_all, repository, snapshot
from .support import push_blob, tree

FULL = StorageFull("/some/path")
LARGE = b"x" * (1 << 20) + b"y"
"""More than one batch."""
BROKEN = StorageUnavailable("a path that no client shall see: /var/lib/registry")


class FaultsTests(SynchronousTestCase):
    def storages(self, operation: Operation, error: StorageError, for_good: bool) -> Iterator[Storage]:
        """One for each call that ``operation`` makes, which it is to fail at."""
        storage = Storage()
        result_of(operation(storage.registry()))
        calls = list(storage.driver.calls)
        self.assertGreater(len(calls), 0)
        for at in range(len(calls)):
            storage = Storage()
            storage.driver.fail(error, at, for_good)
            yield storage

    def fails(self, operation: Operation, storage: Storage) -> None:
        """By Unavailable, saying nothing of the storage; or not, where the call is not needed."""
        try:
            result_of(operation(storage.registry()))
        except Unavailable as error:
            self.assertNotIn("/", error.reason or "")
            self.assertIsInstance(error.__cause__, StorageError)
        except RegistryError as error:
            self.fail(f"{operation.__name__} failing at {storage.driver.calls[-1]}: {error}")
        storage.driver.mend()

    def test_consistent(self) -> None:
        """And it can be done again."""
        expected = {}
        for operation in CHANGES:
            storage = Storage()
            result_of(operation(storage.registry()))
            expected[operation] = result_of(snapshot(storage.registry()))
        for operation in CHANGES:
            for error, for_good in ((BROKEN, False), (BROKEN, True), (FULL, False)):
                for storage in self.storages(operation, error, for_good):
                    self.fails(operation, storage)
                    result_of(snapshot(storage.registry()))
                    try:
                        result_of(operation(storage.registry()))
                    except RegistryError as failure:
                        self.assertIn(failure.code, ("MANIFEST_UNKNOWN", "BLOB_UNKNOWN"), operation.__name__)
                    self.assertEqual(result_of(snapshot(storage.registry())), expected[operation])

    def test_reading(self) -> None:
        for error in (BROKEN, FULL):
            for storage in self.storages(read_all, error, True):
                before = result_of(tree(storage.driver.inner))
                self.fails(read_all, storage)
                after = result_of(tree(storage.driver.inner))
                self.assertEqual({path: after.get(path) for path in before}, before)

    def test_nothing_stays_open(self) -> None:
        for operation in CHANGES:
            for error, for_good in ((BROKEN, False), (BROKEN, True), (FULL, False)):
                for storage in self.storages(operation, error, for_good):
                    self.fails(operation, storage)
                    self.assertEqual(storage.driver.writers, 0, f"{operation.__name__}: {storage.driver.calls}")


class FullTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.storage = Storage()
        self.uploads = repository(self.storage.registry()).uploads
        self.ticket = result_of(self.uploads.start())
        self.storage.driver.mend()

    def left(self) -> dict[str, bytes]:
        return result_of(tree(self.storage.driver.inner, paths.upload(NAME, self.ticket.uuid)))

    def assert_gone(self) -> None:
        self.storage.driver.mend()
        self.assertRaises(BlobUploadUnknown, result_of, self.uploads.offset(Ticket(self.ticket.uuid)))
        self.assertEqual((self.left(), self.storage.driver.writers), ({}, 0))

    async def append(self, *pieces: bytes) -> None:
        async with await self.uploads.open(self.ticket) as session:
            for piece in pieces:
                await session.append(piece)

    def append_failing(self, *pieces: bytes) -> None:
        result_of(self.append(b"x" * 1000))
        self.storage.driver.fail(FULL, 0, method="writer.write")
        error = self.assertRaises(Unavailable, result_of, self.append(*pieces))
        self.assertIn("no space", error.reason)

    def test_while_appending(self) -> None:
        """The storage gets back what the session took."""
        self.append_failing(b"x" * (1 << 20), b"y" * (1 << 20), b"z")
        self.assert_gone()

    def test_at_the_end_of_a_request(self) -> None:
        self.append_failing(b"x")
        self.assert_gone()

    def test_in_the_only_request(self) -> None:
        """Wherever a session begins: what was written of it before is gone as well."""
        for method, at in (("put_content", 0), ("put_content", 1), ("writer", 0), ("writer.write", 0)):
            for pieces in ((b"x",), (b"x" * (1 << 20), b"y" * (1 << 20), b"z")):
                self.ticket = result_of(self.uploads.start())
                self.storage.driver.fail(FULL, at, method=method)
                self.assertRaises(Unavailable, result_of, self.append(*pieces))
                self.assert_gone()

    def commit_failing(self, method: str, before: bytes, last: bytes, at: int = 0) -> None:
        content = before + last

        async def commit() -> None:
            async with await self.uploads.open(self.ticket) as session:
                await session.append(last)
                await session.commit(Digest.of(content))

        self.ticket = result_of(self.uploads.start())
        if before:
            result_of(self.append(before))
        self.storage.driver.fail(FULL, at, method=method)
        self.assertRaises(Unavailable, result_of, commit())
        self.assert_gone()
        self.assertRaises(BlobUnknown, result_of, repository(self.storage.registry()).blobs.stat(Digest.of(content)))

    def test_in_commit(self) -> None:
        self.commit_failing("put_contents", b"", b"abc")
        for method in ("put_content", "writer", "writer.write", "writer.commit"):
            self.commit_failing(method, b"", LARGE)
        self.commit_failing("put_content", b"", LARGE, at=1)

    def test_in_commit_that_can_be_tried_again(self) -> None:
        """A small blob has left nothing; its ticket is as it was."""
        self.commit_failing("put_contents", b"", b"abc")

        async def again() -> None:
            async with await self.uploads.open(self.ticket) as session:
                await session.append(b"abc")
                await session.commit(Digest.of(b"abc"))

        result_of(again())
        blob = result_of(repository(self.storage.registry()).blobs.stat(Digest.of(b"abc")))
        self.assertEqual(blob.size, 3)

    def test_in_commit_of_a_later_request(self) -> None:
        for method in ("writer.write", "writer.commit"):
            self.commit_failing(method, b"a", b"bc")
            self.commit_failing(method, LARGE, LARGE)

    def test_in_discard(self) -> None:
        session = result_of(self.uploads.open(self.ticket))
        self.storage.driver.fail(FULL, 0, method="writer.write")
        result_of(session.append(b"x" * (1 << 20)))
        self.assertRaises(Unavailable, result_of, session.discard())
        self.assert_gone()


class ChunksTests(SynchronousTestCase):
    def test_translated(self) -> None:
        storage = Storage()
        content = b"x" * (1 << 17)
        digest = result_of(push_blob(repository(storage.registry()), content))
        blob = result_of(repository(storage.registry()).blobs.open(digest))
        for at in (0, 1):
            storage.driver.fail(BROKEN, at)
            pieces = []

            async def read(pieces: list[bytes] = pieces) -> None:
                async for piece in blob.chunks(0, blob.size):
                    pieces.append(piece)

            self.assertRaises(Unavailable, result_of, read())
            self.assertEqual(pieces, [content][:at])

    def test_closed(self) -> None:
        """Who stops early closes what the driver holds."""
        ended = []

        async def pieces() -> AsyncIterator[bytes]:
            try:
                yield b"1"
                yield b"2"
            finally:
                ended.append(True)

        async def read() -> None:
            chunks = guarded_chunks(pieces())
            self.assertEqual(await anext(chunks), b"1")
            await chunks.aclose()

        result_of(read())
        self.assertEqual(ended, [True])

    def test_that_cannot_be_closed(self) -> None:
        class Pieces:
            def __init__(self) -> None:
                self.rest = [b"1", b"2"]

            def __aiter__(self) -> Pieces:
                return self

            async def __anext__(self) -> bytes:
                if not self.rest:
                    raise StopAsyncIteration
                return self.rest.pop()

        async def read() -> list[bytes]:
            return [piece async for piece in guarded_chunks(Pieces())]

        self.assertEqual(result_of(read()), [b"2", b"1"])

    def test_provided(self) -> None:
        driver = FaultyDriver(MemoryDriver())
        verifyObject(IStorageDriver, driver)
        verifyObject(IWriter, result_of(driver.writer("/a", create=True)))
