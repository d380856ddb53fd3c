"""Tests of :mod:`dregistry.redis._descriptors`: what is where in the Redis, and what may be there."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from dregistry.digest import Digest
from dregistry.redis._descriptors import RedisDescriptors
from dregistry.registry import ISharedDescriptors, Known

from .fake import FakeRedis, connection_to

DIGEST = Digest.of(b"abc")
KEY = f"blobs::{DIGEST}".encode()
TEXT = str(DIGEST).encode()
KNOWN = Known(3, 1000.0)
FIELDS = {b"digest": TEXT, b"size": b"3", b"looked": b"1000", b"mediatype": b"application/octet-stream"}


class DescriptorsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = FakeRedis()
        self.clock = Clock()
        self.descriptors = self.another()

    def another(self) -> RedisDescriptors:
        """As another process has them."""
        found = RedisDescriptors(connection_to(self.server, self.clock))
        self.assertIsNone(self.do(found.get(Digest.of(b"the first who asks is not answered"))))
        return found

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def get(self, digest: Digest = DIGEST) -> Known | None:
        found: Known | None = self.do(self.descriptors.get(digest))
        return found

    def test_interface(self) -> None:
        verifyObject(ISharedDescriptors, self.descriptors)

    def test_put(self) -> None:
        """As distribution reads it. What a repository holds is not for the Redis to say."""
        self.descriptors.put(DIGEST, KNOWN)
        self.assertEqual(self.server.keys, {KEY: FIELDS})
        self.assertEqual(self.server.asked[-1], [b"EXPIRE", KEY, b"3600"])
        self.assertEqual(self.do(self.another().get(DIGEST)), KNOWN)

    def test_media_type_of_others_stays(self) -> None:
        """Distribution keeps those of manifests there."""
        self.server.keys[KEY] = {b"mediatype": b"a/b"}
        self.descriptors.put(DIGEST, KNOWN)
        self.assertEqual(self.server.keys[KEY], {**FIELDS, b"mediatype": b"a/b"})

    def test_in_whole_seconds(self) -> None:
        """Rather too old than too young."""
        self.descriptors.put(DIGEST, Known(3, 1000.9))
        self.assertEqual(self.get(), KNOWN)

    def test_of_distribution(self) -> None:
        """It does not say when it looked, and renews no lease: of no use here, and left alone."""
        fields = {b"digest": TEXT, b"size": b"3", b"mediatype": b"a/b"}
        self.server.keys[KEY] = dict(fields)
        self.assertIsNone(self.get())
        self.assertEqual(self.server.keys[KEY], fields)

    def test_cleared_by_distribution(self) -> None:
        """When it deletes a blob it leaves the size."""
        self.server.keys[KEY] = {b"size": b"3"}
        self.assertIsNone(self.get())

    def test_stored_by_another_algorithm(self) -> None:
        """Distribution's descriptor of what was pushed by sha512: of no use here, and left alone."""
        digest = Digest.of(b"abc", "sha512")
        fields = {b"digest": TEXT, b"size": b"3", b"looked": b"1000"}
        self.server.keys[f"blobs::{digest}".encode()] = dict(fields)
        self.assertIsNone(self.get(digest))
        self.assertEqual(self.server.keys[f"blobs::{digest}".encode()], fields)

    def test_forget(self) -> None:
        self.descriptors.put(DIGEST, KNOWN)
        self.do(self.descriptors.forget(DIGEST))
        self.assertEqual(self.server.keys, {})

    def test_unlink(self) -> None:
        """Neither distribution nor dregistry finds it any more; another repository's blobs stay."""
        self.descriptors.put(DIGEST, KNOWN)
        other = f"repository::a/b::blobs::{DIGEST}".encode()
        self.server.keys |= {
            b"repository::some/repo::blobs": {TEXT, b"another"},
            f"repository::some/repo::blobs::{DIGEST}".encode(): {b"mediatype": b"a/b"},
            b"repository::a/b::blobs": {TEXT},
            other: {b"mediatype": b"a/b"},
        }
        self.do(self.descriptors.unlink("some/repo", DIGEST))
        self.assertEqual(
            self.server.keys,
            {
                b"repository::some/repo::blobs": {b"another"},
                b"repository::a/b::blobs": {TEXT},
                other: {b"mediatype": b"a/b"},
            },
        )

    def test_down(self) -> None:
        """Nothing is known then, nothing raises, and nothing waits."""
        self.descriptors.put(DIGEST, KNOWN)
        self.server.up = False
        self.server.drop()
        self.assertIsNone(self.get())
        self.descriptors.put(DIGEST, KNOWN)
        self.do(self.descriptors.forget(DIGEST))
        self.do(self.descriptors.unlink("some/repo", DIGEST))
        self.server.up = True
        self.clock.advance(1)
        self.get()
        self.assertEqual(self.get(), KNOWN)

    def test_refused(self) -> None:
        self.server.errors = {name: b"-READONLY You can't write against a read only replica.\r\n"
                              for name in (b"HSET", b"HSETNX", b"EXPIRE", b"DEL", b"SREM", b"HMGET")}  # fmt: skip
        self.assertIsNone(self.get())
        self.descriptors.put(DIGEST, KNOWN)
        self.do(self.descriptors.forget(DIGEST))
        self.do(self.descriptors.unlink("some/repo", DIGEST))
        self.assertEqual(self.server.attempts, 1)

    def test_close(self) -> None:
        self.descriptors.close()
        self.assertIsNone(self.get())
        self.assertEqual(self.server.connections, [])

    GARBAGE = (
        st.none() | st.binary(max_size=80) | st.sampled_from([TEXT, b"3", b"-3", b"+3", b" 3", b"3.0", b"9" * 400])
    )

    @given(GARBAGE, GARBAGE, GARBAGE, st.booleans())
    def test_garbage(self, target: bytes | None, size: bytes | None, looked: bytes | None, other: bool) -> None:
        """Only an answer that is sound counts."""
        self.setUp()
        target = str(Digest.of(b"abd")).encode() if other else target
        fields = {b"digest": target, b"size": size, b"looked": looked}
        self.server.keys[KEY] = {name: value for name, value in fields.items() if value is not None}
        found = self.get()
        sound = target == TEXT and all(each and each.isdigit() and len(each) <= 18 for each in (size, looked))
        self.assertEqual(found, Known(int(size or b"0"), float(looked or b"0")) if sound else None)
        self.descriptors.put(DIGEST, KNOWN)
        self.assertEqual(self.get(), KNOWN)

    def test_other_types(self) -> None:
        for value in (b"a string", {b"a member"}):
            self.server.keys[KEY] = value
            self.assertIsNone(self.get())
            self.descriptors.put(DIGEST, KNOWN)
            self.assertEqual(self.get(), KNOWN)
