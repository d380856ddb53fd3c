"""Manifests that a registry has to refuse."""

from __future__ import annotations

import json
from typing import Any

from tests.integration.client import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_CONFIG,
    OCI_FOREIGN,
    OCI_INDEX,
    OCI_LAYER,
    OCI_MANIFEST,
    ApiCase,
    Response,
    descriptor,
    digest_of,
    encode,
    random_bytes,
)

LIMIT = 4 * 1024 * 1024
SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+prettyjws"


class ManifestErrors(ApiCase):
    def url(self, reference: str) -> str:
        return f"/v2/{self.repo}/manifests/{reference}"

    def put(self, document: Any, media_type: str | None = OCI_MANIFEST, reference: str = "v1") -> Response:
        content = document if isinstance(document, bytes) else encode(document)
        return self.client.put_manifest(self.repo, reference, content, media_type)

    def assert_invalid(self, document: Any, media_type: str | None = OCI_MANIFEST) -> Response:
        answer = self.assert_error(self.put(document, media_type), 400, "MANIFEST_INVALID")
        self.assert_status(self.client.get(self.url("v1")), 404)
        return answer

    def padded(self, size: int) -> bytes:
        content = encode(self.client.image(self.repo))
        return content + b" " * (size - len(content))

    def test_largest(self) -> None:
        content = self.padded(LIMIT)
        self.assert_status(self.put(content), 201)
        self.assertEqual(self.client.get(self.url("v1")).body, content)

    def test_too_large(self) -> None:
        for size in (LIMIT + 1, 3 * LIMIT):
            content = self.padded(size)
            with self.subTest(size):
                self.assert_status(self.put(content), 413)
                pieces = [content[start : start + 65536] for start in range(0, size, 65536)]
                kind = {"Content-Type": OCI_MANIFEST}
                self.assert_status(self.client.request("PUT", self.url("v1"), headers=kind, chunks=pieces), 413)
        self.assert_status(self.client.get(self.url("v1")), 404)

    def test_too_large_is_refused_by_its_length(self) -> None:
        connection = self.client.send_partly("PUT", self.url("v1"), 1 << 40, b"{")
        self.addCleanup(connection.close)
        self.assertEqual(connection.recv(4096).split()[1], b"413")

    def test_every_missing_blob_is_named(self) -> None:
        document = self.client.image(self.repo)
        missing = [descriptor(random_bytes(), OCI_LAYER) for _ in range(3)]
        document["layers"] += missing
        document["config"] = descriptor(random_bytes(), OCI_CONFIG)
        answer = self.assert_error(self.put(document), 400, "MANIFEST_BLOB_UNKNOWN")
        self.assertEqual(set(answer.codes), {"MANIFEST_BLOB_UNKNOWN"})
        named = [error["detail"] for error in answer.json()["errors"]]
        self.assertEqual(sorted(named), sorted(item["digest"] for item in [*missing, document["config"]]))
        self.assert_status(self.client.get(self.url("v1")), 404)

    def test_blob_of_another_repository_is_missing(self) -> None:
        document = self.client.image(self.repo + "/other")
        answer = self.assert_error(self.put(document), 400, "MANIFEST_BLOB_UNKNOWN")
        self.assertEqual(len(answer.codes), 3)

    def test_deleted_blob_is_missing(self) -> None:
        document = self.client.image(self.repo)
        digest = document["layers"][0]["digest"]
        self.client.delete(f"/v2/{self.repo}/blobs/{digest}")
        answer = self.assert_error(self.put(document), 400, "MANIFEST_BLOB_UNKNOWN")
        self.assertEqual([error["detail"] for error in answer.json()["errors"]], [digest])

    def test_every_missing_child_is_named(self) -> None:
        missing = [descriptor(random_bytes(), OCI_MANIFEST) for _ in range(2)]
        present = self.client.push_manifest(self.repo, self.client.image(self.repo))
        document = self.client.index([present, *missing])
        answer = self.assert_error(self.put(document, OCI_INDEX), 400, "MANIFEST_BLOB_UNKNOWN")
        named = [error["detail"] for error in answer.json()["errors"]]
        self.assertEqual(sorted(named), sorted(item["digest"] for item in missing))

    def test_media_types(self) -> None:
        document = self.client.image(self.repo)
        for kind in ("application/json", "text/plain", "junk", "application/vnd.oci.image.manifest.v2+json"):
            with self.subTest(kind):
                self.assert_invalid({**document, "mediaType": kind}, kind)
                self.assert_invalid(document, kind)

    def test_parameters_of_the_media_type_are_ignored(self) -> None:
        self.assert_status(self.put(self.client.image(self.repo), OCI_MANIFEST + "; charset=utf-8"), 201)
        self.assertEqual(self.client.get(self.url("v1"))["Content-Type"], OCI_MANIFEST)

    def test_body_and_header_disagree(self) -> None:
        document = self.client.image(self.repo)
        self.assert_invalid(document, DOCKER_MANIFEST)
        self.assert_invalid(document, OCI_INDEX)
        self.assert_invalid(self.client.index([]), OCI_MANIFEST)
        self.assert_invalid(self.client.index([]), DOCKER_LIST)
        self.assert_invalid({**document, "mediaType": OCI_INDEX})

    def test_image_and_index_in_one(self) -> None:
        # image-spec: a manifest that is ambiguous (CVE-2021-41190) is not to be trusted.
        document = self.client.image(self.repo)
        del document["mediaType"]
        self.assert_invalid({**document, "manifests": []})
        self.assert_invalid({**document, "manifests": []}, OCI_INDEX)

    def test_media_type_is_optional_in_oci_bodies(self) -> None:
        for document in (self.client.image(self.repo), self.client.index([])):
            kind = document.pop("mediaType")
            self.assert_status(self.put(document, kind), 201)
            self.assertEqual(self.client.get(self.url("v1"))["Content-Type"], kind)

    def test_schema1(self) -> None:
        document = {"schemaVersion": 1, "name": self.repo, "tag": "v1", "fsLayers": [], "history": []}
        for kind in (SCHEMA1, SCHEMA1.replace("prettyjws", "json"), OCI_MANIFEST, DOCKER_MANIFEST):
            with self.subTest(kind):
                answer = self.assert_invalid(document, kind)
                if kind.startswith(SCHEMA1[:-9]):
                    self.assertIn(b"schema", answer.body.lower())

    def test_not_a_manifest(self) -> None:
        for content in (
            b"",
            b"{",
            b"null",
            b"[]",
            b'"text"',
            b"1",
            b"{}",
            b"\xff\xfe",
            b"\xef\xbb\xbf{}",
            b'{"schemaVersion": 2} x',
            b"[" * 200_000,
            b'{"a":' * 200_000,
            b'{"schemaVersion": ' + b"9" * 10_000 + b"}",
            b'{"schemaVersion": NaN}',
            b'{"schemaVersion": "2"}',
            b'{"\xc3\x28": 2}',
        ):
            for kind in (OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST):
                with self.subTest(content[:30], kind=kind):
                    self.assert_invalid(content, kind)

    def test_wrong_members(self) -> None:
        good = self.client.image(self.repo)
        layer = good["layers"][0]
        for change in (
            {"schemaVersion": 3},
            {"schemaVersion": None},
            {"config": None},
            {"config": []},
            {"config": {}},
            {"config": {**good["config"], "digest": "sha256:bad"}},
            {"config": {**good["config"], "digest": 5}},
            {"config": {**good["config"], "size": -1}},
            {"config": {**good["config"], "size": "12"}},
            {"layers": {}},
            {"layers": [None]},
            {"layers": ["sha256:" + "a" * 64]},
            {"layers": [{**layer, "digest": "../../../etc/passwd"}]},
            {"layers": [{**layer, "mediaType": 5}]},
            {"layers": [{**layer, "urls": "http://x"}]},
            {"annotations": {"a": 1}},
            {"annotations": []},
            {"subject": "sha256:" + "a" * 64},
            {"subject": {**layer, "digest": "sha256:bad"}},
            {"artifactType": 5},
        ):
            with self.subTest(json.dumps(change)[:80]):
                answer = self.put({**good, **change})
                self.assert_status(answer, 400)
                self.assert_status(self.client.get(self.url("v1")), 404)

    def test_urls_are_taken_by_default(self) -> None:
        # Distribution refuses them when nothing is configured; the OCI conformance suite wants them taken.
        document = self.client.image(self.repo)
        digest = digest_of(random_bytes())
        foreign = {"mediaType": OCI_FOREIGN, "digest": digest, "size": 5, "urls": ["https://store.example.com/x"]}
        self.assert_status(self.put({**document, "layers": [foreign]}), 201)

    def test_digest_is_not_of_the_content(self) -> None:
        for algorithm in ("sha256", "sha512"):
            content = encode(self.client.image(self.repo))
            wrong = digest_of(content + b" ", algorithm)
            self.assert_error(self.put(content, reference=wrong), 400, "DIGEST_INVALID")
            self.assert_status(self.client.get(self.url(wrong)), 404)

    def test_malformed_digest(self) -> None:
        content = encode(self.client.image(self.repo))
        for digest in ("sha256:baddigeststring", "sha256:", "sha512:" + "a" * 64, "md5:" + "a" * 32, "a:b"):
            with self.subTest(digest):
                self.assert_status(self.put(content, reference=digest), 400)
                for method in ("GET", "HEAD", "DELETE"):
                    self.assertIn(self.client.request(method, self.url(digest)).status, (400, 404))

    def test_malformed_tag(self) -> None:
        content = encode(self.client.image(self.repo))
        for tag in (
            ".a",
            "-a",
            "a" * 129,
            "a%20b",
            "a%2Fb",
            "%C3%A9",
            "a%00",
            "a%0A",
            "a+b",
            "a@b",
            "%2e%2e",
            "..",
            "%FF",
        ):
            with self.subTest(tag):
                for method in ("PUT", "GET", "DELETE"):
                    answer = self.client.request(
                        method, self.url(tag), content if method == "PUT" else None, {"Content-Type": OCI_MANIFEST}
                    )
                    self.assertIn(answer.status, (400, 404), repr(answer))
        self.assertNotIn(b"a", self.client.get(f"/v2/{self.repo}/tags/list").json().get("tags", []))

    def test_unusual_tags(self) -> None:
        content = encode(self.client.image(self.repo))
        for tag in ("_a", "A" * 128, "0", "a..b", "a--b", "latest.", "list", "sha256-" + "a" * 64):
            with self.subTest(tag):
                self.assert_status(self.put(content, reference=tag), 201)
                self.assertEqual(self.client.get(self.url(tag)).body, content)

    def test_unknown(self) -> None:
        self.client.push_manifest(self.repo, self.client.image(self.repo), "v1")
        for reference in ("v2", digest_of(random_bytes()), digest_of(random_bytes(), "sha512")):
            for method in ("GET", "DELETE"):
                with self.subTest(reference, method=method):
                    answer = self.client.request(method, self.url(reference))
                    self.assert_error(answer, 404, "MANIFEST_UNKNOWN")
                    self.assertNotIn(b"/docker/registry/", answer.body)

    def test_unknown_repository(self) -> None:
        answer = self.client.get("/v2/no/such/repository/manifests/v1")
        self.assert_status(answer, 404)
        self.assertIn(answer.codes[0], ("MANIFEST_UNKNOWN", "NAME_UNKNOWN"))
