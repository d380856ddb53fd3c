"""``validation`` and ``limits`` in the configuration: what may be pushed then."""

from __future__ import annotations

from typing import Any

from tests.integration.client import (
    DOCKER_LAYER,
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

DOCKER_FOREIGN = DOCKER_LAYER.replace("rootfs.diff", "rootfs.foreign.diff")


class UrlCase(ApiCase):
    def put(self, *urls: str, media_type: str = OCI_FOREIGN) -> Response:
        layer = {"mediaType": media_type, "digest": digest_of(random_bytes()), "size": 5, "urls": list(urls)}
        document = self.client.image(self.repo)
        document["layers"].append(layer)
        return self.client.put_manifest(self.repo, "v1", encode(document))


class Urls(UrlCase):
    settings = {
        "validation": {"manifests": {"urls": {"allow": ["example\\.com/"], "deny": ["^https?://www\\.example\\.com/"]}}}
    }

    def test_allowed(self) -> None:
        for url in ("https://store.example.com/x", "http://example.com/", "https://elsewhere/?example.com/"):
            with self.subTest(url):
                self.assert_status(self.put(url), 201)
        self.assert_status(self.put("https://a.example.com/1", "https://b.example.com/2"), 201)

    def test_refused(self) -> None:
        for url in (
            "https://elsewhere/x",
            "https://www.example.com/x",
            "https://store.example.com/x#fragment",
            "ftp://store.example.com/x",
            "file:///example.com/",
            "example.com/",
            "",
            "https://[example.com/",
        ):
            with self.subTest(url):
                self.assert_error(self.put(url), 400, "MANIFEST_INVALID")
                self.assert_error(self.put("https://store.example.com/x", url), 400, "MANIFEST_INVALID")

    def test_urls_of_ordinary_layers_do_not_replace_them(self) -> None:
        answer = self.put("https://store.example.com/x", media_type=OCI_LAYER)
        self.assert_error(answer, 400, "MANIFEST_BLOB_UNKNOWN")

    def test_foreign_layers_without_urls_must_be_present(self) -> None:
        answer = self.put()
        self.assert_status(answer, 400)
        self.assertIn(answer.codes[0], ("MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID"))


class UrlsDeniedOnly(UrlCase):
    settings = {"validation": {"manifests": {"urls": {"deny": ["^https?://www\\."]}}}}

    def test_others_are_allowed(self) -> None:
        self.assert_status(self.put("https://elsewhere.example.com/x"), 201)
        self.assert_error(self.put("https://www.example.com/x"), 400, "MANIFEST_INVALID")


class ValidationDisabled(UrlCase):
    settings = {"validation": {"disabled": True}}

    def test_any_url(self) -> None:
        self.assert_status(self.put("https://elsewhere.example.com/x"), 201)


class IndexCase(ApiCase):
    def child(self, architecture: str, present: bool) -> dict[str, Any]:
        if present:
            child = self.client.push_manifest(self.repo, self.client.image(self.repo))
        else:
            child = descriptor(random_bytes(), OCI_MANIFEST)
        return child | {"platform": {"os": "linux", "architecture": architecture}}

    def put(self, *children: dict[str, Any]) -> Response:
        return self.client.put_manifest(self.repo, "v1", encode(self.client.index(children)), OCI_INDEX)


class SparseIndexes(IndexCase):
    settings = {"validation": {"manifests": {"indexes": {"platforms": "none"}}}}

    def test_children_may_be_missing(self) -> None:
        self.assert_status(self.put(self.child("amd64", True), self.child("arm64", False)), 201)


class ListedPlatforms(IndexCase):
    settings = {
        "validation": {
            "manifests": {
                "indexes": {"platforms": "list", "platformlist": [{"os": "linux", "architecture": "amd64"}]},
            }
        }
    }

    def test_children_of_other_platforms_may_be_missing(self) -> None:
        self.assert_status(self.put(self.child("amd64", True), self.child("arm64", False)), 201)

    def test_children_of_these_platforms_may_not(self) -> None:
        missing = self.child("amd64", False)
        answer = self.assert_error(self.put(missing, self.child("arm64", True)), 400, "MANIFEST_BLOB_UNKNOWN")
        self.assertEqual([error["detail"] for error in answer.json()["errors"]], [missing["digest"]])


class Limits(ApiCase):
    settings = {"limits": {"manifestbytes": 1000, "tagsperput": 2}}

    def test_bytes(self) -> None:
        content = encode(self.client.image(self.repo))
        content += b" " * (1000 - len(content))
        self.assert_status(self.client.put_manifest(self.repo, "v1", content), 201)
        self.assert_status(self.client.put_manifest(self.repo, "v1", content + b" "), 413)

    def test_tags(self) -> None:
        content = encode(self.client.image(self.repo))
        url, kind = f"/v2/{self.repo}/manifests/{digest_of(content)}", {"Content-Type": OCI_MANIFEST}
        self.assert_status(self.client.request("PUT", f"{url}?tag=a&tag=b", content, kind), 201)
        self.assert_status(self.client.request("PUT", f"{url}?tag=a&tag=b&tag=c", content, kind), 414)
