"""
A client that sends what it is told to, byte by byte, and a test case for a server that must bear it.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from .server import RunningRegistry

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
PATIENCE = 5.0
"""Seconds within which every request has an answer or a closed connection."""
ABSENT = "sha256:" + "0" * 64


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Hung(AssertionError):
    """Neither an answer nor a close in time."""


class Peer:
    """One connection to the server."""

    def __init__(self, port: int, timeout: float = PATIENCE) -> None:
        self.timeout = timeout
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._buffer = b""

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *pieces: bytes) -> Peer:
        """Send; a server that has closed the connection is told apart by what it answered."""
        with suppress(ConnectionError):
            self.socket.settimeout(self.timeout)
            for piece in pieces:
                self.socket.sendall(piece)
        return self

    def end(self) -> Peer:
        """No more will come."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        return self

    def receive(self, timeout: float | None = None) -> bytes:
        """Some bytes; none when the server has closed the connection."""
        self.socket.settimeout(self.timeout if timeout is None else timeout)
        try:
            return self.socket.recv(1 << 20)
        except TimeoutError:
            raise Hung(f"nothing came; before: {self._buffer[:200]!r}") from None
        except ConnectionError:
            return b""

    def silent(self, seconds: float) -> bool:
        """Whether neither bytes nor a close come for some time."""
        with suppress(Hung):
            received = self.receive(seconds)
            self._buffer += received
            return False
        return True

    def rest(self) -> bytes:
        """Everything until the server closes the connection."""
        deadline = time.monotonic() + self.timeout
        while piece := self.receive(max(0.01, deadline - time.monotonic())):
            self._buffer += piece
        rest, self._buffer = self._buffer, b""
        return rest

    def answer(self, method: str = "GET") -> Answer | None:
        """The next answer to a request of ``method``, 100 included; None when the connection is closed instead."""
        while b"\r\n\r\n" not in self._buffer:
            piece = self.receive()
            if not piece:
                return None
            self._buffer += piece
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.partition(":")[::2] for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        status = int(status_line.split()[1])
        if method == "HEAD" or status < 200 or status in (204, 304):
            return Answer(status, headers, b"")
        if headers.get("transfer-encoding") == "chunked":
            return Answer(status, headers, self._chunked())
        if "content-length" in headers:
            return Answer(status, headers, self._exactly(int(headers["content-length"])))
        return Answer(status, headers, self.rest())

    def _chunked(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._buffer:
                self._more()
            line, _, self._buffer = self._buffer.partition(b"\r\n")
            size = int(line, 16)
            body += self._exactly(size + 2)[:-2]
            if size == 0:
                return body

    def _exactly(self, size: int) -> bytes:
        pieces = [self._buffer]
        missing = size - len(self._buffer)
        while missing > 0:
            pieces.append(self.receive())
            if not pieces[-1]:
                raise AssertionError(f"an answer broke off {missing} bytes before its end")
            missing -= len(pieces[-1])
        body = b"".join(pieces)
        self._buffer = body[size:]
        return body[:size]

    def _more(self) -> None:
        piece = self.receive()
        if not piece:
            raise AssertionError("an answer broke off")
        self._buffer += piece

    def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Answer:
        """One well-formed request and its answer. ``content_type="x"`` is the header ``Content-Type``."""
        self.send(request(method, target, body, **headers))
        found = self.answer(method)
        if found is None:
            raise AssertionError(f"{method} {target}: the connection was closed")
        return found

    def push_blob(self, name: str, content: bytes) -> str:
        digest = sha256(content)
        found = self.ask("POST", f"/v2/{name}/blobs/uploads/?digest={digest}", content)
        assert found.status == 201, found
        return digest

    def push_manifest(self, name: str, reference: str, content: bytes, media_type: str = OCI_MANIFEST) -> Answer:
        return self.ask("PUT", f"/v2/{name}/manifests/{reference}", content, content_type=media_type)

    def start(self, name: str) -> str:
        """A new upload session: its path."""
        return path_of(self.ask("POST", f"/v2/{name}/blobs/uploads/", b""))


def request(method: str, target: str, body: bytes | None = None, **headers: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: localhost"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")


def path_of(answer: Answer) -> str:
    """Of the URL in ``Location``."""
    assert answer.status in (201, 202), answer
    location = answer.headers["location"]
    return location[location.index("/v2/") :]


def closing(place: str, digest: str) -> str:
    """The target of the PUT that ends the session at ``place``."""
    return f"{place}{'&' if '?' in place else '?'}digest={digest}"


def sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(digest: str, size: int, media_type: str = "application/octet-stream") -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def image(config: bytes, *layers: bytes, **members: Any) -> bytes:
    """A manifest of blobs with these contents."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(sha256(config), len(config)),
        "layers": [descriptor(sha256(layer), len(layer)) for layer in layers],
        **members,
    }
    return json.dumps(document).encode()


class WellTestCase(SynchronousTestCase):
    """Assertions on how a server has come through."""

    def assert_clean(self, log: str) -> None:
        """The log has nothing that should not happen."""
        for word in ("Traceback", "Unhandled", "storage failed", "CRITICAL"):
            if word in log:
                start = max(0, log.index(word) - 300)
                self.fail(f"{word} in the log: {log[start : start + 3000]}")

    def assert_consistent(self, served: RunningRegistry, names: Sequence[str] = ()) -> None:
        """
        Every tag that is listed leads to a manifest, every manifest to all its blobs; and every blob in storage has
        the bytes that its name says.

        :param names: of the repositories to look at; those of the catalog if there are none.
        """
        root = os.path.join(served.data, "docker", "registry", "v2")
        for folder, _, files in os.walk(os.path.join(root, "blobs")):
            if "data" in files and "~" not in folder:
                with open(os.path.join(folder, "data"), "rb") as file:
                    self.assertEqual(sha256(file.read()), "sha256:" + os.path.basename(folder))
        with Peer(served.port, 4 * PATIENCE) as peer:
            for name in names or peer.ask("GET", "/v2/_catalog?n=1000").json()["repositories"]:
                found = peer.ask("GET", f"/v2/{name}/tags/list")
                self.assertIn(found.status, (200, 404))  # it may be empty
                for tag in found.json().get("tags", []):
                    self._assert_manifest(peer, name, tag)
                revisions = os.path.join(root, "repositories", name, "_manifests", "revisions", "sha256")
                for digest in os.listdir(revisions) if os.path.isdir(revisions) else []:
                    if not digest.endswith("~"):
                        self._assert_manifest(peer, name, f"sha256:{digest}")

    def _assert_manifest(self, peer: Peer, name: str, reference: str) -> None:
        found = peer.ask("GET", f"/v2/{name}/manifests/{reference}")
        self.assertEqual(found.status, 200, f"{name}:{reference} is listed, but leads nowhere")
        self.assertEqual(sha256(found.body), found.headers["docker-content-digest"])
        document = found.json()
        for blob in (document["config"], *document["layers"]):
            head = peer.ask("HEAD", f"/v2/{name}/blobs/{blob['digest']}")
            self.assertEqual((head.status, head.headers.get("content-length")), (200, str(blob["size"])))


class ServedTestCase(WellTestCase):
    """
    A server for all tests of the class. After each it still answers, and its log has nothing that should not happen.
    """

    settings: dict[str, Any] = {}
    served: RunningRegistry

    @classmethod
    def setUpClass(cls) -> None:
        cls.served = RunningRegistry(cls.settings)
        cls.served.__enter__()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.served.__exit__(None, None, None)

    def setUp(self) -> None:
        self._logged = len(self.served.read_log())

    def tearDown(self) -> None:
        self.assert_well()

    def peer(self, timeout: float = PATIENCE) -> Peer:
        found = Peer(self.served.port, timeout)
        self.addCleanup(found.socket.close)
        return found

    def ask(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Answer:
        with Peer(self.served.port) as peer:
            return peer.ask(method, target, body, **headers)

    def assert_well(self) -> None:
        self.assertEqual(self.ask("GET", "/v2/").status, 200)
        self.assert_clean(self.served.read_log()[self._logged :])
