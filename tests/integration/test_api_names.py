"""Repositories whose names look like the paths of the API."""

from __future__ import annotations

from tests.integration.client import ApiCase, digest_of, encode

NAMES = (
    "x/manifests/y",
    "a/blobs/uploads/tags",
    "a/tags",
    "a/tags/list",
    "tags",
    "tags/list",
    "manifests",
    "manifests/v1",
    "blobs",
    "blobs/uploads",
    "a/blobs/uploads",
    "referrers",
    "a/referrers/b",
    "catalog",
    "v2",
    "v2/v2",
    "a__b",
    "a--b",
    "a---------b",
    "a.b_c-d",
    "0",
    "uploads",
    "a" * 255,
    "a/" * 127 + "a",
    "/".join(["abcdefg"] * 31) + "/abcdefg",
)


class Names(ApiCase):
    def round_trip(self, name: str) -> None:
        self.repo, base = name, f"/v2/{name}"
        content = f"content of {name}".encode()
        digest = digest_of(content)
        start = self.assert_status(self.client.start_upload(name), 202)
        self.assertIn(f"{base}/blobs/uploads/", start.location)
        location = self.assert_status(self.client.patch(start.location, content[:5]), 202).location
        self.assertEqual(self.assert_status(self.client.get(location), 204)["Range"], "0-4")
        self.assert_status(self.client.finish(location, digest, content[5:]), 201)
        self.assert_blob(content, digest)
        subject = self.client.push_manifest(name, self.client.image(name), "v1")
        referrer = self.client.push_manifest(name, self.client.artifact(name, subject=subject))
        for reference in ("v1", subject["digest"]):
            answer = self.assert_status(self.client.get(f"{base}/manifests/{reference}"), 200)
            self.assertEqual(answer["Docker-Content-Digest"], subject["digest"])
        self.assertEqual(self.client.get(f"{base}/tags/list").json(), {"name": name, "tags": ["v1"]})
        listed = self.client.get(f"{base}/referrers/{subject['digest']}").json()["manifests"]
        self.assertEqual([item["digest"] for item in listed], [referrer["digest"]])
        self.assertIn(name, self.client.get("/v2/_catalog?n=1000").json()["repositories"])
        self.assert_status(self.client.start_upload("mounted/here", mount=digest, **{"from": name}), 201)
        for path in (f"manifests/{referrer['digest']}", "manifests/v1", f"blobs/{digest}"):
            self.assert_status(self.client.delete(f"{base}/{path}"), 202)
        self.assert_no_blob(digest)

    def test_names(self) -> None:
        for name in NAMES:
            with self.subTest(name[:50]):
                self.round_trip(name)

    def test_too_long(self) -> None:
        for name in ("a" * 256, "a/" * 127 + "aa", "a" * 10000):
            with self.subTest(len(name)):
                self.assert_error(self.client.start_upload(name), 400, "NAME_INVALID")
                self.assert_error(self.client.get(f"/v2/{name}/tags/list"), 400, "NAME_INVALID")

    def test_repositories_within_each_other(self) -> None:
        """One that is the beginning of another's path: they do not mix."""
        names = ["in", "in/in", "in/in/in", "in/tags", "in/manifests", "in/blobs/uploads"]
        images = {name: encode(self.client.image(name)) for name in names}
        for name, content in images.items():
            self.assert_status(self.client.put_manifest(name, "v1", content), 201)
        for name, content in images.items():
            self.assertEqual(self.client.get(f"/v2/{name}/manifests/v1").body, content)
            self.assertEqual(self.client.get(f"/v2/{name}/tags/list").json()["tags"], ["v1"])
        self.assert_status(self.client.delete("/v2/in/manifests/" + digest_of(images["in"])), 202)
        for name in names[1:]:
            self.assertEqual(self.client.get(f"/v2/{name}/manifests/v1").body, images[name])
        listed = self.client.get("/v2/_catalog?n=1000").json()["repositories"]
        self.assertEqual([name for name in listed if name.split("/")[0] == "in"], sorted(names[1:]))
