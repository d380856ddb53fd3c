"""Tests of leases: content is young again whenever a client is told that it is there; see docs/design/online-gc.md."""

from __future__ import annotations

import time

from dregistry.digest import Digest
from dregistry.registry import Repository
from dregistry.registry._core import LEASE_STEP
from dregistry.registry._descriptors import LOOK_LASTS
from dregistry.storage import paths

from .support import RegistryCase, RenewingMemory, content_of, origin, push_blob

CONTENT = b"x" * (1 << 20)


class LeaseTests(RegistryCase):
    def setUp(self) -> None:
        super().setUp()
        self.digest = self.push(CONTENT)
        self.path = paths.blob_data(self.digest)

    def make_driver(self) -> RenewingMemory:
        return RenewingMemory()

    def age(self) -> float:
        return time.time() - (self.do(self.driver.stat(self.path)).modified or 0.0)

    def grow_old(self, age: float = LEASE_STEP + 100) -> None:
        self.driver._put(self.path, CONTENT, time.time() - age)

    def other(self) -> Repository:
        return self.registry.repository("other", origin)

    def test_push(self) -> None:
        self.assertLess(self.age(), 50)

    def test_push_of_what_is_there(self) -> None:
        self.grow_old()
        self.do(push_blob(self.other(), CONTENT))
        self.assertLess(self.age(), 50)

    def test_head(self) -> None:
        self.grow_old()
        self.do(self.repository.blobs.stat(self.digest))
        self.assertLess(self.age(), 50)

    def test_mount(self) -> None:
        self.grow_old()
        self.do(self.other().blobs.mount(self.digest, "some/repo"))
        self.assertLess(self.age(), 50)

    def test_not_each_time(self) -> None:
        """A write for every HEAD would cost more than the lease is worth."""
        self.grow_old(LEASE_STEP - LOOK_LASTS - 100)
        self.do(self.repository.blobs.stat(self.digest))
        self.assertGreater(self.age(), LEASE_STEP - LOOK_LASTS - 200)

    def test_pull(self) -> None:
        """Whoever reads a blob has a manifest that needs it."""
        self.grow_old()
        self.do(content_of(self.repository, self.digest))
        self.assertGreater(self.age(), LEASE_STEP)

    def test_small(self) -> None:
        digest = self.push(b"small")
        self.driver._put(paths.blob_data(digest), b"small", 0.0)
        self.do(push_blob(self.other(), b"small"))
        self.assertEqual(digest, Digest.of(b"small"))
        modified = self.do(self.driver.stat(paths.blob_data(digest))).modified
        self.assertGreater(modified or 0.0, time.time() - 50)
