"""The Docker daemon, against a running server."""

from __future__ import annotations

import io
import json
import os
import tarfile
import tempfile
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from dregistry.testing._images import make_archive

from .client import DOCKER_MANIFEST, Client
from .docker_daemon import DockerDaemon
from .images import noise
from .server import RunningRegistry


class DockerTests(SynchronousTestCase):
    server: ClassVar[RunningRegistry]
    docker: ClassVar[DockerDaemon]

    @classmethod
    def setUpClass(cls) -> None:
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        cls.docker = cls.enterClassContext(DockerDaemon(folder))
        cls.server = cls.enterClassContext(RunningRegistry())

    def setUp(self) -> None:
        self.client = Client(self.server.address)
        self.path = f"tests/{self._testMethodName}"
        self.name = f"{self.server.address}/{self.path}"

    def push(self, tag: str, content: bytes) -> str:
        """Push an image with one file; the digest that the registry names."""
        self.docker.import_archive(make_archive({"content": content}), self.name, tag)
        self.docker.push(self.name, tag)
        self.docker.remove(f"{self.name}:{tag}")
        answer = self.client.head(f"/v2/{self.path}/manifests/{tag}", {"Accept": DOCKER_MANIFEST})
        self.assertEqual((answer.status, answer["Content-Type"]), (200, DOCKER_MANIFEST))
        return str(answer["Docker-Content-Digest"])

    def content(self, image: str) -> bytes:
        """The file, out of an image that was pulled."""
        with tarfile.open(fileobj=io.BytesIO(self.docker.export(image))) as outer:
            manifest = outer.extractfile("manifest.json")
            assert manifest is not None
            layer = outer.extractfile(json.load(manifest)[0]["Layers"][0])
            assert layer is not None
            with tarfile.open(fileobj=layer) as inner:
                member = inner.extractfile("content")
                assert member is not None
                return member.read()

    def test_push_and_pull(self) -> None:
        content = noise(5 << 20)
        digest = self.push("v1", content)
        self.docker.pull(self.name, "v1")
        self.assertEqual(self.content(f"{self.name}:v1"), content)
        self.assertEqual(self.docker.inspect(f"{self.name}:v1")["RepoDigests"], [f"{self.name}@{digest}"])

    def test_pull_by_digest(self) -> None:
        digest = self.push("v1", b"by digest")
        self.docker.pull(self.name, digest)
        self.assertEqual(self.content(f"{self.name}@{digest}"), b"by digest")

    def test_what_is_not_there(self) -> None:
        with self.assertRaisesRegex(AssertionError, "manifest unknown|not found"):
            self.docker.pull(self.name, os.urandom(4).hex())
