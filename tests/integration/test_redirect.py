"""Clients that are sent elsewhere for blobs: to a plain web server on the same directory."""

from __future__ import annotations

import http.client
import os
import shutil
import tempfile
import threading
from collections.abc import Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import urlsplit

from twisted.trial.unittest import SynchronousTestCase

from .client import Client, digest_of
from .container_tools import PLAIN, ContainerTools
from .docker_registry import DockerRegistry
from .images import Layout, blobs_of, noise
from .server import RunningRegistry

LARGE = 3 << 20


class FileServer:
    """
    A web server on a directory, at some port of 127.0.0.1.

    :ivar asked: methods and paths, as they came.
    """

    def __init__(self, folder: str) -> None:
        asked = self.asked = list[tuple[str, str]]()

        class Handler(SimpleHTTPRequestHandler):
            def log_request(self, code: Any = "-", size: Any = "-") -> None:
                asked.append((self.command, self.path))

        os.makedirs(folder, exist_ok=True)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=folder))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def blobs(self) -> set[str]:
        """Digests of what was asked for since the last time."""
        found = {path.split("/")[-2] for _, path in self.asked if path.endswith("/data")}
        self.asked.clear()
        return {f"sha256:{each}" for each in found}


def middleware(*entries: Mapping[str, Any]) -> dict[str, Any]:
    return {"middleware": {"storage": list(entries)}}


def redirect(url: str, **more: Any) -> dict[str, Any]:
    return {"name": "redirect", "options": {"baseurl": url}, **more}


class RedirectCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = tempfile.mkdtemp(prefix="dregistry-redirect-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.data = os.path.join(self.folder, "data")
        self.files = FileServer(self.data)
        self.addCleanup(self.files.stop)

    def start(self, settings: Mapping[str, Any]) -> RunningRegistry:
        return self.enterContext(RunningRegistry(settings, data=self.data))


class ClientTests(RedirectCase):
    """skopeo and podman follow; what they get is what was pushed."""

    tools: ClassVar[ContainerTools]

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.mkdtemp(prefix="dregistry-redirect-tools-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.tools = ContainerTools(folder)

    def push(self, registry: RunningRegistry) -> Layout:
        layout = Layout(os.path.join(self.folder, "source"))
        image = layout.image({"data": noise(LARGE)}, {"etc/motd": b"hello"})
        self.tools.copy(layout.tag("one", image), f"docker://{registry.address}/some/image:v1")
        return layout

    def blobs(self, registry: RunningRegistry) -> set[str]:
        """Of the image that was pushed: its config and its layers."""
        manifest = Client(registry.address).get("/v2/some/image/manifests/v1").json()
        return {each["digest"] for each in (manifest["config"], *manifest["layers"])}

    def test_skopeo(self) -> None:
        registry = self.start(middleware(redirect(self.files.url)))
        layout = self.push(registry)
        self.files.asked.clear()
        target = os.path.join(self.folder, "copy")
        self.tools.copy(f"docker://{registry.address}/some/image:v1", f"oci:{target}:one")
        self.assertEqual(blobs_of(target), blobs_of(layout.folder))
        self.assertEqual(self.files.blobs(), self.blobs(registry))

    def test_podman(self) -> None:
        self.tools.use_storage()
        registry = self.start(middleware(redirect(self.files.url)))
        self.push(registry)
        self.files.asked.clear()
        name = f"{registry.address}/some/image:v1"
        self.tools.podman("pull", PLAIN, name)
        self.addCleanup(self.tools.podman, "rmi", "--force", name)
        digest = self.tools.podman("image", "inspect", "--format", "{{.Digest}}", name).strip()
        self.assertEqual(digest, Client(registry.address).get("/v2/some/image/manifests/v1")["Docker-Content-Digest"])
        self.assertEqual(self.files.blobs(), self.blobs(registry))

    def test_rewritten(self) -> None:
        """Nobody listens where ``redirect`` sends clients; ``rewrite`` after it sends them on."""
        port = urlsplit(self.files.url).port
        rewrite = {"scheme": "http", "host": f"127.0.0.1:{port}", "trimpathprefix": "/storage"}
        nowhere = redirect("https://192.0.2.1/storage")
        registry = self.start(middleware(nowhere, {"name": "rewrite", "options": rewrite}))
        layout = self.push(registry)
        self.files.asked.clear()
        target = os.path.join(self.folder, "copy")
        self.tools.copy(f"docker://{registry.address}/some/image:v1", f"oci:{target}:one")
        self.assertEqual(blobs_of(target), blobs_of(layout.folder))
        self.assertEqual(self.files.blobs(), self.blobs(registry))


class AnswerTests(RedirectCase):
    def push(self, registry: RunningRegistry, content: bytes = b"0123456789") -> str:
        digest = digest_of(content)
        client = Client(registry.address)
        upload = client.request("POST", "/v2/a/b/blobs/uploads/").location
        headers = {"Content-Type": "application/octet-stream"}
        self.assertEqual(client.request("PUT", upload, content, headers, query={"digest": digest}).status, 201)
        return f"/v2/a/b/blobs/{digest}"

    def ask(self, registry: RunningRegistry, method: str, path: str, **headers: str) -> tuple[int, str | None, bytes]:
        connection = http.client.HTTPConnection(registry.address, timeout=30)
        self.addCleanup(connection.close)
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.getheader("Location"), answer.read()

    def test_as_distribution(self) -> None:
        """Beside registry:2 with the same middleware, on the same directory."""
        settings = middleware(redirect(self.files.url))
        registry = self.start(settings)
        other = self.enterContext(DockerRegistry(self.data, settings))
        path = self.push(registry)
        etag = '"' + path.rpartition("/")[2] + '"'
        for method in ("GET", "HEAD"):
            for headers in ({}, {"Range": "bytes=0-1"}, {"If_None_Match": etag}):
                answer = self.ask(registry, method, path, **headers)
                self.assertEqual(answer, self.ask(other, method, path, **headers))
                self.assertEqual((answer[0], answer[2]), (307, b""))
        absent = path.replace(etag[8:18], "0" * 10)
        self.assertEqual(self.ask(registry, "GET", absent)[:2], (404, None))
        self.assertEqual(self.ask(other, "GET", absent)[:2], (404, None))

    def test_disabled(self) -> None:
        """All redirects, or the one entry."""
        for settings in (
            {**middleware(redirect(self.files.url)), "storage": {"redirect": {"disable": True}}},
            middleware(redirect(self.files.url, disabled=True)),
        ):
            with RunningRegistry(settings, data=self.data) as registry:
                path = self.push(registry)
                self.assertEqual(self.ask(registry, "GET", path), (200, None, b"0123456789"))
                self.assertEqual(self.ask(registry, "HEAD", path), (200, None, b""))

    def test_small_and_large_and_by_any_worker(self) -> None:
        registry = self.start({**middleware(redirect(self.files.url)), "http": {"workers": 2}})
        for content in (b"", b"x", noise(LARGE)):
            path = self.push(registry, content)
            for _ in range(4):
                status, location, _ = self.ask(registry, "GET", path)
                self.assertEqual(status, 307)
                assert location is not None
                connection = http.client.HTTPConnection(urlsplit(location).netloc, timeout=30)
                self.addCleanup(connection.close)
                connection.request("GET", urlsplit(location).path)
                self.assertEqual(connection.getresponse().read(), content)
