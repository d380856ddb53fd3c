"""The clients that people use, against a running server."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import tempfile
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from .client import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Client
from .container_tools import PLAIN, ContainerTools
from .images import ALL_MANIFESTS, Descriptor, Layout, blobs_of, noise
from .server import RunningRegistry

ARCHITECTURES = ("amd64", "arm64", "s390x")
LARGE = 5 << 20


class ClientCase(SynchronousTestCase):
    """A server and the tools for the whole class; for each test a repository and an empty folder of its own."""

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.mkdtemp(prefix="dregistry-clients-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.tools = ContainerTools(folder)
        cls.server = cls.enterClassContext(RunningRegistry({"log": {"accesslog": {"disabled": False}}}))
        cls.client = Client(cls.server.address)

    tools: ClassVar[ContainerTools]
    server: ClassVar[RunningRegistry]
    client: ClassVar[Client]

    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.repo = f"tests/{self._testMethodName}"

    def remote(self, tag: str, repository: str | None = None) -> str:
        return f"docker://{self.server.address}/{repository or self.repo}:{tag}"

    def local(self, name: str) -> str:
        return f"oci:{os.path.join(self.folder, name)}"

    def manifest(self, reference: str, repository: str | None = None) -> tuple[bytes, str]:
        """The bytes and the media type that the registry has."""
        answer = self.client.get(f"/v2/{repository or self.repo}/manifests/{reference}", {"Accept": ALL_MANIFESTS})
        self.assertEqual(answer.status, 200, answer)
        return answer.body, str(answer["Content-Type"])

    def assert_same_blobs(self, layout: Layout, other: str) -> None:
        expected, found = blobs_of(layout.folder), blobs_of(os.path.join(self.folder, other))
        self.assertEqual(sorted(expected), sorted(found))
        self.assertEqual(expected, found)


class SkopeoTests(ClientCase):
    def setUp(self) -> None:
        super().setUp()
        self.layout = Layout(os.path.join(self.folder, "source"))

    def image(self, seed: int = 0, size: int = 1000) -> Descriptor:
        return self.layout.image({"data": noise(size, seed)}, {"etc/motd": b"hello"})

    def multi_architecture(self) -> Descriptor:
        shared = {"shared": noise(LARGE)}
        images = [self.layout.image(shared, {"arch": each.encode()}, architecture=each) for each in ARCHITECTURES]
        return self.layout.index(*images)

    def test_one_image(self) -> None:
        """Out is what went in, to the byte."""
        image = self.image(size=LARGE)
        self.tools.copy(self.layout.tag("one", image), self.remote("v1"))
        self.tools.copy(self.remote("v1"), self.local("copy") + ":one")
        self.assert_same_blobs(self.layout, "copy")
        stored, media_type = self.manifest("v1")
        self.assertEqual(stored, blobs_of(self.layout.folder)[image["digest"]])
        self.assertEqual(media_type, OCI_MANIFEST)

    def test_all_architectures(self) -> None:
        index = self.multi_architecture()
        self.tools.copy(self.layout.tag("all", index), self.remote("v1"), "--all", "--preserve-digests")
        self.tools.copy(self.remote("v1"), self.local("copy") + ":all", "--all", "--preserve-digests")
        self.assert_same_blobs(self.layout, "copy")
        self.assertEqual(self.manifest("v1")[1], OCI_INDEX)

    def test_one_of_the_architectures(self) -> None:
        self.tools.copy(self.layout.tag("all", self.multi_architecture()), self.remote("v1"), "--all")
        inspected = json.loads(self.tools.skopeo("--override-arch", "arm64", "inspect", PLAIN, self.remote("v1")))
        self.assertEqual(inspected["Architecture"], "arm64")

    def test_docker_format(self) -> None:
        """Docker's manifests and list: kept, and given out again, as such."""
        source = self.layout.tag("all", self.multi_architecture())
        self.tools.copy(source, self.remote("v1"), "--all", "--format", "v2s2")
        stored, media_type = self.manifest("v1")
        self.assertEqual(media_type, DOCKER_LIST)
        self.assertEqual(self.tools.skopeo("inspect", PLAIN, "--raw", self.remote("v1")).encode(), stored)
        for child in json.loads(stored)["manifests"]:
            self.assertEqual(child["mediaType"], DOCKER_MANIFEST)
            self.assertEqual(self.manifest(child["digest"])[1], DOCKER_MANIFEST)
        directory = os.path.join(self.folder, "docker")
        self.tools.copy(self.remote("v1"), f"dir:{directory}", "--all", "--preserve-digests")
        with open(os.path.join(directory, "manifest.json"), "rb") as file:
            self.assertEqual(file.read(), stored)

    def test_inspect(self) -> None:
        image = self.image()
        self.tools.copy(self.layout.tag("one", image), self.remote("v1"))
        inspected = json.loads(self.tools.skopeo("inspect", PLAIN, self.remote("v1")))
        self.assertEqual(inspected["Digest"], image["digest"])
        self.assertEqual(inspected["Name"], f"{self.server.address}/{self.repo}")
        self.assertEqual(inspected["RepoTags"], ["v1"])
        self.assertEqual(len(inspected["Layers"]), 2)

    def test_list_tags(self) -> None:
        source = self.layout.tag("one", self.image())
        for tag in ("v2", "latest", "v10"):
            self.tools.copy(source, self.remote(tag))
        listed = json.loads(self.tools.skopeo("list-tags", PLAIN, self.remote("v2").removesuffix(":v2")))
        self.assertEqual(listed["Tags"], ["latest", "v10", "v2"])

    def test_delete(self) -> None:
        self.tools.copy(self.layout.tag("one", self.image(1)), self.remote("v1"))
        self.tools.copy(self.layout.tag("two", self.image(2)), self.remote("v2"))
        self.tools.skopeo("delete", PLAIN, self.remote("v1"))
        self.assertEqual(self.client.get(f"/v2/{self.repo}/tags/list").json()["tags"], ["v2"])
        with self.assertRaisesRegex(AssertionError, "manifest unknown"):
            self.tools.skopeo("inspect", PLAIN, self.remote("v1"))

    def test_copy_between_repositories(self) -> None:
        """Layers are mounted, not sent again. skopeo sends the config."""
        image = self.image(size=LARGE)
        self.tools.copy(self.layout.tag("one", image), self.remote("v1"))
        self.tools.copy(self.remote("v1"), self.remote("v1", "tests/other"))
        self.assertEqual(self.manifest("v1", "tests/other"), self.manifest("v1"))
        self.tools.copy(self.remote("v1", "tests/other"), self.local("copy") + ":one")
        self.assert_same_blobs(self.layout, "copy")
        requests = [line for line in self.server.read_log().splitlines() if "/v2/tests/other/blobs/" in line]
        self.assertEqual(len([line for line in requests if "mount=" in line and '" 201 ' in line]), 2, requests)
        self.assertEqual(len([line for line in requests if '"PATCH ' in line]), 1, requests)

    def test_sync(self) -> None:
        """A whole repository at once."""
        for number in range(3):
            self.tools.copy(self.layout.tag(f"n{number}", self.image(number)), self.remote(f"v{number}"))
        source = self.remote("").removeprefix("docker://").removesuffix(":")
        self.tools.skopeo("sync", "--src-tls-verify=false", "--src=docker", "--dest=dir", source, self.folder)
        self.assertTrue({f"{self._testMethodName}:v{number}" for number in range(3)} <= set(os.listdir(self.folder)))

    def test_an_attempt_with_tls(self) -> None:
        """
        Clients that are told to do without TLS try it first: they must not wait for the end of a line that does not
        come.
        """
        hello = b"\x16\x03\x01\x00\xfa\x01\x00\x00\xf6\x03\x03" + bytes(242)
        with socket.create_connection(("127.0.0.1", self.server.port), 5) as connection:
            connection.sendall(hello)
            received = connection.recv(1 << 16)
            with contextlib.suppress(ConnectionError):
                while more := connection.recv(1 << 16):
                    received += more
        self.assertTrue(received.startswith(b"HTTP/1.1 400 "), received)


class PodmanTests(ClientCase):
    """podman and buildah, with images from nothing."""

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.tools.use_storage()

    def address(self, tag: str, repository: str | None = None) -> str:
        return self.remote(tag, repository).removeprefix("docker://")

    def build(self, content: bytes, *options: str) -> str:
        """An image with one file; its name."""
        path = os.path.join(self.folder, "content")
        with open(path, "wb") as file:
            file.write(content)
        container = self.tools.buildah("from", "scratch").strip()
        self.addCleanup(self.tools.buildah, "rm", container)
        self.tools.buildah("copy", container, path, "/content")
        self.tools.buildah("config", *options, container) if options else None
        name = f"localhost/{self._testMethodName.lower()}-{len(content)}:built"
        self.tools.buildah("commit", "--quiet", container, name)
        return name

    def content(self, image: str) -> bytes:
        """The file, as a container of the image would see it."""
        container = self.tools.buildah("from", "--pull-never", image).strip()
        self.addCleanup(self.tools.buildah, "rm", container)
        with open(os.path.join(self.tools.buildah("mount", container).strip(), "content"), "rb") as file:
            return file.read()

    def forget(self) -> None:
        """Remove all images here, so that the next pull is one."""
        self.doCleanups()
        self.tools.podman("rmi", "--all", "--force")

    def test_buildah(self) -> None:
        content = noise(LARGE, 7)
        name = self.build(content)
        self.tools.buildah("push", PLAIN, name, self.remote("v1"))
        self.assertEqual(self.manifest("v1")[1], OCI_MANIFEST)
        self.forget()
        self.tools.buildah("pull", PLAIN, self.remote("v1"))
        self.assertEqual(self.content(self.address("v1")), content)

    def test_podman(self) -> None:
        content = noise(LARGE, 8)
        name = self.build(content)
        self.tools.podman("push", PLAIN, name, self.address("v1"))
        self.forget()
        self.tools.podman("pull", PLAIN, self.address("v1"))
        self.assertEqual(self.content(self.address("v1")), content)
        digest = str(self.client.head(f"/v2/{self.repo}/manifests/v1")["Docker-Content-Digest"])
        pulled = self.tools.podman("image", "inspect", "--format", "{{.Digest}}", self.address("v1"))
        self.assertEqual(pulled.strip(), digest)
        self.forget()
        self.tools.podman("pull", PLAIN, f"{self.server.address}/{self.repo}@{digest}")

    def test_podman_in_docker_format(self) -> None:
        name = self.build(b"docker")
        self.tools.podman("push", PLAIN, "--format", "v2s2", name, self.address("v1"))
        self.assertEqual(self.manifest("v1")[1], DOCKER_MANIFEST)
        self.forget()
        self.tools.podman("pull", PLAIN, self.address("v1"))
        self.assertEqual(self.content(self.address("v1")), b"docker")

    def test_manifest_list(self) -> None:
        """Images for two architectures, pushed as one."""
        listed = f"localhost/{self._testMethodName}"
        self.tools.buildah("manifest", "create", listed)
        for architecture, content in (("amd64", b"one"), ("arm64", b"three")):
            name = self.build(content, "--arch", architecture)
            self.tools.buildah("manifest", "add", "--arch", architecture, listed, name)
        self.tools.buildah("manifest", "push", PLAIN, "--all", listed, self.remote("v1"))
        self.assertEqual(len(json.loads(self.manifest("v1")[0])["manifests"]), 2)
        self.forget()
        self.tools.podman("pull", PLAIN, "--arch", "arm64", self.address("v1"))
        self.assertEqual(self.content(self.address("v1")), b"three")
