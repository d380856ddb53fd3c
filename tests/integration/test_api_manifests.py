"""Manifests over HTTP: every kind the conformance suite pushes, pulled and deleted again."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

from tests.integration.client import (
    EXAMPLE_TYPE,
    OCI_CONFIG,
    OCI_EMPTY,
    OCI_FOREIGN,
    OCI_INDEX,
    OCI_MANIFEST,
    ApiCase,
    Response,
    descriptor,
    digest_of,
    encode,
    random_bytes,
)

ACCEPT = [("Accept", OCI_INDEX), ("Accept", OCI_MANIFEST)]


class Kinds:
    """Each kind of content, with all digests of one algorithm."""

    settings = {"validation": {"manifests": {"urls": {"allow": ["^https://store\\.example\\.com/"]}}}}
    algorithm: str

    def url(self, reference: str) -> str:
        return f"/v2/{self.repo}/manifests/{reference}"

    def assert_pushed(self, answer: Response, content: bytes, reference: str) -> None:
        self.assert_status(answer, 201)
        media_type = json.loads(content)["mediaType"]
        by_digest = digest_of(content, self.algorithm if ":" in reference else "sha256")
        self.assertEqual(answer["Docker-Content-Digest"], by_digest)
        self.assertEqual(urlsplit(answer.location).path, self.url(by_digest))
        for url in (answer.location, self.url(reference)):
            for method in ("GET", "HEAD"):
                got = self.assert_status(self.client.request(method, url, headers=ACCEPT), 200)
                self.assertEqual(got["Content-Type"], media_type)
                self.assertEqual(got["Content-Length"], str(len(content)))
                self.assertEqual(got["Docker-Content-Digest"], by_digest)
                self.assertEqual(got["ETag"], f'"{by_digest}"')
                self.assertEqual(got.body, content if method == "GET" else b"")

    def round_trip(self, document: Any) -> None:
        """Push by digest and by tag, pull, delete tag and manifest."""
        content = document if isinstance(document, bytes) else encode(document)
        media_type = json.loads(content)["mediaType"]
        digest = digest_of(content, self.algorithm)
        self.assert_pushed(self.client.put_manifest(self.repo, digest, content, media_type), content, digest)
        if self.algorithm == "sha256":
            self.assert_pushed(self.client.put_manifest(self.repo, "tag", content, media_type), content, "tag")
            self.assertEqual(self.client.get(f"/v2/{self.repo}/tags/list").json()["tags"], ["tag"])
            self.assert_status(self.client.delete(self.url("tag")), 202)
            self.assert_status(self.client.head(self.url("tag"), ACCEPT), 404)
        self.assert_status(self.client.delete(self.url(digest)), 202)
        self.assert_status(self.client.head(self.url(digest), ACCEPT), 404)

    def image(self, **more: Any) -> dict[str, Any]:
        return self.client.image(self.repo, self.algorithm, **more)

    def artifact(self, **more: Any) -> dict[str, Any]:
        content = random_bytes()
        for blob in (b"{}", content):
            self.client.push_blob(self.repo, blob, self.algorithm)
        return {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "artifactType": EXAMPLE_TYPE,
            "config": descriptor(b"{}", OCI_EMPTY, self.algorithm),
            "layers": [descriptor(content, EXAMPLE_TYPE, self.algorithm)],
            **more,
        }

    def push(self, document: dict[str, Any]) -> dict[str, Any]:
        return self.client.push_manifest(self.repo, document, algorithm=self.algorithm)

    def index(self, **more: Any) -> dict[str, Any]:
        children = [
            self.push(self.image()) | {"platform": {"os": "linux", "architecture": name}} for name in ("amd64", "arm64")
        ]
        return self.client.index(children, **more)

    def test_image(self) -> None:
        self.round_trip(self.image())

    def test_large_manifest(self) -> None:
        annotations = {f"large-annotation-{number}": "A" * 10000 for number in range(390)}
        self.round_trip(self.image(annotations=annotations))

    def test_index(self) -> None:
        self.round_trip(self.index())

    def test_nested_index(self) -> None:
        self.round_trip(self.client.index([self.push(self.index()), self.push(self.index())]))

    def test_empty_index(self) -> None:
        self.round_trip(self.client.index([]))

    def test_null_lists(self) -> None:
        """As Go writes a list that was never made."""
        self.round_trip({**self.client.index([]), "manifests": None})
        self.round_trip({**self.image(layers=0), "layers": None})

    def test_artifact(self) -> None:
        self.round_trip(self.artifact())

    def test_artifact_index(self) -> None:
        children = [self.push(self.artifact()) for _ in range(2)]
        self.round_trip(self.client.index(children, artifactType=EXAMPLE_TYPE))

    def test_artifact_without_layers(self) -> None:
        self.round_trip(self.artifact(layers=[descriptor(b"{}", OCI_EMPTY, self.algorithm)]))

    def test_no_layers(self) -> None:
        self.round_trip(self.image(layers=0))

    def test_data_field(self) -> None:
        document = self.image()
        config = b'{"architecture": "amd64", "os": "linux"}'
        self.client.push_blob(self.repo, config, self.algorithm)
        data = "eyJhcmNoaXRlY3R1cmUiOiAiYW1kNjQiLCAib3MiOiAibGludXgifQ=="
        self.round_trip({**document, "config": descriptor(config, OCI_CONFIG, self.algorithm, data=data)})

    def test_foreign_layers(self) -> None:
        document = self.image()
        for kind in (OCI_FOREIGN, OCI_FOREIGN.removesuffix("+gzip")):
            digest = digest_of(random_bytes(), self.algorithm)
            urls = [f"https://store.example.com/blobs/{digest}"]
            document["layers"].append({"mediaType": kind, "digest": digest, "size": 123456, "urls": urls})
        self.round_trip(document)

    def test_custom_fields(self) -> None:
        extra = {"org.example.field": {"nested": [1, 2.5, None, True, "é\u2028"]}}
        document = self.image(**extra)
        document["config"].update(extra)
        child = self.push(document) | extra
        self.round_trip(self.client.index([child], **extra))

    def test_bytes_are_kept(self) -> None:
        text = json.dumps(self.image(annotations={"a": "<&>é"}, zzz=1e3), indent=3, ensure_ascii=False)
        self.round_trip(f" \r\n\t{text}\n\n ".encode())

    def test_subject(self) -> None:
        subject = self.push(self.image())
        self.round_trip(self.artifact(subject=subject))
        self.round_trip(self.image(subject=subject))

    def test_index_with_subject(self) -> None:
        self.round_trip(self.index(artifactType=EXAMPLE_TYPE, subject=self.push(self.index())))

    def test_missing_subject(self) -> None:
        subject = descriptor(random_bytes(), OCI_MANIFEST, self.algorithm)
        for document in (self.artifact(subject=subject), self.index(subject=subject)):
            content = encode(document)
            digest = digest_of(content, self.algorithm)
            answer = self.client.put_manifest(self.repo, digest, content, document["mediaType"])
            self.assert_pushed(answer, content, digest)
            self.assertEqual(answer["OCI-Subject"], subject["digest"])

    def test_no_subject_header_without_subject(self) -> None:
        self.assertIsNone(self.client.put_manifest(self.repo, "v1", encode(self.image()))["OCI-Subject"])

    def test_tag_parameters(self) -> None:
        document = self.index()
        content = encode(document)
        digest = digest_of(content, self.algorithm)
        tags = [f"tag-{number:02}" for number in range(12)]
        answer = self.client.put_manifest(self.repo, digest, content, OCI_INDEX, query={"tag": tags})
        self.assert_pushed(answer, content, digest)
        named = [tag.strip() for value in answer.headers.get_all("OCI-Tag") for tag in value.split(",")]
        self.assertEqual(sorted(named), tags)
        self.assertEqual(self.client.get(f"/v2/{self.repo}/tags/list").json()["tags"], tags)
        for tag in tags:
            got = self.assert_status(self.client.get(self.url(tag), ACCEPT), 200)
            self.assertEqual(got.body, content)
            self.assertEqual(got["Docker-Content-Digest"], digest)
        self.assert_status(self.client.delete(self.url(digest)), 202)
        self.assertEqual(self.client.get(f"/v2/{self.repo}/tags/list").json()["tags"], [])

    def test_most_tag_parameters(self) -> None:
        content = encode(self.image())
        digest = digest_of(content, self.algorithm)
        tags = [f"t{number}" for number in range(33)]
        url = self.url(digest) + "?" + urlencode({"tag": tags[:32]}, doseq=True)
        kind = {"Content-Type": OCI_MANIFEST}
        self.assert_status(self.client.request("PUT", f"{url}&tag=t32", content, kind), 414)
        self.assert_status(self.client.get(self.url(digest)), 404)
        self.assert_status(self.client.request("PUT", url, content, kind), 201)

    def test_bad_tag_parameter(self) -> None:
        content = encode(self.image())
        digest = digest_of(content, self.algorithm)
        for bad in ("-a", "a/b", "", "a" * 129, "é", digest):
            with self.subTest(bad):
                answer = self.client.put_manifest(self.repo, digest, content, query={"tag": ["good", bad]})
                self.assert_status(answer, 400)
                self.assert_status(self.client.get(self.url("good")), 404)

    def test_digest_mismatch(self) -> None:
        content = encode(self.image())
        digest = digest_of(content, self.algorithm)
        answer = self.client.put_manifest(self.repo, digest, content + b"  ")
        self.assert_error(answer, 400, "DIGEST_INVALID")
        self.assert_status(self.client.get(self.url(digest)), 404)

    def test_delete_by_digest_untags(self) -> None:
        content, other = encode(self.image()), encode(self.image())
        digest = digest_of(content, self.algorithm)
        self.client.put_manifest(self.repo, digest, content, query={"tag": ["a", "b"]})
        self.client.put_manifest(self.repo, digest_of(other, self.algorithm), other, query={"tag": ["c"]})
        self.assert_status(self.client.delete(self.url(digest)), 202)
        for reference in ("a", "b", digest):
            self.assert_error(self.client.get(self.url(reference)), 404, "MANIFEST_UNKNOWN")
        self.assertEqual(self.client.get(f"/v2/{self.repo}/tags/list").json()["tags"], ["c"])
        self.assert_error(self.client.delete(self.url(digest)), 404, "MANIFEST_UNKNOWN")

    def test_delete_by_tag_keeps_the_manifest(self) -> None:
        content = encode(self.image())
        digest = digest_of(content, self.algorithm)
        self.client.put_manifest(self.repo, digest, content, query={"tag": ["a", "b"]})
        answer = self.assert_status(self.client.delete(self.url("a")), 202)
        self.assertEqual(answer["Content-Length"], "0")
        self.assert_error(self.client.delete(self.url("a")), 404, "MANIFEST_UNKNOWN")
        for reference in ("b", digest):
            self.assert_status(self.client.get(self.url(reference)), 200)

    def test_tag_moves(self) -> None:
        first, second = self.push(self.image()), encode(self.image())
        for content in (encode(self.image()), second):
            digest = digest_of(content, self.algorithm)
            self.client.put_manifest(self.repo, digest, content, query={"tag": ["v1"]})
        self.assertEqual(self.client.get(self.url("v1")).body, second)
        self.assert_status(self.client.delete(self.url(first["digest"])), 202)
        self.assertEqual(self.client.get(self.url("v1")).body, second)


class Sha256Manifests(Kinds, ApiCase):
    algorithm = "sha256"


class Sha512Manifests(Kinds, ApiCase):
    algorithm = "sha512"
