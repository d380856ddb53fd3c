"""
A small synchronous client of the registry API, and the test case that starts a server for it.

Every answer is checked as it comes in: the version header, a length, and JSON errors. So no test repeats it.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit, urlunsplit

from twisted.trial.unittest import SynchronousTestCase

from tests.integration.server import RunningRegistry

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCI_FOREIGN = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
EXAMPLE_TYPE = "application/vnd.example.signature.v1+json"
OTHER_TYPE = "application/vnd.example.bill.v1+json"
OCTETS = "application/octet-stream"
TIMEOUT = 30.0
ERROR_LOGGED = re.compile(r"Traceback \(most recent call last\)| level=error ")

Headers = Mapping[str, str] | Sequence[tuple[str, str]]
_numbers = count(1)


def digest_of(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


def random_bytes(size: int = 512) -> bytes:
    return os.urandom(size)


def encode(document: Any) -> bytes:
    return json.dumps(document).encode()


def descriptor(content: bytes, media_type: str, algorithm: str = "sha256", **more: Any) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": digest_of(content, algorithm), "size": len(content), **more}


class Response:
    """One answer, read to its end."""

    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status = answer.status
        self.headers = answer.headers
        self.body = answer.read()

    def __getitem__(self, name: str) -> str | None:
        return self.headers.get(name)

    def __repr__(self) -> str:
        return f"<{self.status} {dict(self.headers)} {self.body[:500]!r}>"

    @property
    def location(self) -> str:
        value = self.headers["Location"]
        assert value, self
        return value

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        return [error["code"] for error in self.json()["errors"]]


def check_answer(method: str, target: str, answer: Response) -> None:
    """What holds for every answer of the API."""
    assert answer["Docker-Distribution-API-Version"] == "registry/2.0", (method, target, answer)
    if answer.status not in (204, 304):
        assert answer["Content-Length"] is not None or answer["Transfer-Encoding"], (method, target, answer)
    if answer.status >= 400 and method != "HEAD":
        assert (answer["Content-Type"] or "").split(";")[0] == "application/json", (method, target, answer)
        assert answer.body.endswith(b"\n"), (method, target, answer)
        for error in answer.json()["errors"]:
            assert error["code"].isupper(), answer
            assert error["message"], answer


class Client:
    """Speaks to the server at an address, with a new connection for every request."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.base = f"http://{address}"

    def target(self, url: str, query: Mapping[str, Any] | Sequence[tuple[str, str]] | None = None) -> str:
        """Path and query of a URL, or of a path taken as it is, with `query` added to it."""
        target = url if url.startswith("/") else urlunsplit(("", "", *urlsplit(url)[2:4], ""))
        more = urlencode(query or {}, doseq=True)
        return target + (("&" if "?" in target else "?") + more if more else "")

    def request(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        headers: Headers = (),
        query: Mapping[str, Any] | Sequence[tuple[str, str]] | None = None,
        chunks: Iterable[bytes] | None = None,
    ) -> Response:
        """
        One request.

        :param body: sent with its length; without, ``Content-Length: 0`` unless the method is GET or HEAD.
        :param chunks: sent chunked, in place of `body`.
        """
        target = self.target(url, query)
        connection = http.client.HTTPConnection(self.address, timeout=TIMEOUT)
        pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
        names = {name.lower() for name, _ in pairs}
        try:
            connection.putrequest(method, target, skip_host="host" in names, skip_accept_encoding=True)
            for name, value in pairs:
                connection.putheader(name, value)
            if chunks is not None:
                connection.putheader("Transfer-Encoding", "chunked")
            elif "content-length" not in names and (body is not None or method not in ("GET", "HEAD")):
                connection.putheader("Content-Length", str(len(body or b"")))
            connection.endheaders()
            # A server may answer and close before it has read everything.
            with suppress(BrokenPipeError, ConnectionResetError):
                for piece in () if chunks is None else chunks:
                    connection.send(b"%x\r\n%b\r\n" % (len(piece), piece))
                if chunks is not None:
                    connection.send(b"0\r\n\r\n")
                elif body:
                    connection.send(body)
            answer = Response(connection.getresponse())
        finally:
            connection.close()
        if urlsplit(target).path != "/":
            check_answer(method, target, answer)
        return answer

    def get(self, url: str, headers: Headers = (), query: Any = None) -> Response:
        return self.request("GET", url, headers=headers, query=query)

    def head(self, url: str, headers: Headers = (), query: Any = None) -> Response:
        return self.request("HEAD", url, headers=headers, query=query)

    def delete(self, url: str) -> Response:
        return self.request("DELETE", url)

    def send_partly(self, method: str, url: str, announced: int, body: bytes) -> socket.socket:
        """Send headers that announce more than `body`, then `body`; the open connection."""
        connection = socket.create_connection(self.address.split(":"), TIMEOUT)
        connection.sendall(
            f"{method} {self.target(url)} HTTP/1.1\r\nHost: {self.address}\r\nContent-Type: {OCTETS}\r\n"
            f"Content-Length: {announced}\r\n\r\n".encode()
            + body
        )
        return connection

    def start_upload(self, repository: str, **query: str) -> Response:
        return self.request(
            "POST", f"/v2/{repository}/blobs/uploads/", query={k.replace("_", "-"): v for k, v in query.items()}
        )

    def patch(self, location: str, body: bytes, span: str | None = None) -> Response:
        headers = {"Content-Type": OCTETS, **({} if span is None else {"Content-Range": span})}
        return self.request("PATCH", location, body, headers)

    def finish(self, location: str, digest: str, body: bytes = b"", span: str | None = None) -> Response:
        headers = {"Content-Type": OCTETS, **({} if span is None else {"Content-Range": span})}
        return self.request("PUT", location, body, headers, {"digest": digest})

    def push_blob(self, repository: str, content: bytes, algorithm: str = "sha256") -> str:
        """By POST and PUT; its digest."""
        digest = digest_of(content, algorithm)
        answer = self.finish(self.start_upload(repository).location, digest, content)
        assert answer.status == 201, answer
        return digest

    def put_manifest(
        self, repository: str, reference: str, content: bytes, media_type: str | None = OCI_MANIFEST, **more: Any
    ) -> Response:
        headers = {} if media_type is None else {"Content-Type": media_type}
        headers.update(more.pop("headers", {}))
        return self.request("PUT", f"/v2/{repository}/manifests/{reference}", content, headers, **more)

    def push_manifest(
        self, repository: str, document: Any, reference: str | None = None, algorithm: str = "sha256"
    ) -> dict[str, Any]:
        """Push a document (or its bytes) by tag, or by digest; its descriptor."""
        content = document if isinstance(document, bytes) else encode(document)
        media_type = json.loads(content)["mediaType"]
        answer = self.put_manifest(repository, reference or digest_of(content, algorithm), content, media_type)
        assert answer.status == 201, answer
        return descriptor(content, media_type, algorithm)

    def image(self, repository: str, algorithm: str = "sha256", layers: int = 2, **more: Any) -> dict[str, Any]:
        """An image manifest whose blobs are pushed; `more` are further members of it."""
        config = encode({"architecture": "amd64", "os": "linux", "random": random_bytes(8).hex()})
        contents = [random_bytes() for _ in range(layers)]
        for content in [config, *contents]:
            self.push_blob(repository, content, algorithm)
        return {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": descriptor(config, OCI_CONFIG, algorithm),
            "layers": [descriptor(content, OCI_LAYER, algorithm) for content in contents],
            **more,
        }

    def artifact(self, repository: str, artifact_type: str | None = EXAMPLE_TYPE, **more: Any) -> dict[str, Any]:
        """An artifact manifest with the empty config, whose blobs are pushed."""
        content = random_bytes()
        for blob in (b"{}", content):
            self.push_blob(repository, blob)
        kind = {} if artifact_type is None else {"artifactType": artifact_type}
        return {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            **kind,
            "config": descriptor(b"{}", OCI_EMPTY),
            "layers": [descriptor(content, EXAMPLE_TYPE)],
            **more,
        }

    def index(self, manifests: Iterable[dict[str, Any]], **more: Any) -> dict[str, Any]:
        return {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(manifests), **more}


class ApiCase(SynchronousTestCase):
    """
    Tests against one server for the whole class, each with a repository of its own.

    :cvar settings: merged into the server's configuration.
    """

    settings: ClassVar[dict[str, Any]] = {}
    server: ClassVar[RunningRegistry]
    client: ClassVar[Client]
    _log_read: ClassVar[int] = 0

    @classmethod
    def setUpClass(cls) -> None:
        cls.server = RunningRegistry(cls.settings)
        cls.addClassCleanup(cls.server.__exit__, None, None, None)
        cls.server.start()
        cls.client = Client(cls.server.address)

    def setUp(self) -> None:
        self.repo = f"repo{next(_numbers)}/test"

    def tearDown(self) -> None:
        """Nothing that a client does makes the server log an error."""
        log = self.server.read_log()
        found = ERROR_LOGGED.search(log, type(self)._log_read)
        type(self)._log_read = len(log)
        self.assertIsNone(found, found and log[found.start() : found.start() + 3000])

    def assert_status(self, answer: Response, status: int) -> Response:
        self.assertEqual(answer.status, status, repr(answer))
        return answer

    def assert_error(self, answer: Response, status: int, code: str) -> Response:
        self.assert_status(answer, status)
        self.assertEqual(answer.codes[0], code, repr(answer))
        return answer

    def assert_blob(self, content: bytes, digest: str, repository: str | None = None) -> None:
        """The blob is there, by HEAD and GET."""
        url = f"/v2/{repository or self.repo}/blobs/{digest}"
        for answer in (self.client.head(url), self.client.get(url)):
            self.assert_status(answer, 200)
            self.assertEqual(answer["Content-Length"], str(len(content)))
            self.assertEqual(answer["Docker-Content-Digest"], digest)
        self.assertEqual(answer.body, content)

    def assert_no_blob(self, digest: str, repository: str | None = None) -> None:
        url = f"/v2/{repository or self.repo}/blobs/{digest}"
        self.assert_error(self.client.get(url), 404, "BLOB_UNKNOWN")
        self.assert_status(self.client.head(url), 404)
