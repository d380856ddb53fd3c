"""The cache of blob descriptors: what it saves, and that it never makes a blob readable that is not there."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown, DigestInvalid, ManifestBlobUnknown, Unavailable
from dregistry.redis._descriptors import RedisDescriptors
from dregistry.registry import LOOK_LASTS, Core, Descriptors, Registry, Repository, Settings
from dregistry.registry.blobs import SMALL
from dregistry.storage import paths
from dregistry.storage.memory import MemoryDriver

from ..redis.fake import FakeRedis, connection_to
from ..storage.support import inline_driver, result_of, temporary_directory
from .faulty import FaultyDriver
from .support import CONFIG, LAYER, RegistryCase, RenewingMemory, content_of, image, origin, push_blob

NAME = "some/repo"
LARGE = bytes(range(256)) * (SMALL // 256) + b"more"


class BoundTests(SynchronousTestCase):
    def test_least_recently_used(self) -> None:
        descriptors = Descriptors(2)
        a, b, c = (Digest.of(each) for each in (b"a", b"b", b"c"))
        descriptors.put(a, 1)
        descriptors.put(b, 0)
        self.assertEqual(result_of(descriptors.size(a)), 1)
        descriptors.put(c, 3)
        self.assertEqual([result_of(descriptors.size(each)) for each in (a, b, c)], [1, None, 3])

    def test_no_bound(self) -> None:
        descriptors = Descriptors(0)
        digests = [Digest.of(bytes([each])) for each in range(256)]
        for size, digest in enumerate(digests):
            descriptors.put(digest, size)
        self.assertEqual([result_of(descriptors.size(digest)) for digest in digests], list(range(256)))


class TimeTests(SynchronousTestCase):
    """A look counts for half an hour, whoever made it."""

    def setUp(self) -> None:
        self.digest = Digest.of(b"a")
        self.time = 1_700_000_000.0
        self.redis = FakeRedis()
        self.first, self.second = self.process(), self.process()
        self.first.put(self.digest, 1)

    def process(self) -> Descriptors:
        found = Descriptors(9, RedisDescriptors(connection_to(self.redis, Clock())), now=lambda: self.time)
        result_of(found.size(Digest.of(b"the first who asks is not answered")))
        return found

    def known(self) -> list[bool]:
        return [result_of(each.size(self.digest)) == 1 for each in (self.first, self.second)]

    def test_ends(self) -> None:
        self.time += LOOK_LASTS - 1
        self.assertEqual(self.known(), [True, True])
        self.time += 2
        self.assertEqual(self.known(), [False, False])

    def test_looked_again(self) -> None:
        """By another process, which all then know of."""
        self.known()
        self.time += LOOK_LASTS + 1
        self.second.put(self.digest, 1)
        self.time += LOOK_LASTS - 2
        self.assertEqual(self.known(), [True, True])

    def test_future(self) -> None:
        """Clocks may differ a little."""
        self.time -= 30
        self.assertEqual(self.known(), [True, True])
        self.time -= 3600
        self.assertEqual(self.known(), [False, False])


class LeaseTests(RegistryCase):
    """An answer upon which a client may rely is never given for content whose lease is older than an hour."""

    def setUp(self) -> None:
        self.passed = 0.0
        super().setUp()
        self.digest = self.push(LARGE)

    def make_driver(self) -> Any:
        return RenewingMemory()

    def core(self, settings: Settings | None = None, driver: Any = None) -> Core:
        core = super().core(settings, driver)
        descriptors = Descriptors(100, now=lambda: time.time() + self.passed)
        return Core(core.driver, core.threads, core.settings, core.listeners, descriptors=descriptors)

    def modified(self) -> float:
        found: float = self.do(self.driver.stat(paths.blob_data(self.digest))).modified
        return found

    def test_of_each_answer(self) -> None:
        other = self.registry.repository("other", origin)
        for ask in (
            lambda: self.repository.blobs.stat(self.digest),
            lambda: self.repository.blobs.open(self.digest),
            lambda: other.blobs.mount(self.digest, NAME),
        ):
            self.driver._put(paths.blob_data(self.digest), LARGE, time.time() - 10_000)
            before = self.modified()
            self.do(ask())
            self.assertEqual(self.modified(), before)  # known
            self.passed += LOOK_LASTS + 1
            self.do(ask())
            self.assertGreater(self.modified(), time.time() - 60)

    def test_not_in_vain(self) -> None:
        """A young lease is let be."""
        self.driver._put(paths.blob_data(self.digest), LARGE, time.time() - 1000)
        before = self.modified()
        self.passed += LOOK_LASTS + 1
        self.do(self.repository.blobs.stat(self.digest))
        self.assertEqual(self.modified(), before)

    def test_pull_without_a_cache(self) -> None:
        """Nobody relies on that."""
        plain = Registry(super().core()).repository(NAME, origin)
        self.driver._put(paths.blob_data(self.digest), LARGE, time.time() - 10_000)
        before = self.modified()
        self.do(content_of(plain, self.digest))
        self.assertEqual(self.modified(), before)
        self.do(plain.blobs.stat(self.digest))
        self.assertGreater(self.modified(), time.time() - 60)


class CachedCase(RegistryCase):
    """One process, whose storage calls are counted; others can be made."""

    def setUp(self) -> None:
        self.redis = FakeRedis()
        self.clock = Clock()
        super().setUp()

    def make_driver(self) -> Any:
        return FaultyDriver(MemoryDriver())

    def core(self, settings: Settings | None = None, driver: Any = None) -> Core:
        core = super().core(settings, driver)
        return Core(core.driver, core.threads, core.settings, core.listeners, descriptors=self.make_descriptors())

    def make_descriptors(self) -> Descriptors:
        return Descriptors(100)

    def process(self, name: str = NAME) -> Repository:
        return Registry(self.core()).repository(name, origin)

    def calls(self, work: Any) -> list[str]:
        """The storage calls that it makes."""
        self.driver.calls.clear()
        self.do(work)
        return list(self.driver.calls)


class MemoryTests(CachedCase):
    def test_head(self) -> None:
        """Warm from the push, and from an earlier look."""
        digest = self.push(LARGE)
        self.assertEqual(self.calls(self.repository.blobs.stat(digest)), ["stat"])
        other = self.process()
        self.assertEqual(self.calls(other.blobs.stat(digest)), ["get_content", "stat"])
        self.assertEqual(self.calls(other.blobs.stat(digest)), ["stat"])
        self.assertEqual(self.do(other.blobs.stat(digest)).size, len(LARGE))

    def test_get(self) -> None:
        digest = self.push(LARGE)
        self.assertEqual(self.do(content_of(self.repository, digest)), LARGE)
        self.assertEqual([each for each in self.calls(content_of(self.repository, digest)) if each != "read"], ["stat"])

    def test_get_small(self) -> None:
        digest = self.push(b"abc")
        self.assertEqual(self.calls(content_of(self.repository, digest)), ["stat", "get_content"])
        self.assertEqual(self.calls(content_of(self.repository, digest)), ["stat"])

    def test_mount(self) -> None:
        digest = self.push(LARGE)
        target = self.registry.repository("other", origin)
        self.assertEqual(self.calls(target.blobs.mount(digest, NAME)), ["stat", "get_content", "put_content"])
        self.assertEqual(self.do(content_of(target, digest)), LARGE)

    def test_of_another_repository(self) -> None:
        """That its size is known opens it to nobody."""
        digest = self.push(LARGE)
        other = self.registry.repository("other", origin)
        for work in (other.blobs.stat, other.blobs.open, other.blobs.delete):
            self.refused(BlobUnknown, work(digest))
        self.refused(BlobUnknown, self.repository.blobs.mount(digest, "other"))

    def test_deleted_elsewhere(self) -> None:
        for content in (b"abc", LARGE):
            digest = self.push(content)
            self.do(content_of(self.repository, digest))
            self.do(self.process().blobs.delete(digest))
            self.refused(BlobUnknown, self.repository.blobs.stat(digest))
            self.refused(BlobUnknown, self.repository.blobs.open(digest))

    def test_link_of_another_length(self) -> None:
        """A torn one makes no blob readable; one to content by another algorithm leads there."""
        digest = self.push(LARGE)
        alias = Digest.of(LARGE, "sha512")
        for torn in (b"", b"sha256:", str(digest).encode()[:-1]):
            self.put(paths.layer_link(NAME, digest), torn)
            self.refused(BlobUnknown, self.repository.blobs.stat(digest))
            self.refused(BlobUnknown, self.repository.blobs.open(digest))
        self.put(paths.layer_link(NAME, alias), digest)
        for _ in range(2):
            self.assertEqual(self.do(self.repository.blobs.stat(alias)).size, len(LARGE))
            self.assertEqual(self.do(content_of(self.repository, alias)), LARGE)

    def test_content_by_two_algorithms(self) -> None:
        """One that is linked to itself here, and to the other there."""
        alias = self.push(LARGE, "sha512")
        digest = self.push(LARGE, repository=self.process("other"))
        self.put(paths.layer_link("other", alias), digest)
        self.do(self.driver.delete(paths.blob_data(alias)))
        other = self.registry.repository("other", origin)
        self.assertEqual(self.do(content_of(other, alias)), LARGE)


class LostTests(CachedCase):
    """Somebody removed content and left the links, as the garbage collection of registry:2 does."""

    def lose(self, content: bytes) -> Digest:
        digest = self.push(content)
        self.do(self.driver.delete(paths.blob_data(digest)))
        return digest

    def test_get(self) -> None:
        """The first to read it finds out, and all is well when it is pushed again."""
        for content in (b"abc", LARGE):
            digest = self.lose(content)
            self.refused(BlobUnknown, content_of(self.repository, digest))
            self.refused(BlobUnknown, self.repository.blobs.stat(digest))
            self.push(content)
            self.assertEqual(self.do(content_of(self.repository, digest)), content)

    def test_manifest(self) -> None:
        """A push that believed HEAD is refused; the next one is not misled."""
        self.push(CONFIG)
        digest = self.lose(LAYER)
        self.do(self.repository.blobs.stat(digest))
        error = self.refused(ManifestBlobUnknown, self.repository.manifests.put(image(), None, "latest"))
        self.assertIn(str(digest), str(error))
        self.refused(BlobUnknown, self.repository.blobs.stat(digest))
        self.push_image()

    def test_mount(self) -> None:
        self.push(CONFIG)
        digest = self.lose(LAYER)
        other = self.registry.repository("other", origin)
        self.do(other.blobs.mount(digest, NAME))
        self.do(push_blob(other, CONFIG))
        self.refused(ManifestBlobUnknown, other.manifests.put(image(), None, "latest"))
        self.refused(BlobUnknown, other.blobs.mount(digest, NAME))

    def test_pushed_without_a_byte(self) -> None:
        """Who asks again for the end of an upload is not told that the blob is there."""
        digest = self.lose(LARGE)

        async def ask_again() -> None:
            uploads = self.repository.uploads
            async with await uploads.open(await uploads.start()) as session:
                await session.commit(digest)

        self.refused(DigestInvalid, ask_again())

    def test_of_another_size(self) -> None:
        """An answer that promised more is broken off, and the next one is right."""
        digest = self.push(LARGE)
        self.put(paths.blob_data(digest), LARGE[:-1])
        blob = self.do(self.repository.blobs.open(digest))

        async def read(offset: int) -> bytes:
            return b"".join([piece async for piece in blob.chunks(offset, blob.size - offset)])

        self.refused(Unavailable, read(0))
        self.assertEqual(self.do(self.repository.blobs.stat(digest)).size, len(LARGE) - 1)

    def test_offset_beyond_the_end(self) -> None:
        digest = self.push(LARGE)
        self.put(paths.blob_data(digest), b"abc")
        blob = self.do(self.repository.blobs.open(digest))

        async def read() -> bytes:
            return b"".join([piece async for piece in blob.chunks(blob.size - 1, 1)])

        self.refused(Unavailable, read())
        self.assertEqual(self.do(content_of(self.repository, digest)), b"abc")


class LocalFilesTests(CachedCase):
    def make_driver(self) -> Any:
        return inline_driver(temporary_directory(self))

    def test_lost(self) -> None:
        digest = self.push(LARGE)
        self.do(self.repository.blobs.open(digest)).close()
        self.do(self.driver.delete(paths.blob_data(digest)))
        self.refused(BlobUnknown, self.repository.blobs.open(digest))
        self.refused(BlobUnknown, self.repository.blobs.stat(digest))

    def test_size_of_the_file(self) -> None:
        digest = self.push(LARGE)
        self.put(paths.blob_data(digest), LARGE + b"!")
        blob = self.do(self.repository.blobs.open(digest))
        self.addCleanup(blob.close)
        self.assertEqual(blob.size, len(LARGE) + 1)


class SharedTests(CachedCase):
    """Processes with one Redis."""

    def make_descriptors(self) -> Descriptors:
        descriptors = Descriptors(100, RedisDescriptors(connection_to(self.redis, self.clock)))
        result_of(descriptors.size(Digest.of(b"the first who asks is not answered")))
        return descriptors

    def test_head(self) -> None:
        digest = self.push(LARGE)
        other = self.process()
        self.assertEqual(self.calls(other.blobs.stat(digest)), ["stat"])
        self.redis.asked.clear()
        self.assertEqual(self.calls(other.blobs.stat(digest)), ["stat"])
        self.assertEqual(self.redis.asked, [])

    def test_delete(self) -> None:
        """Also for those who take the Redis's word for it."""
        digest = self.push(LARGE)
        self.redis.keys[f"repository::{NAME}::blobs".encode()] = {str(digest).encode()}
        other = self.process()
        self.do(other.blobs.stat(digest))
        self.do(self.repository.blobs.delete(digest))
        self.assertEqual(self.redis.keys, {f"repository::{NAME}::blobs".encode(): set()})
        self.refused(BlobUnknown, other.blobs.stat(digest))

    def test_down(self) -> None:
        digest = self.push(LARGE)
        other = self.process()
        self.redis.up = False
        self.redis.drop()
        self.assertEqual(self.calls(other.blobs.stat(digest)), ["get_content", "stat"])
        self.assertEqual(self.do(content_of(other, self.push(b"abc"))), b"abc")
        self.do(other.blobs.delete(digest))
        self.refused(BlobUnknown, self.repository.blobs.stat(digest))

    def test_slow(self) -> None:
        """One request waits for the timeout, others do not."""
        digest = self.push(LARGE)
        other = self.process()
        self.redis.silent = True
        waiting = Deferred.fromCoroutine(other.blobs.stat(digest))
        self.assertNoResult(waiting)
        self.clock.advance(1.1)
        self.assertEqual(self.successResultOf(waiting).size, len(LARGE))
        self.do(self.process().blobs.stat(digest))

    def test_wrong_size(self) -> None:
        """Whoever can write to the Redis cannot make anybody read other bytes."""
        digest = self.push(LARGE)
        self.redis.keys[f"blobs::{digest}".encode()][b"size"] = b"999999"
        other = self.process()
        self.refused(Unavailable, content_of(other, digest))
        self.assertEqual(self.do(content_of(other, digest)), LARGE)

    def test_other_content(self) -> None:
        """Nor can it lead to other content."""
        digest, other = self.push(LARGE), self.push(LARGE + b"!", repository=self.process("secret"))
        for target in (other, Digest.of(LARGE + b"!", "sha512")):
            self.redis.keys[f"blobs::{digest}".encode()] |= {b"digest": str(target).encode(), b"size": b"65541"}
            self.assertEqual(self.do(content_of(self.process(), digest)), LARGE)
