"""What the tests of maintenance share: a registry's content, written straight into a driver."""

from __future__ import annotations

import json
import os
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.maintenance import DriverTree, Fault, Item, Watcher
from dregistry.manifest import OCI_INDEX, OCI_MANIFEST
from dregistry.storage import Tree, paths
from dregistry.storage._local_tree import LocalTree
from dregistry.storage.memory import MemoryDriver

from ..registry import support as registry
from ..storage.support import result_of, temporary_directory

CONFIG_TYPE = registry.CONFIG_TYPE
LAYER_TYPE = registry.LAYER_TYPE
NAME = "team/app"
NOW = 2_000_000_000.0


class Storage:
    """
    Content in a driver, or in files.

    :ivar tree: as maintenance sees it.
    """

    tree: Tree

    def put(self, path: str, content: bytes | str | Digest) -> None:
        raise NotImplementedError

    def all(self) -> dict[str, bytes]:
        """Every path and its content."""
        raise NotImplementedError

    def blob(self, content: bytes, algorithm: str = "sha256") -> Digest:
        digest = Digest.of(content, algorithm)
        self.put(paths.blob_data(digest), content)
        return digest

    def layer(self, content: bytes, name: str = NAME) -> Digest:
        """A blob that a repository links."""
        digest = self.blob(content)
        self.put(paths.layer_link(name, digest), digest)
        return digest

    def manifest(self, content: bytes, *tags: str, name: str = NAME) -> Digest:
        """A manifest of a repository, and its tags."""
        digest = self.blob(content)
        self.put(paths.revision_link(name, digest), digest)
        for tag in tags:
            self.put(paths.tag_current_link(name, tag), digest)
            self.put(paths.tag_index_link(name, tag, digest), digest)
        return digest

    def image(self, mark: str, *tags: str, name: str = NAME, **members: Any) -> Digest:
        """An image with two blobs of its own."""
        config, layer = f"config {mark}".encode(), f"layer {mark}".encode()
        for content in (config, layer):
            self.layer(content, name)
        return self.manifest(image(config, layer, **members), *tags, name=name)


class InMemory(Storage):
    def __init__(self) -> None:
        self.driver = MemoryDriver()
        self.tree = DriverTree(self.driver, lambda start: result_of(start()))

    def put(self, path: str, content: bytes | str | Digest) -> None:
        result_of(self.driver.put_content(path, _bytes(content)))

    def all(self) -> dict[str, bytes]:
        found: dict[str, bytes] = result_of(registry.tree(self.driver))
        return found


class InFiles(Storage):
    def __init__(self, root: str) -> None:
        self.root = root
        self.tree = LocalTree(root)

    def put(self, path: str, content: bytes | str | Digest) -> None:
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "wb") as file:
            file.write(_bytes(content))

    def all(self) -> dict[str, bytes]:
        found = {}
        for folder, _, files in os.walk(self.root):
            for name in files:
                with open(os.path.join(folder, name), "rb") as file:
                    found[os.path.join(folder, name)[len(self.root) :]] = file.read()
        return found


def _bytes(content: bytes | str | Digest) -> bytes:
    return content if isinstance(content, bytes) else str(content).encode()


def image(config: bytes, *layers: bytes, **members: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(config, CONFIG_TYPE),
        "layers": [descriptor(layer, LAYER_TYPE) for layer in layers],
    }
    return json.dumps({**document, **members}).encode()


def index(*children: Digest, **members: Any) -> bytes:
    listed = [{"mediaType": OCI_MANIFEST, "digest": str(child), "size": 1} for child in children]
    return json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed, **members}).encode()


def descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}


def subject(digest: Digest) -> dict[str, Any]:
    return {"mediaType": OCI_MANIFEST, "digest": str(digest), "size": 1}


class Recorder(Watcher):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self.faults: list[Fault] = []
        self.reasons: dict[str, str] = {}
        self.marked_blobs: list[str] = []

    def item(self, item: Item) -> None:
        self.items.append(item)

    def fault(self, fault: Fault) -> None:
        self.faults.append(fault)

    def kept(self, repository: str, digest: str, reason: str) -> None:
        self.reasons[digest] = reason

    def marking_blob(self, repository: str, digest: str) -> None:
        self.marked_blobs.append(digest)

    def named(self, kind: str) -> list[str]:
        return [item.name for item in self.items if item.kind == kind]


class InMemoryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.storage = self.make_storage()
        self.recorder = Recorder()

    def make_storage(self) -> Any:
        return InMemory()


class InFilesCase(InMemoryCase):
    def make_storage(self) -> Any:
        return InFiles(temporary_directory(self))
