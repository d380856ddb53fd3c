"""Tests of :mod:`dregistry.manifest`: what the formats' own specifications show, and what they forbid."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.errors import ManifestInvalid
from dregistry.manifest import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    Descriptor,
    Manifest,
    parse_manifest,
)

HEX = {letter: letter * 64 for letter in "abcdef"}


def descriptor(letter: str = "a", **members: Any) -> dict[str, Any]:
    return {"mediaType": "application/x", "size": 7, "digest": f"sha256:{HEX[letter]}", **members}


def manifest(**members: Any) -> dict[str, Any]:
    """With None for a member: without it."""
    found = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("a", mediaType="application/vnd.oci.image.config.v1+json"),
        "layers": [descriptor("b"), descriptor("c")],
        **members,
    }
    return {member: value for member, value in found.items() if value is not None}


def index(**members: Any) -> dict[str, Any]:
    found = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor("d"), descriptor("e")], **members}
    return {member: value for member, value in found.items() if value is not None}


def parse(document: Any, content_type: str | None = None) -> Manifest:
    return parse_manifest(json.dumps(document).encode(), content_type)


class ExampleTests(SynchronousTestCase):
    def test_image(self) -> None:
        """Image-spec, "Example Image Manifest"."""
        content = b"""{
  "schemaVersion": 2,
  "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {
    "mediaType": "application/vnd.oci.image.config.v1+json",
    "digest": "sha256:b5b2b2c507a0944348e0303114d8d93aaaa081732b86451d9bce1f432a537bc7",
    "size": 7023
  },
  "layers": [
    {
      "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
      "digest": "sha256:9834876dcfb05cb167a5c24953eba58c4ac89b1adf57f28f2f9d09af107ee8f0",
      "size": 32654
    }
  ],
  "subject": {
    "mediaType": "application/vnd.oci.image.manifest.v1+json",
    "digest": "sha256:5b0bcabd1ed22e9fb1310cf6c2dec7cdef19f0ad69efa1f392e94a4333501270",
    "size": 7682
  },
  "annotations": {
    "com.example.key1": "value1",
    "com.example.key2": "value2"
  }
}"""
        found = parse_manifest(content, OCI_MANIFEST)
        self.assertEqual(found.content, content)
        self.assertEqual(found.media_type, OCI_MANIFEST)
        self.assertEqual([blob.size for blob in found.blobs], [7023, 32654])
        self.assertEqual(found.blobs[0].digest.hex[:6], "b5b2b2")
        self.assertEqual(found.subject and found.subject.size, 7682)
        self.assertEqual(found.artifact_type, "application/vnd.oci.image.config.v1+json")
        self.assertEqual(found.annotations, {"com.example.key1": "value1", "com.example.key2": "value2"})
        self.assertEqual((found.references, found.manifests), (found.blobs, ()))

    def test_index(self) -> None:
        """Image-spec, "Example Image Index"."""
        platform = {"architecture": "ppc64le", "os": "linux", "os.features": ["x", "y"]}
        found = parse(index(manifests=[descriptor("d", platform=platform), descriptor("e")]))
        self.assertEqual([child.platform for child in found.manifests], [platform, {}])
        self.assertEqual((found.references, found.blobs), (found.manifests, ()))
        self.assertEqual(found.artifact_type, "")

    def test_artifact(self) -> None:
        """Image-spec, "Guidelines for Artifact Usage"."""
        empty = {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
            "data": "e30=",
        }
        found = parse(manifest(config=empty, layers=[empty], artifactType="application/vnd.example+type"))
        self.assertEqual(found.artifact_type, "application/vnd.example+type")
        self.assertEqual(found.blobs[0].digest, Digest.of(b"{}"))

    def test_docker(self) -> None:
        self.assertEqual(parse(manifest(mediaType=DOCKER_MANIFEST), DOCKER_MANIFEST).media_type, DOCKER_MANIFEST)
        self.assertEqual(parse(index(mediaType=DOCKER_LIST), DOCKER_LIST).media_type, DOCKER_LIST)

    def test_descriptor(self) -> None:
        member = descriptor(
            "b", urls=["https://example.com/b"], annotations={"k": "v"}, artifactType="t", platform={"os": "linux"}
        )
        expected = Descriptor(
            "application/x", Digest("sha256", HEX["b"]), 7, ("https://example.com/b",), {"k": "v"}, "t", {"os": "linux"}
        )
        self.assertEqual(parse(manifest(layers=[member])).blobs[1], expected)


class MediaTypeTests(SynchronousTestCase):
    def test_own_word(self) -> None:
        self.assertEqual(parse(manifest()).media_type, OCI_MANIFEST)
        self.assertEqual(parse(index()).media_type, OCI_INDEX)
        self.assertEqual(parse(manifest(mediaType=None)).media_type, OCI_MANIFEST)
        self.assertEqual(parse(index(mediaType=None)).media_type, OCI_INDEX)
        self.assertEqual(parse(manifest(), "").media_type, OCI_MANIFEST)

    def test_content_type(self) -> None:
        for stated in (OCI_MANIFEST, OCI_MANIFEST + "; charset=utf-8", f" {OCI_MANIFEST} ;x", OCI_MANIFEST.upper()):
            self.assertEqual(parse(manifest(), stated).media_type, OCI_MANIFEST)
            self.assertEqual(parse(manifest(mediaType=None), stated).media_type, OCI_MANIFEST)
        self.assertEqual(parse(index(mediaType=None), OCI_INDEX).media_type, OCI_INDEX)

    def test_contradiction(self) -> None:
        refused(self, "Content-Type", manifest(), OCI_INDEX)
        refused(self, "Content-Type", manifest(), DOCKER_MANIFEST)
        refused(self, "Content-Type", manifest(), "application/json")
        refused(self, "Content-Type", manifest(), ";")
        refused(self, "mediaType", manifest(mediaType=None), DOCKER_MANIFEST)
        refused(self, "mediaType", index(mediaType=None), DOCKER_LIST)
        refused(self, "mediaType", manifest(mediaType="application/json"))
        for wrong in (1, [], {}, False, [OCI_MANIFEST]):
            refused(self, "mediaType must be a string", manifest(mediaType=wrong))
        refused(self, "unknown mediaType", manifest(mediaType=OCI_MANIFEST + " "))

    def test_ambiguous(self) -> None:
        """CVE-2021-41190: one document, two readings."""
        for member in ("manifests", "fsLayers"):
            refused(self, "ambiguous", {**manifest(), member: []})
            refused(self, "ambiguous", {**manifest(), member: None})
        for member in ("config", "layers", "fsLayers"):
            refused(self, "ambiguous", {**index(), member: {}})
        refused(self, "ambiguous", {**manifest(mediaType=None), "manifests": []}, OCI_MANIFEST)
        refused(self, "ambiguous", {**manifest(mediaType=None), "manifests": []})

    def test_schema_1(self) -> None:
        for suffix in ("v1+json", "v1+prettyjws"):
            media_type = f"application/vnd.docker.distribution.manifest.{suffix}"
            refused(self, "schema 1", {"schemaVersion": 1, "fsLayers": []}, media_type)
            refused(self, "schema 1", manifest(mediaType=media_type))
        refused(self, "schema 1", {"schemaVersion": 1, "name": "x", "fsLayers": [], "history": []})

    def test_schema_version(self) -> None:
        for wrong in (None, 0, 1, 3, 2.0, "2", True, [2], {}, 2**64):
            refused(self, "schemaVersion", {**manifest(), "schemaVersion": wrong})
        refused(self, "schemaVersion", manifest(schemaVersion=None))


class MemberTests(SynchronousTestCase):
    def test_descriptors(self) -> None:
        for wrong in ([], "x", 1, True, {}):
            refused(self, "config", manifest(config=wrong))
            refused(self, "layers[1]", manifest(layers=[descriptor(), wrong]))
            refused(self, "subject", manifest(subject=wrong))
            refused(self, "manifests[0]", index(manifests=[wrong]))
        refused(self, "config", manifest(config=None))
        for wrong in ({}, "x", 1, True):
            refused(self, "layers must be a list", manifest(layers=wrong))
            refused(self, "manifests must be a list", index(manifests=wrong))

    def test_sizes(self) -> None:
        for wrong in (None, -1, 1.0, "1", True, [], 2**63, 10**400):
            refused(self, "config.size", manifest(config=descriptor(size=wrong)))
        for size in (0, 2**63 - 1):
            self.assertEqual(parse(manifest(config=descriptor(size=size))).blobs[0].size, size)

    def test_digests(self) -> None:
        for wrong in (None, "", "x", "sha256:", "md5:" + "0" * 32, "sha256:" + "A" * 64, 1, [], {}):
            refused(self, "layers[0].digest", manifest(layers=[descriptor(digest=wrong)]))

    def test_other_members(self) -> None:
        for member, wrongs in {
            "mediaType": (1, [], {}, True),
            "artifactType": (1, [], {}, True),
            "urls": ("x", 1, {"a": 1}, [1], [None], True),
            "annotations": ("x", 1, ["x"], {"a": 1}, {"a": None}, {"a": {}}, False, []),
            "platform": ("x", 1, ["x"], {"os": 1}, {"architecture": ["x"]}, {"variant": {}}, False),
        }.items():
            for wrong in wrongs:
                refused(self, f"layers[0].{member}", manifest(layers=[descriptor(**{member: wrong})]))
        refused(self, "annotations", manifest(annotations={"a": 1}))
        refused(self, "artifactType", manifest(artifactType=1))

    def test_null_is_no_member(self) -> None:
        members = ("mediaType", "urls", "annotations", "artifactType", "platform")
        found = parse(
            {**manifest(), "subject": None, "annotations": None, "layers": [descriptor(**dict.fromkeys(members))]}
        )
        self.assertEqual(found.blobs[1], Descriptor("", Digest("sha256", HEX["a"]), 7))
        self.assertEqual((found.subject, found.annotations), (None, {}))

    def test_unknown_members(self) -> None:
        """Image-spec, "Extensibility": they are ignored; of a platform only what is flat is kept."""
        platform = {"os": "linux", "os.features": ["x"], "new": {"deep": [1]}, "number": 1, "mixed": ["x", 1]}
        found = parse({**index(manifests=[descriptor(platform=platform, data="x", new=[{}])]), "new": [None, 1.5]})
        self.assertEqual(found.manifests[0].platform, {"os": "linux", "os.features": ["x"]})


def refused(case: SynchronousTestCase, words: str, document: Any, content_type: str | None = None) -> None:
    error = case.assertRaises(ManifestInvalid, parse, document, content_type)
    case.assertIn(words, error.reason)
