"""Tests of the small parts of :mod:`dregistry.registry`: caches, and work in the background."""

from __future__ import annotations

from collections.abc import Generator

from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.registry._concurrent import Background
from dregistry.registry._contents import LARGEST, Content, ContentCache
from dregistry.registry._hashes import HashCache, RunningHash

from ..storage.support import result_of


class BackgroundTests(SynchronousTestCase):
    def test_all_are_waited_for(self) -> None:
        """Also those that go on after one has failed, whose error it is."""
        background = Background()
        slow: Deferred[None] = Deferred()
        background.start(fail(KeyError()), slow, fail(ValueError()))
        waiting = Deferred.fromCoroutine(background.wait())
        self.assertNoResult(waiting)
        slow.callback(None)
        self.failureResultOf(waiting, KeyError)
        result_of(background.wait())

    def test_whatever_can_be_awaited(self) -> None:
        done = []

        async def coroutine() -> None:
            done.append("coroutine")

        class Awaitable:
            def __await__(self) -> Generator[Deferred[None], None, None]:
                done.append("awaitable")
                return succeed(None).__await__()

        background = Background()
        background.start(coroutine(), Awaitable(), succeed(None))
        result_of(background.wait())
        self.assertEqual(done, ["coroutine", "awaitable"])


class ContentCacheTests(SynchronousTestCase):
    def content(self, size: int) -> tuple[Digest, Content]:
        data = b"x" * size
        return Digest.of(data), Content(data, "a/b")

    def test_of_each_repository(self) -> None:
        cache = ContentCache()
        digest, content = self.content(3)
        cache.put("a", digest, content)
        self.assertIs(cache.get("a", digest), content)
        self.assertIsNone(cache.get("b", digest))
        cache.drop("a", digest)
        cache.drop("a", digest)
        self.assertIsNone(cache.get("a", digest))

    def test_bounded(self) -> None:
        """By bytes; what was used last stays."""
        cache = ContentCache(10)
        contents = [self.content(size) for size in (4, 5, 6, 3)]
        for digest, content in contents[:2]:
            cache.put("a", digest, content)
        cache.put("a", *contents[0])
        self.assertIsNotNone(cache.get("a", contents[0][0]))
        cache.put("a", *contents[2])
        self.assertEqual([cache.get("a", digest) is not None for digest, _ in contents], [True, False, True, False])
        cache.drop("a", contents[2][0])
        cache.put("a", *contents[1])
        self.assertEqual([cache.get("a", digest) is not None for digest, _ in contents], [True, True, False, False])

    def test_large(self) -> None:
        cache = ContentCache()
        for size, kept in ((LARGEST, True), (LARGEST + 1, False)):
            digest, content = self.content(size)
            cache.put("a", digest, content)
            self.assertEqual(cache.get("a", digest) is not None, kept)


class HashTests(SynchronousTestCase):
    def test_cache_is_bounded(self) -> None:
        cache = HashCache(2)
        for uuid in "abc":
            cache.keep(uuid, RunningHash.start("sha256"))
        self.assertIsNone(cache.take("a", 0))
        self.assertIsNotNone(cache.take("b", 0))
        self.assertIsNone(cache.take("b", 0))

    def test_cache_of_another_offset(self) -> None:
        """Another process has gone on meanwhile."""
        cache = HashCache()
        cache.keep("a", RunningHash.start("sha256"))
        self.assertIsNone(cache.take("a", 1))

    def test_running(self) -> None:
        running = RunningHash.start("sha512")
        running.update([b"ab", b"", b"c"])
        self.assertEqual(running.offset, 3)
        self.assertEqual(running.digest("sha512"), Digest.of(b"abc", "sha512"))
        self.assertIsNone(running.digest("sha256"))
        self.assertEqual(running.digests(), {"sha512": Digest.of(b"abc", "sha512").hex})
