"""dregistry.testing.MemoryRegistry, for a client that is another process."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from dregistry.digest import Digest
from dregistry.testing import Fault, MemoryRegistry, make_layer, on

from .container_tools import PLAIN, ContainerTools
from .images import Layout, blobs_of, noise


class SkopeoTests(TestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.tools = ContainerTools(self.folder)

    async def test_seeded(self) -> None:
        async with self.registry() as registry:
            layers = [make_layer({"etc/motd": b"hello"}), make_layer({"data": noise(3 << 20)})]
            digest = registry.push_image("some/image", "v1", layers)
            await self.copy(f"docker://{registry.address}/some/image:v1", f"oci:{self.folder}/copy:v1")
            found = blobs_of(os.path.join(self.folder, "copy"))
            self.assertEqual(found[digest], registry.manifest("some/image", "v1"))
            self.assertEqual([found[str(Digest.of(each))] for each in layers], layers)
            shown = await deferToThread(
                self.tools.skopeo, "inspect", PLAIN, f"docker://{registry.address}/some/image:v1"
            )
            self.assertIn(digest, shown)

    async def test_pushed_in_spite_of_faults(self) -> None:
        """skopeo asks again after a 429; what it pushed is there to look at."""
        layout = Layout(os.path.join(self.folder, "source"))
        source = layout.tag("v1", layout.image({"data": noise(3 << 20)}))
        async with self.registry() as registry:
            registry.inject(Fault(status=429, headers={"Retry-After": "1"}), on("POST", ".*/blobs/uploads/"), times=1)
            await self.copy(source, f"docker://{registry.address}/some/image:v1")
            digest = registry.tags("some/image")["v1"]
            self.assertEqual(registry.manifest("some/image", "v1"), blobs_of(layout.folder)[digest])
            self.assertEqual([each.status for each in registry.requests if each.fault is not None], [429])

    async def test_a_fault(self) -> None:
        async with self.registry() as registry:
            registry.push_image("some/image", "v1", [make_layer({"data": noise(3 << 20)})])
            registry.inject(Fault(status=500), on("GET", ".*/manifests/v1"))
            with self.assertRaisesRegex(AssertionError, "500 Internal Server Error|500"):
                await self.copy(f"docker://{registry.address}/some/image:v1", f"oci:{self.folder}/copy:v1")

    def registry(self) -> MemoryRegistry:
        from twisted.internet import reactor

        return MemoryRegistry(reactor)

    def copy(self, source: str, target: str) -> Any:
        """In a thread: the registry is served by this one."""
        return deferToThread(self.tools.copy, source, target)
