"""Tests of :mod:`dregistry.registry.manifests`. What a manifest is: ``tests/test_manifest.py``."""

from __future__ import annotations

import json

from dregistry.digest import Digest
from dregistry.errors import (
    DigestInvalid,
    ManifestInvalid,
    ManifestTooLarge,
    ManifestUnknown,
    Unsupported,
)
from dregistry.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from dregistry.registry import Settings
from dregistry.storage import paths

from .support import CONFIG, LAYER, RegistryCase, image, origin

NAME = "some/repo"
SCHEMA1 = b'{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[],"history":[]}'


class ManifestsCase(RegistryCase):
    def setUp(self) -> None:
        super().setUp()
        self.manifests = self.repository.manifests

    def blobs(self) -> None:
        self.push(CONFIG)
        self.push(LAYER)

    def get(self, reference: str | Digest) -> tuple[bytes, str, Digest, str]:
        found = self.do(self.manifests.get(reference))
        return found.content, found.media_type, found.digest, found.tag

    def store(self, content: bytes, **members: str | Digest) -> Digest:
        """As another registry stores it."""
        digest = Digest.of(content)
        self.put(paths.blob_data(digest), content)
        self.put(paths.revision_link(NAME, digest), digest)
        return digest


class PuttingTests(ManifestsCase):
    def test_by_tag(self) -> None:
        content = image()
        self.blobs()
        digest, manifest = self.do(self.manifests.put(content, OCI_MANIFEST, "v1"))
        self.assertEqual((digest, manifest.content), (Digest.of(content), content))
        self.assertEqual(self.get("v1"), (content, OCI_MANIFEST, digest, "v1"))
        self.assertEqual(self.get(digest), (content, OCI_MANIFEST, digest, ""))

    def test_stored_as_distribution_does(self) -> None:
        content = image()
        self.blobs()
        before = self.tree()
        digest, _ = self.do(self.manifests.put(content, None, "v1"))
        link = str(digest).encode()
        self.assertEqual(
            {path: data for path, data in self.tree().items() if path not in before},
            {
                paths.blob_data(digest): content,
                paths.revision_link(NAME, digest): link,
                paths.tag_current_link(NAME, "v1"): link,
                paths.tag_index_link(NAME, "v1", digest): link,
            },
        )

    def test_by_digest(self) -> None:
        self.blobs()
        for algorithm in ("sha256", "sha512"):
            digest = Digest.of(image(), algorithm)
            self.do(self.manifests.put(image(), None, digest))
            self.assertEqual(self.get(digest), (image(), OCI_MANIFEST, digest, ""))
        self.assertEqual(self.tree(paths.tags(NAME)), {})

    def test_tags_at_once(self) -> None:
        """By digest with tags, each once and in order."""
        self.blobs()
        digest = Digest.of(image(), "sha512")
        self.heard.take()
        self.do(self.manifests.put(image(), None, digest, ["b", "a", "b"]))
        for tag in "ab":
            self.assertEqual(self.get(tag), (image(), OCI_MANIFEST, digest, tag))
        self.assertEqual([event.tag for event in self.heard.take()], ["b", "a"])

    def test_by_a_wrong_digest(self) -> None:
        self.blobs()
        before = self.tree()
        for algorithm in ("sha256", "sha512"):
            self.refused(DigestInvalid, self.manifests.put(image(), None, Digest.of(b"", algorithm), ["a"]))
        self.assertEqual(self.tree(), before)

    def test_large(self) -> None:
        """Hashed and parsed in threads."""
        self.blobs()
        content = image(annotations={"a": "x" * 100_000})
        digest, _ = self.do(self.manifests.put(content, None, "v1"))
        self.assertEqual(self.get("v1"), (content, OCI_MANIFEST, digest, "v1"))

    def test_too_large(self) -> None:
        self.blobs()
        limit = len(image())
        self.do(self.repository_of(Settings(manifest_limit=limit)).manifests.put(image(), None, "v1"))
        small = self.repository_of(Settings(manifest_limit=limit - 1)).manifests
        self.assertEqual(self.refused(ManifestTooLarge, small.put(image(), None, "v2")).limit, limit - 1)

    def test_other_media_type_than_it_says(self) -> None:
        self.blobs()
        before = self.tree()
        self.refused(ManifestInvalid, self.manifests.put(image(), DOCKER_MANIFEST, "v1"))
        self.assertEqual(self.tree(), before)

    def test_torn_content_is_replaced(self) -> None:
        self.blobs()
        self.put(paths.blob_data(Digest.of(image())), image()[:10])
        self.do(self.manifests.put(image(), None, "v1"))
        self.assertEqual(self.get("v1")[0], image())

    def test_again(self) -> None:
        digest = self.push_image("v1")
        before = self.tree()
        self.assertEqual(self.push_image("v1"), digest)
        self.assertEqual(self.tree(), before)


class GettingTests(ManifestsCase):
    def test_unknown(self) -> None:
        self.push_image("v1")
        for reference in ("v2", Digest.of(b"no"), Digest.of(CONFIG)):
            error = self.refused(ManifestUnknown, self.manifests.get(reference))
            self.assertEqual((error.name, error.reference), (NAME, str(reference)))

    def test_of_another_repository(self) -> None:
        digest = self.push_image("v1")
        self.do(self.manifests.get(digest))
        other = self.registry.repository("some", origin).manifests
        self.refused(ManifestUnknown, other.get(digest))
        self.refused(ManifestUnknown, other.get("v1"))

    def test_deleted_elsewhere(self) -> None:
        """What was served before is not served once another process has deleted it."""
        digest = self.push_image("v1")
        self.get("v1")
        self.do(self.repository_of(self.settings).manifests.delete(digest))
        self.refused(ManifestUnknown, self.manifests.get(digest))
        self.refused(ManifestUnknown, self.manifests.get("v1"))
        self.push_image("v1")
        self.get("v1")

    def test_tag_of_a_manifest_that_is_gone(self) -> None:
        digest = self.push_image("v1")
        self.do(self.driver.delete(paths.revision(NAME, digest)))
        self.assertEqual(self.refused(ManifestUnknown, self.manifests.get("v1")).reference, "v1")

    def test_without_content(self) -> None:
        digest = self.push_image("v1")
        self.do(self.driver.delete(paths.blob_data(digest)))
        self.refused(ManifestUnknown, self.manifests.get("v1"))

    def test_torn_links(self) -> None:
        digest = self.push_image("v1")
        for path in (paths.revision_link(NAME, digest), paths.tag_current_link(NAME, "v1")):
            self.put(path, b"")
            self.refused(ManifestUnknown, self.manifests.get("v1"))

    def test_alias(self) -> None:
        digest = Digest.of(image(), "sha512")
        self.put(paths.blob_data(Digest.of(image())), image())
        self.put(paths.revision_link(NAME, digest), Digest.of(image()))
        self.put(paths.tag_current_link(NAME, "v1"), digest)
        self.assertEqual(self.get("v1"), (image(), OCI_MANIFEST, digest, "v1"))

    def test_media_type_of_its_own(self) -> None:
        for members, expected in (
            ({"manifests": []}, OCI_INDEX),
            ({"config": {}}, OCI_MANIFEST),
            ({"mediaType": DOCKER_LIST}, DOCKER_LIST),
        ):
            digest = self.store(json.dumps({"schemaVersion": 2, **members}).encode())
            self.assertEqual(self.get(digest)[1], expected)


class DeletingTests(ManifestsCase):
    def test_with_its_tags(self) -> None:
        digest = self.push_image("v1")
        self.push_image("v2")
        other = self.push_image("v3", annotations={"a": "b"})
        self.do(self.manifests.delete(digest))
        for reference in (digest, "v1", "v2"):
            self.refused(ManifestUnknown, self.manifests.get(reference))
        self.assertEqual(self.get("v3")[2], other)
        self.assertEqual(self.do(self.repository.tags.page("", 10)), ["v3"])
        self.refused(ManifestUnknown, self.manifests.delete(digest))

    def test_by_another_of_its_digests(self) -> None:
        self.push_image("v1")
        digest = Digest.of(image(), "sha512")
        self.do(self.manifests.put(image(), None, digest, ["v2"]))
        self.do(self.manifests.delete(digest))
        self.assertEqual(self.get("v1")[0], image())
        self.refused(ManifestUnknown, self.manifests.get("v2"))

    def test_disabled(self) -> None:
        digest = self.push_image("v1")
        self.refused(Unsupported, self.repository_of(Settings()).manifests.delete(digest))
        self.get(digest)

    def test_stored_by_another_registry(self) -> None:
        """Whatever it is, it can be removed."""
        digest = self.store(SCHEMA1)
        self.put(paths.tag_current_link(NAME, "v1"), digest)
        self.do(self.manifests.delete(digest))
        self.refused(ManifestUnknown, self.manifests.get("v1"))

    def test_with_many_tags(self) -> None:
        digest = self.push_image("v1")
        for number in range(1100):
            self.put(paths.tag_current_link(NAME, f"t{number}"), digest)
        self.do(self.manifests.delete(digest))
        self.assertEqual(self.tree(paths.tags(NAME)), {})
