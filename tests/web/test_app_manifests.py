"""``/v2/<name>/manifests/<reference>`` (distribution-spec, end-3, end-7 and end-9)."""

from __future__ import annotations

import json
from typing import Any

from dregistry.digest import Digest
from dregistry.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from dregistry.storage import paths

from ..registry.support import CONFIG, LAYER, descriptor, image, index
from .app import BASE, AppCase

DOCKER_IMAGE = image(mediaType=DOCKER_MANIFEST)
V1 = "/v2/a/b/manifests/v1"
MANIFESTS = "/v2/a/b/manifests/"


class ManifestsCase(AppCase):
    def upload_blobs(self) -> None:
        self.upload(CONFIG)
        self.upload(LAYER)

    def store(self, content: bytes, tag: str = "v1") -> Digest:
        """As another registry stores it."""
        digest = Digest.of(content)
        self.put(paths.blob_data(digest), content)
        self.put(paths.revision_link("a/b", digest), digest)
        self.put(paths.tag_current_link("a/b", tag), digest)
        return digest


class GettingTests(ManifestsCase):
    def test_get(self) -> None:
        digest = self.upload_image()
        for path in (V1, MANIFESTS + str(digest)):
            found = self.ask("GET", path, 200)
            self.assertEqual((found.body, found.length), (image(), len(image())))
            self.assertEqual(found.headers["content-type"], OCI_MANIFEST)
            self.assertEqual(found.headers["docker-content-digest"], str(digest))
            self.assertEqual(found.headers["etag"], f'"{digest}"')
            head = self.ask("HEAD", path, 200)
            self.assertEqual(head.body, b"")
            self.assertEqual(head.headers["docker-content-digest"], str(digest))

    def test_unknown(self) -> None:
        self.upload_image()
        for method in ("GET", "HEAD"):
            self.refuse(method, MANIFESTS + "v2", 404, "MANIFEST_UNKNOWN")
            self.refuse(method, MANIFESTS + str(Digest.of(b"")), 404, "MANIFEST_UNKNOWN")
            self.refuse(method, "/v2/other/manifests/v1", 404, "MANIFEST_UNKNOWN")
            self.refuse(method, MANIFESTS + "-v1", 400, "TAG_INVALID")
            self.refuse(method, MANIFESTS + "sha256:1", 400, "DIGEST_INVALID")

    def test_not_modified(self) -> None:
        digest = self.upload_image()
        self.heard.take()
        for method in ("GET", "HEAD"):
            found = self.ask(method, V1, 304, if_none_match=f'"{digest}"')
            self.assertEqual((found.body, found.headers["etag"]), (b"", f'"{digest}"'))
        self.assertEqual(self.heard.take(), [])
        self.ask("GET", V1, 200, if_none_match='"other"')
        self.assertEqual([(event.action, event.tag) for event in self.heard.take()], [("pull", "v1")])


class NegotiationTests(ManifestsCase):
    def push_list(self, **platform: str) -> tuple[Digest, Digest]:
        """A docker list of one image."""
        self.upload_blobs()
        self.ask("PUT", MANIFESTS + "child", 201, DOCKER_IMAGE, content_type=DOCKER_MANIFEST)
        child = descriptor(DOCKER_IMAGE, DOCKER_MANIFEST, platform=platform)
        content = index(mediaType=DOCKER_LIST, manifests=[child])
        self.ask("PUT", V1, 201, content, content_type=DOCKER_LIST)
        return Digest.of(content), Digest.of(DOCKER_IMAGE)

    def assert_served(self, digest: Digest, path: str, media_type: str, **headers: str) -> None:
        found = self.ask("GET", path, 200, **headers)
        self.assertEqual(found.headers["docker-content-digest"], str(digest))
        self.assertEqual(found.headers["content-type"], media_type)

    def test_in_spite_of_accept(self) -> None:
        """Clients that forget a type are served nevertheless."""
        digest = self.upload_image()
        for accept in (OCI_MANIFEST, "*/*", DOCKER_MANIFEST, "text/html", ""):
            self.assert_served(digest, V1, OCI_MANIFEST, accept=accept)

    def test_strict(self) -> None:
        digest = self.upload_image()
        self.ask("PUT", MANIFESTS + "index", 201, index())
        self.upload_image("docker", mediaType=DOCKER_MANIFEST)
        self.serve(strict_accept=True)
        self.assert_served(digest, V1, OCI_MANIFEST, accept=f"a/b, {OCI_MANIFEST}")
        for tag, kind in (("v1", "OCI manifest"), ("index", "OCI index")):
            found = self.refuse("GET", MANIFESTS + tag, 404, "MANIFEST_UNKNOWN", accept="a/b")
            reason = found.json["errors"][0]["detail"]["reason"]
            self.assertEqual(reason, f"{kind} found, but accept header does not support {kind}s")
        self.refuse("GET", MANIFESTS + "docker", 400, "MANIFEST_INVALID", accept=OCI_MANIFEST)

    def test_list_for_old_docker(self) -> None:
        """By tag; by digest it is what the digest says."""
        digest, child = self.push_list(os="linux", architecture="amd64")
        self.assert_served(child, V1, DOCKER_MANIFEST, accept=DOCKER_MANIFEST)
        self.assert_served(digest, V1, DOCKER_LIST, accept=f"{DOCKER_MANIFEST}, {DOCKER_LIST}")
        self.assert_served(digest, MANIFESTS + str(digest), DOCKER_LIST, accept=DOCKER_MANIFEST)
        self.assert_served(digest, V1, DOCKER_LIST)
        self.assert_served(digest, V1, DOCKER_LIST, accept="text/html")

    def test_list_without_amd64(self) -> None:
        self.push_list(os="linux", architecture="arm64")
        self.refuse("GET", V1, 404, "MANIFEST_UNKNOWN", accept=DOCKER_MANIFEST)

    def test_stored_by_another_registry(self) -> None:
        for media_type in ("application/vnd.docker.distribution.manifest.v1+prettyjws", "application/x-unknown"):
            content = json.dumps({"schemaVersion": 1, "mediaType": media_type}).encode()
            self.serve()
            self.assert_served(self.store(content), V1, media_type)
            self.serve(strict_accept=True)
            self.refuse("GET", V1, 404, "MANIFEST_UNKNOWN", accept=OCI_MANIFEST)

    def test_stored_with_a_strange_type(self) -> None:
        self.addCleanup(self.flushLoggedErrors)
        self.store(json.dumps({"schemaVersion": 2, "mediaType": "\u00e4/b"}).encode())
        found = self.start("GET", V1, {}, None)
        self._treq.flush()
        self.assertNotEqual(self.successResultOf(found).code, 500)

    def test_stored_without_being_one(self) -> None:
        for content in (b"", b"[]", b"\xff", b"[" * 100_000):
            self.store(content)
            self.refuse("GET", V1, 400, "MANIFEST_INVALID")


class PuttingTests(ManifestsCase):
    def test_put(self) -> None:
        self.upload_blobs()
        digest = Digest.of(image())
        for reference in ("v1", str(digest)):
            found = self.ask("PUT", MANIFESTS + reference, 201, image(), content_type=OCI_MANIFEST)
            self.assertEqual(found.headers["location"], f"{BASE}{MANIFESTS}{digest}")
            self.assertEqual(found.headers["docker-content-digest"], str(digest))
            self.assertEqual((found.body, found.length), (b"", 0))
            self.assertNotIn("oci-subject", found.headers)
            self.assertNotIn("oci-tag", found.headers)

    def test_subject(self) -> None:
        self.upload_blobs()
        subject = descriptor(b"nobody", OCI_MANIFEST)
        found = self.ask("PUT", V1, 201, image(subject=subject))
        self.assertEqual(found.headers["oci-subject"], subject["digest"])

    def test_tags(self) -> None:
        self.upload_blobs()
        path = MANIFESTS + str(Digest.of(image()))
        found = self.ask("PUT", f"{path}?tag=a&tag=b&tag=a", 201, image())
        self.assertEqual(found.headers["oci-tag"], "a,b")
        for tag in "ab":
            self.assertEqual(self.ask("GET", MANIFESTS + tag, 200).body, image())

    def test_tags_that_are_none(self) -> None:
        self.upload_blobs()
        path = MANIFESTS + str(Digest.of(image()))
        self.refuse("PUT", f"{path}?tag=a&tag=-b", 400, "TAG_INVALID", image())
        self.serve(tags_per_put=2)
        self.refuse("PUT", f"{path}?tag=a&tag=b&tag=c", 414, "TAG_INVALID", image())
        self.refuse("GET", MANIFESTS + "a", 404, "MANIFEST_UNKNOWN")
        self.ask("PUT", f"{path}?tag=a&tag=b", 201, image())
        self.ask("PUT", f"{V1}?tag=a&tag=b&tag=c", 201, image())

    def refused_put(
        self, reference: str, status: int, code: str, content: bytes = image(), **headers: Any
    ) -> list[Any]:
        found = self.refuse("PUT", MANIFESTS + reference, status, code, content, **headers)
        return [entry.get("detail") for entry in found.json["errors"]]

    def test_refusals(self) -> None:
        self.upload_blobs()
        self.refused_put("v1", 400, "MANIFEST_INVALID", b"{")
        self.refused_put("v1", 400, "MANIFEST_INVALID", content_type="application/json")
        self.refused_put("v1", 400, "MANIFEST_INVALID", content_type=OCI_INDEX)
        self.refused_put(str(Digest.of(b"")), 400, "DIGEST_INVALID")
        self.refused_put("sha256:0", 400, "DIGEST_INVALID")
        self.refused_put(".v1", 400, "TAG_INVALID")
        self.refuse("GET", V1, 404, "MANIFEST_UNKNOWN")

    def test_missing_blobs(self) -> None:
        """Each has an entry of its own."""
        details = self.refused_put("v1", 400, "MANIFEST_BLOB_UNKNOWN")
        self.assertEqual(details, [str(Digest.of(CONFIG)), str(Digest.of(LAYER))])

    def test_too_large(self) -> None:
        self.upload_blobs()
        self.serve(manifest_limit=len(image()) - 1)
        [detail] = self.refused_put("v1", 413, "MANIFEST_INVALID")
        self.assertIn(str(len(image()) - 1), detail)
        self.serve(manifest_limit=len(image()))
        self.ask("PUT", V1, 201, image())


class PreconditionTests(ManifestsCase):
    """By ``If-None-Match: *`` a tag is made, by ``If-Match`` it is changed only if nobody else did."""

    def put_if(self, status: int, content: bytes, **headers: str) -> None:
        if status == 201:
            self.ask("PUT", V1, 201, content, **headers)
        else:
            self.refuse("PUT", V1, status, "DENIED", content, **headers)

    def test_new(self) -> None:
        self.upload_blobs()
        self.put_if(412, image(), if_match="*")
        self.put_if(412, image(), if_match=f'"{Digest.of(image())}"')
        self.refuse("GET", V1, 404, "MANIFEST_UNKNOWN")
        self.put_if(201, image(), if_none_match="*")

    def test_there(self) -> None:
        digest = self.upload_image()
        other = image(annotations={"a": "b"})
        self.put_if(412, other, if_none_match="*")
        self.put_if(412, other, if_none_match=f'"{digest}"')
        self.put_if(412, other, if_match=f'"{Digest.of(other)}"')
        self.assertEqual(self.ask("GET", V1, 200).body, image())
        self.put_if(201, other, if_match=f'"{digest}"')
        self.put_if(201, image(), if_match="*")
        self.put_if(201, image(), if_none_match='"other"')

    def test_by_digest(self) -> None:
        """Content by digest cannot change, so there is nothing to ask."""
        digest = self.upload_image()
        self.ask("PUT", MANIFESTS + str(digest), 201, image(), if_none_match="*")


class DeletingTests(ManifestsCase):
    def test_by_digest(self) -> None:
        digest = self.upload_image()
        found = self.ask("DELETE", MANIFESTS + str(digest), 202)
        self.assertEqual((found.body, found.length), (b"", 0))
        for reference in ("v1", digest):
            self.refuse("GET", f"{MANIFESTS}{reference}", 404, "MANIFEST_UNKNOWN")
        self.refuse("DELETE", MANIFESTS + str(digest), 404, "MANIFEST_UNKNOWN")

    def test_by_tag(self) -> None:
        digest = self.upload_image()
        self.ask("DELETE", V1, 202)
        self.refuse("GET", V1, 404, "MANIFEST_UNKNOWN")
        self.ask("GET", MANIFESTS + str(digest), 200)
        self.refuse("DELETE", V1, 404, "MANIFEST_UNKNOWN")
