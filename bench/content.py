"""
What is pushed and pulled: an image with a large blob, files that no registry has seen, and a directory of many tags.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

OCI = "application/vnd.oci.image."
MANIFEST = OCI + "manifest.v1+json"
MIB = 1 << 20

BIG_BYTES = 256 * MIB
SMALL_BYTES = 4096
PUSH_BYTES = 128 * MIB

REPOSITORIES = 2001
"""In the generated directory: one of them has all the tags of `TAGS_REPOSITORY`, the others have one."""
TAGS = 20000
TAGS_REPOSITORY = "big/tags"


@dataclass(frozen=True)
class Seeds:
    """Paths of what `seed` pushed."""

    by_tag: str
    by_digest: str
    small: str
    big: str


def seed(port: int, big: Path) -> Seeds:
    """Push an image of eight small layers, and a large blob beside it."""
    client = _Client(port, "bench/img")
    config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}).encode()
    layers = [os.urandom(SMALL_BYTES) for _ in range(8)]
    for data in (config, *layers):
        client.push_blob(data, _digest(data))
    manifest = _manifest(config, layers)
    client.request("PUT", "/v2/bench/img/manifests/latest", 201, manifest, MANIFEST)
    with big.open("rb") as file:
        big_digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        client.push_blob(file, big_digest)
    client.close()
    return Seeds(
        by_tag="/v2/bench/img/manifests/latest",
        by_digest=f"/v2/bench/img/manifests/{_digest(manifest)}",
        small=f"/v2/bench/img/blobs/{_digest(layers[0])}",
        big=f"/v2/bench/img/blobs/{big_digest}",
    )


class Payloads:
    """
    Four files of 128 MiB of random bytes.

    :param directory: best in memory, so that reading them costs no registry anything.
    """

    def __init__(self, directory: Path) -> None:
        self.files = [directory / f"payload-{number}" for number in range(4)]
        for path in self.files:
            write_random(path, PUSH_BYTES)

    def fresh(self, count: int) -> list[tuple[Path, str]]:
        """Some of them with their digests, changed so that no registry has them and could skip the write."""
        return [(path, self._change(path)) for path in self.files[:count]]

    @staticmethod
    def _change(path: Path) -> str:
        with path.open("r+b") as file:
            file.write(os.urandom(16))
            file.seek(0)
            return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def write_random(path: Path, size: int) -> None:
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))


def generate(data: Path) -> None:
    """
    Make a data directory in the layout of distribution, with REPOSITORIES and TAGS.

    All tags are of one small image, and without their history (`index`): what lists cost depends on names only, and
    files that nobody reads take long to make and to remove.
    """
    root = data / "docker" / "registry" / "v2"
    config, layer = b'{"architecture":"amd64","os":"linux"}', bytes(512)
    manifest = _manifest(config, [layer])
    for blob in (config, layer, manifest):
        digest = hashlib.sha256(blob).hexdigest()
        _write(root / "blobs" / "sha256" / digest[:2] / digest / "data", blob)
    names = [f"team-{number % 50:02d}/app-{number:05d}" for number in range(REPOSITORIES - 1)]
    for name in [*names, TAGS_REPOSITORY]:
        repository = root / "repositories" / name
        for blob in (config, layer):
            _link(repository / "_layers" / "sha256", blob)
        _link(repository / "_manifests" / "revisions" / "sha256", manifest)
        for tag in range(TAGS if name == TAGS_REPOSITORY else 1):
            _write(repository / "_manifests" / "tags" / f"t{tag}" / "current" / "link", _digest(manifest).encode())


def _link(directory: Path, blob: bytes) -> None:
    _write(directory / hashlib.sha256(blob).hexdigest() / "link", _digest(blob).encode())


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _manifest(config: bytes, layers: list[bytes]) -> bytes:
    def descriptor(kind: str, data: bytes) -> dict[str, object]:
        return {"mediaType": OCI + kind, "digest": _digest(data), "size": len(data)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor("config.v1+json", config),
        "layers": [descriptor("layer.v1.tar+gzip", layer) for layer in layers],
    }
    return json.dumps(manifest).encode()


class _Client:
    """Pushes to one repository."""

    def __init__(self, port: int, repository: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120, blocksize=MIB)
        self._repository = repository
        self.close = self._connection.close

    def push_blob(self, data: bytes | BinaryIO, digest: str) -> None:
        answer = self.request("POST", f"/v2/{self._repository}/blobs/uploads/", 202, b"")
        where = urlsplit(answer.headers["Location"])
        query = f"{where.query}&digest={digest}" if where.query else f"digest={digest}"
        self.request("PUT", f"{where.path}?{query}", 201, data)

    def request(
        self, method: str, path: str, expected: int, body: bytes | BinaryIO, kind: str = "application/octet-stream"
    ) -> http.client.HTTPResponse:
        length = len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
        self._connection.request(method, path, body, {"Content-Type": kind, "Content-Length": str(length)})
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != expected:
            raise RuntimeError(f"{method} {path} was answered {answer.status}: {text[:500]!r}")
        return answer
