"""What requests to a registry cost in requests to its bucket, by the driver's metrics; and in round trips."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from dregistry.digest import Digest
from dregistry.manifest import OCI_MANIFEST
from dregistry.registry import Core, Descriptors, Settings
from dregistry.storage.s3.driver import S3Driver
from dregistry.testing import InlineThreads

from ..registry.support import CONFIG, CONFIG_TYPE, LAYER, LAYER_TYPE, descriptor
from ..web.app import BASE, AppCase
from .strict_s3 import StrictService, strict_driver

_LATENCY = 0.01
"""Seconds of a round trip."""


class RequestsTests(AppCase):
    """Each worker has its own memory; ``warm`` is one that was asked the same before."""

    driver: S3Driver

    def make_driver(self) -> S3Driver:
        self.service = StrictService()
        return strict_driver(self.service)

    def core(self, settings: Settings | None = None, driver: Any = None) -> Core:
        return Core(driver or self.driver, InlineThreads(), settings or self.settings, descriptors=Descriptors(limit=0))

    def setUp(self) -> None:
        super().setUp()
        self.layers = [LAYER + b"%d" % number for number in range(8)]
        for content in (CONFIG, *self.layers):
            self.upload(content)
        self.manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": descriptor(CONFIG, CONFIG_TYPE),
                "layers": [descriptor(layer, LAYER_TYPE) for layer in self.layers],
            }
        ).encode()

    def push(self) -> str:
        path = "/v2/a/b/manifests/latest"
        return self.ask("PUT", path, 201, self.manifest, Content_Type=OCI_MANIFEST).headers["docker-content-digest"]

    def cost(self, method: str, path: str, status: int) -> dict[str, int]:
        """What the answer to a request takes."""
        self.driver.metrics.requests.clear()
        self.ask(method, path, status)
        return self.asked

    @property
    def asked(self) -> dict[str, int]:
        """Of the bucket, by operations."""
        found: Counter[str] = Counter()
        for (operation, _), count in self.driver.metrics.requests.items():
            found[operation] += count
        return dict(found)

    def test_manifest(self) -> None:
        digest = self.push()
        self.serve()
        for reference, warm in (("latest", {"GetObject": 1}), (digest, {"HeadObject": 1})):
            for method in ("GET", "HEAD"):
                self.ask(method, f"/v2/a/b/manifests/{reference}", 200)
                self.assertEqual(self.cost(method, f"/v2/a/b/manifests/{reference}", 200), warm)

    def test_manifest_in_a_new_process(self) -> None:
        digest = self.push()
        for reference, cold in (("latest", {"GetObject": 3}), (digest, {"GetObject": 2})):
            self.serve()
            self.assertEqual(self.cost("GET", f"/v2/a/b/manifests/{reference}", 200), cold)

    def test_blob(self) -> None:
        """Whether the answer sends the client to the bucket or not."""
        path = f"/v2/a/b/blobs/{Digest.of(LAYER + b'0')}"
        for redirect, status in ((True, 307), (False, 200)):
            self.serve(Settings(redirect=redirect))
            self.assertEqual(self.cost("HEAD", path, status), {"GetObject": 1, "HeadObject": 1})
            self.assertEqual(self.cost("HEAD", path, status), {"HeadObject": 1})

    def test_pushed_blob_is_known(self) -> None:
        self.assertEqual(self.cost("HEAD", f"/v2/a/b/blobs/{Digest.of(LAYER + b'0')}", 307), {"HeadObject": 1})

    def test_push_of_a_small_blob(self) -> None:
        """By POST and PUT: is there a session, the content, the link."""
        content = b"another"
        self.driver.metrics.requests.clear()
        location = self.ask("POST", "/v2/a/b/blobs/uploads/", 202).headers["location"].removeprefix(BASE)
        self.ask("PUT", f"{location}&digest={Digest.of(content)}", 201, content)
        self.assertEqual(self.asked, {"GetObject": 1, "PutObject": 2})

    def test_round_trips_of_a_manifest(self) -> None:
        """All that is there is asked for at once; then content, revision, tag and history; then a last look."""
        self.driver = strict_driver(service := StrictService(latency=_LATENCY, objects=self.service.objects))
        self.serve()
        answers: list[Any] = []
        headers = {"Content-Type": OCI_MANIFEST}
        self.start("PUT", "/v2/a/b/manifests/latest", headers, self.manifest).addBoth(answers.append)
        trips = 0
        self._treq.flush()
        while not answers:
            service.clock.advance(_LATENCY)
            trips += 1
            self._treq.flush()
        self.assertEqual(answers[0].code, 201)
        self.assertEqual(trips, 6)
        self.assertEqual(self.asked, {"HeadObject": 20, "GetObject": 4, "PutObject": 4})
