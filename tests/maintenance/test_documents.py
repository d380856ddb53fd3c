"""Tests of :mod:`dregistry.maintenance._documents`."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.maintenance._documents import References, Unreadable, references
from dregistry.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST

A, B, C = (str(Digest.of(text)) for text in (b"a", b"b", b"c"))
LONG = str(Digest.of(b"a", "sha512"))

MEMBERS = ["schemaVersion", "config", "layers", "manifests", "subject", "digest", "fsLayers", "blobs"]
JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(MEMBERS), inner),
)


def of(document: Any) -> References:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return references(content, str(Digest.of(content)))


def listed(*digests: str) -> list[dict[str, str]]:
    return [{"digest": digest} for digest in digests]


class ReadableTests(SynchronousTestCase):
    def assert_refers(
        self, document: Any, blobs: tuple[str, ...], children: tuple[str, ...] = (), to: str = ""
    ) -> None:
        found = of(document)
        self.assertEqual((tuple(found.blobs), tuple(found.children), found.subject), (blobs, children, to))

    def test_images(self) -> None:
        for media_type in (OCI_MANIFEST, DOCKER_MANIFEST, None):
            document = {"schemaVersion": 2, "mediaType": media_type, "config": {"digest": A}, "layers": listed(B, LONG)}
            self.assert_refers(document, (A, B, LONG))

    def test_indexes(self) -> None:
        for media_type in (OCI_INDEX, DOCKER_LIST, ""):
            self.assert_refers({"schemaVersion": 2, "mediaType": media_type, "manifests": listed(A, B)}, (), (A, B))

    def test_empty(self) -> None:
        self.assert_refers({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": None}, ())
        self.assert_refers({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}, ())

    def test_subject(self) -> None:
        self.assert_refers({"schemaVersion": 2, "config": {"digest": A}, "subject": {"digest": B}}, (A,), (), B)
        self.assert_refers({"schemaVersion": 2, "manifests": [], "subject": {"digest": LONG}}, (), (), LONG)

    def test_what_other_registries_stored(self) -> None:
        self.assert_refers({"schemaVersion": 1, "fsLayers": [{"blobSum": A}, {"blobSum": B}, {"blobSum": A}]}, (A, B))
        for kind in ("oci.artifact.manifest.v1+json", "cncf.oras.artifact.manifest.v1+json"):
            document = {"mediaType": f"application/vnd.{kind}", "blobs": listed(A), "subject": {"digest": B}}
            self.assert_refers(document, (A,), (), B)

    def test_all_there_is(self) -> None:
        """What pushing would refuse as ambiguous may be stored: all that anybody reads in it counts."""
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": listed(A), "manifests": listed(B)}
        self.assert_refers(document, (A,), (B,))

    def test_sha512(self) -> None:
        content = json.dumps({"schemaVersion": 2, "config": {"digest": A}}).encode()
        self.assertEqual(tuple(references(content, str(Digest.of(content, "sha512"))).blobs), (A,))

    def test_algorithm_that_is_unknown(self) -> None:
        content = json.dumps({"schemaVersion": 2, "config": {"digest": A}}).encode()
        self.assertEqual(tuple(references(content, "other:" + "a" * 32).blobs), (A,))


class UnreadableTests(SynchronousTestCase):
    def assert_unreadable(self, document: Any, says: str) -> None:
        error = self.assertRaises(Unreadable, of, document)
        self.assertIn(says, str(error))

    def test_not_json(self) -> None:
        for content in (b"", b"{", b"\xff\xfe{}", b"[" * 100_000):
            self.assert_unreadable(content, "not JSON")

    def test_no_object(self) -> None:
        for content in (b"[]", b"1", b"null", b'"text"'):
            self.assert_unreadable(content, "no JSON object")

    def test_unknown(self) -> None:
        self.assert_unreadable({}, "no manifest of a known kind")
        self.assert_unreadable({"schemaVersion": 2}, "no manifest of a known kind")
        self.assert_unreadable({"schemaVersion": 2, "mediaType": "a/b", "layers": listed(A)}, "mediaType 'a/b'")

    def test_malformed_references(self) -> None:
        base = {"schemaVersion": 2, "mediaType": OCI_MANIFEST}
        for members in (
            {"layers": {}},
            {"layers": "x"},
            {"layers": [A]},
            {"layers": [{}]},
            {"layers": listed("sha256:short")},
            {"layers": [{"digest": 1}]},
            {"config": []},
            {"config": {"digest": A.upper()}},
            {"manifests": [None]},
            {"subject": {}},
            {"subject": A},
        ):
            self.assert_unreadable({**base, **members}, "")

    def test_spelling(self) -> None:
        """Go reads members whatever their case; Python would overlook these."""
        for member in ("Layers", "CONFIG", "Manifests", "fslayers", "MediaType"):
            self.assert_unreadable({"schemaVersion": 2, "config": {"digest": A}, member: listed(B)}, repr(member))

    def test_wrong_digest(self) -> None:
        """A flipped bit may turn a reference into another one."""
        content = json.dumps({"schemaVersion": 2, "config": {"digest": A}}).encode()
        for algorithm in ("sha256", "sha512", "sha384"):
            error = self.assertRaises(Unreadable, references, content, f"{algorithm}:{'a' * 64}")
            self.assertIn("does not have its digest", str(error))

    @given(JSON)
    def test_anything(self, document: Any) -> None:
        try:
            of(document)
        except Unreadable:
            return
