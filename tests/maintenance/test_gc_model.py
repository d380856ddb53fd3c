"""Tests of :mod:`dregistry.maintenance.gc`: random registries, beside a slow model."""

from __future__ import annotations

import tempfile

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.maintenance.gc import Options, collect
from dregistry.maintenance.report import BLOB, MANIFEST
from dregistry.storage import paths

from .registries import LAYERS, Registry, registries
from .support import NOW, InFiles, InMemory, Recorder, Storage


class ModelTests(SynchronousTestCase):
    def check(self, storage: Storage, registry: Registry, untagged_go: bool) -> None:
        registry.write(storage)
        before = storage.all()
        needed = registry.needed(lambda name: registry.kept(name, untagged_go))
        doomed = {
            (name, str(registry.documents[number].digest))
            for name, repository in registry.repositories.items()
            for number in repository.manifests - registry.kept(name, untagged_go)
        }
        self.collect(storage, Options(dry_run=True, untagged_go=untagged_go), needed, doomed, registry)
        self.assertEqual(storage.all(), before)
        self.collect(storage, Options(untagged_go=untagged_go), needed, doomed, registry)
        expected = {path: content for path, content in before.items() if stays(path, needed, doomed)}
        self.assertEqual(storage.all(), expected)
        again = Recorder()
        collect(storage.tree, Options(untagged_go=untagged_go), again, NOW)
        self.assertEqual(again.items, [])

    def collect(
        self, storage: Storage, options: Options, needed: set[str], doomed: set[tuple[str, str]], registry: Registry
    ) -> None:
        recorder = Recorder()
        collect(storage.tree, options, recorder, NOW)
        contents = [LAYERS[number] for number in registry.present]
        contents += [each.content for number, each in enumerate(registry.documents) if number not in registry.missing]
        stored = {str(Digest.of(content)) for content in contents}
        self.assertEqual(sorted(recorder.named(BLOB)), sorted(stored - needed))
        found = [(item.repository, item.name) for item in recorder.items if item.kind == MANIFEST]
        self.assertEqual(sorted(found), sorted(doomed))

    @settings(max_examples=150, deadline=None)
    @given(registries(broken=True), st.booleans())
    def test_in_memory(self, registry: Registry, untagged_go: bool) -> None:
        storage = InMemory()
        storage.tree.concurrency = 1
        self.check(storage, registry, untagged_go)

    @settings(max_examples=40, deadline=None)
    @given(registries(broken=True), st.booleans())
    def test_in_files(self, registry: Registry, untagged_go: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:
            self.check(InFiles(folder), registry, untagged_go)


def stays(path: str, needed: set[str], doomed: set[tuple[str, str]]) -> bool:
    """Whether a path is there after a collection."""
    parts = path.removeprefix(paths.ROOT + "/").split("/")
    digest = f"{parts[-3]}:{parts[-2]}"
    if parts[0] == "blobs":
        return f"{parts[1]}:{parts[3]}" in needed
    if "_layers" in parts:
        return digest in needed
    name = "/".join(parts[1 : parts.index("_manifests")])
    return (name, digest) not in doomed
