"""
Two processes with the cache of blob descriptors, and one without, each pair upon a storage of its own: whatever is done
by turns, and whatever happens to the cache, both answer the same.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.task import Clock

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown, RegistryError
from dregistry.redis._descriptors import RedisDescriptors
from dregistry.registry import Core, Descriptors, Origin, Repository, Settings
from dregistry.registry.blobs import SMALL
from dregistry.storage import PathNotFound, paths
from dregistry.storage.memory import MemoryDriver
from dregistry.testing import InlineThreads

from ..redis.fake import FakeRedis, connection_to
from ..storage.support import result_of
from .support import content_of, image, push_blob

NAMES = ("a", "b/c")
CONTENTS = (b"", b"abc", b"{}", b"x" * (SMALL + 1))
DIGESTS = [Digest.of(content, algorithm) for content in CONTENTS for algorithm in ("sha256", "sha512")]
NAME = st.sampled_from(NAMES)
CONTENT = st.sampled_from(CONTENTS)
ALGORITHM = st.sampled_from(["sha256", "sha512"])
DIGEST = st.sampled_from(DIGESTS)
PROCESS = st.integers(0, 1)
SETTINGS = Settings(delete_enabled=True)


def outcome(work: Awaitable[Any]) -> Any:
    try:
        return result_of(work)
    except RegistryError as error:
        return error.code, error.detail


class Cached(RuleBasedStateMachine):
    """
    :ivar cached: a core for each process.
    :ivar plain: the core that has no cache, and a storage to which the same is done.
    """

    def __init__(self) -> None:
        super().__init__()
        self.redis = FakeRedis()
        self.clock = Clock()
        self.driver, self.other_driver = MemoryDriver(), MemoryDriver()
        self.cached = [self.new_core(), self.new_core()]
        self.plain = Core(self.other_driver, InlineThreads(), SETTINGS)

    def new_core(self) -> Core:
        shared = RedisDescriptors(connection_to(self.redis, self.clock))
        return Core(self.driver, InlineThreads(), SETTINGS, descriptors=Descriptors(3, shared, self.clock.seconds))

    def both(self, process: int, name: str, do: Callable[[Repository], Awaitable[Any]]) -> Any:
        """Do it with and without the cache: what comes of it, which must be the same."""
        expected = outcome(do(Repository(self.plain, name, Origin)))
        found = outcome(do(Repository(self.cached[process], name, Origin)))
        assert found == expected
        return found

    @rule(process=PROCESS, name=NAME, content=CONTENT, algorithm=ALGORITHM)
    def push(self, process: int, name: str, content: bytes, algorithm: str) -> None:
        self.both(process, name, lambda repository: push_blob(repository, content, algorithm))

    @rule(process=PROCESS, name=NAME, source=NAME, digest=DIGEST)
    def mount(self, process: int, name: str, source: str, digest: Digest) -> None:
        self.both(process, name, lambda repository: repository.blobs.mount(digest, source))

    @rule(process=PROCESS, name=NAME, digest=DIGEST)
    def delete(self, process: int, name: str, digest: Digest) -> None:
        self.both(process, name, lambda repository: repository.blobs.delete(digest))

    @rule(process=PROCESS, name=NAME, digest=DIGEST)
    def pull(self, process: int, name: str, digest: Digest) -> None:
        found = self.both(process, name, lambda repository: content_of(repository, digest))
        assert not isinstance(found, bytes) or Digest.of(found, digest.algorithm) == digest

    @rule(process=PROCESS, name=NAME, layer=CONTENT)
    def push_manifest(self, process: int, name: str, layer: bytes) -> None:
        content = image([layer])

        async def put(repository: Repository) -> str:
            digest, _ = await repository.manifests.put(content, None, "latest")
            return str(digest)

        self.both(process, name, put)

    @rule(process=PROCESS, name=NAME)
    def pull_manifest(self, process: int, name: str) -> None:
        self.both(process, name, lambda repository: repository.manifests.get("latest"))

    @rule(process=PROCESS, name=NAME)
    def delete_tag(self, process: int, name: str) -> None:
        self.both(process, name, lambda repository: repository.tags.delete("latest"))

    @rule()
    def collect(self) -> None:
        """Content that no repository links goes, as by our garbage collection."""
        for digest in DIGESTS:
            for core in (self.plain, self.cached[0]):
                linked = result_of(core.driver.stats([paths.layer_link(name, digest) for name in NAMES]))
                if linked == [None] * len(NAMES):
                    with suppress(PathNotFound):
                        result_of(core.driver.delete(paths.blob_data(digest)))

    @rule(name=NAME, digest=DIGEST, torn=st.sampled_from([b"", b"sha256:", b"\xff"]))
    def tear(self, name: str, digest: Digest, torn: bytes) -> None:
        """What a power cut may leave of a link."""
        link = paths.layer_link(name, digest)
        if result_of(self.other_driver.stats([link])) != [None]:
            for core in (self.plain, self.cached[0]):
                result_of(core.driver.put_content(link, torn))

    @rule(process=PROCESS)
    def restart(self, process: int) -> None:
        self.cached[process].descriptors.close()
        self.cached[process] = self.new_core()

    @rule(up=st.booleans())
    def redis_down_or_up(self, up: bool) -> None:
        self.redis.up = up
        if not up:
            self.redis.drop()

    @rule(seconds=st.sampled_from([1, 40, 2000]))
    def wait(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @rule()
    def flush(self) -> None:
        self.redis.keys.clear()

    @rule(digest=DIGEST, other=DIGEST, kind=st.sampled_from(["text", "set", "fields", "other"]))
    def poison(self, digest: Digest, other: Digest, kind: str) -> None:
        self.redis.keys[f"blobs::{digest}".encode()] = {
            "text": b"garbage",
            "set": {b"garbage"},
            "fields": {b"digest": b"garbage", b"size": b"-1", b"looked": b"0"},
            "other": {b"digest": str(other).encode(), b"size": b"5", b"looked": b"1"} if other != digest else b"",
        }[kind]

    @invariant()
    def same_blobs(self) -> None:
        for process in range(2):
            for name in NAMES:
                for digest in DIGESTS:
                    self.both(process, name, lambda repository, digest=digest: repository.blobs.stat(digest))

    @invariant()
    def nothing_lingers(self) -> None:
        """No process reads what is not linked."""
        for name in NAMES:
            for digest in DIGESTS:
                if result_of(self.driver.stats([paths.layer_link(name, digest)])) == [None]:
                    for core in self.cached:
                        found = outcome(Repository(core, name, Origin).blobs.open(digest))
                        assert found == outcome_of(BlobUnknown(str(digest)))


def outcome_of(error: RegistryError) -> Any:
    return error.code, error.detail


CachedTests = Cached.TestCase
CachedTests.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
