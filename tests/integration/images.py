"""
OCI image layouts, made on the spot: what clients push, without any client or network.
"""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Mapping
from typing import Any

from dregistry.testing._images import make_archive

from .client import DOCKER_LIST, DOCKER_MANIFEST, OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, descriptor, digest_of

ALL_MANIFESTS = ", ".join((OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST))

Descriptor = dict[str, Any]


def noise(size: int, seed: int = 0) -> bytes:
    """Bytes that do not compress, the same for the same seed."""
    return random.Random(seed).randbytes(size)


def document(value: Any) -> bytes:
    """JSON with white space of its own, which a registry has to keep."""
    return json.dumps(value, indent=1).encode()


class Layout:
    """
    An OCI image layout in a folder.

    :ivar address: what skopeo calls it.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.address = f"oci:{folder}"
        self._named: list[Descriptor] = []
        os.makedirs(os.path.join(folder, "blobs", "sha256"))
        self._write("oci-layout", document({"imageLayoutVersion": "1.0.0"}))

    def put(self, content: bytes, media_type: str, **more: Any) -> Descriptor:
        """Add a blob; its descriptor."""
        self._write(os.path.join("blobs", *digest_of(content).split(":")), content)
        return descriptor(content, media_type, **more)

    def image(self, *layers: Mapping[str, bytes], architecture: str = "amd64") -> Descriptor:
        """Add an image, a layer for each set of files; the descriptor of its manifest."""
        archives = [make_archive(files) for files in layers]
        config = {
            "architecture": architecture,
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(each) for each in archives]},
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": self.put(document(config), OCI_CONFIG),
            "layers": [self.put(gzip.compress(each, 1, mtime=0), OCI_LAYER) for each in archives],
        }
        platform = {"architecture": architecture, "os": "linux"}
        return self.put(document(manifest), OCI_MANIFEST, platform=platform)

    def index(self, *manifests: Descriptor) -> Descriptor:
        """Add an index of images; its descriptor."""
        return self.put(document({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": list(manifests)}), OCI_INDEX)

    def tag(self, name: str, manifest: Descriptor) -> str:
        """Give a manifest a name; the address of the image."""
        self._named.append({**manifest, "annotations": {"org.opencontainers.image.ref.name": name}})
        self._write("index.json", document({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": self._named}))
        return f"{self.address}:{name}"

    def _write(self, path: str, content: bytes) -> None:
        with open(os.path.join(self.folder, path), "wb") as file:
            file.write(content)


def blobs_of(folder: str) -> dict[str, bytes]:
    """All blobs of a layout, by digest."""
    found = {}
    directory = os.path.join(folder, "blobs", "sha256")
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as file:
            found[f"sha256:{name}"] = file.read()
    return found
