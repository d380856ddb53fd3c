"""The referrers of a manifest: what is listed, filters, pages, and the tags of clients without the API."""

from __future__ import annotations

from typing import Any

from tests.integration.client import (
    EXAMPLE_TYPE,
    OCI_CONFIG,
    OCI_INDEX,
    OCI_MANIFEST,
    OTHER_TYPE,
    ApiCase,
    Response,
    descriptor,
    digest_of,
    encode,
    random_bytes,
)


class ReferrersCase(ApiCase):
    algorithm = "sha256"

    def setUp(self) -> None:
        super().setUp()
        image = self.client.image(self.repo)
        self.subject = self.client.push_manifest(self.repo, image, algorithm=self.algorithm)
        self.url = f"/v2/{self.repo}/referrers/{self.subject['digest']}"

    def push(self, document: dict[str, Any]) -> dict[str, Any]:
        """Push, check that the answer names the subject, and give what is to be listed."""
        content = encode(document)
        digest = digest_of(content, self.algorithm)
        answer = self.assert_status(self.client.put_manifest(self.repo, digest, content, document["mediaType"]), 201)
        self.assertEqual(answer["OCI-Subject"], document["subject"]["digest"])
        listed = descriptor(content, document["mediaType"], self.algorithm)
        if kind := document.get("artifactType") or document.get("config", {}).get("mediaType"):
            listed["artifactType"] = kind
        if "annotations" in document:
            listed["annotations"] = document["annotations"]
        return listed

    def artifact(self, artifact_type: str | None = EXAMPLE_TYPE, **more: Any) -> dict[str, Any]:
        return self.client.artifact(self.repo, artifact_type, **{"subject": self.subject, **more})

    def get(self, **query: Any) -> Response:
        answer = self.assert_status(self.client.get(self.url, query=query), 200)
        self.assertEqual(answer["Content-Type"], OCI_INDEX)
        document = answer.json()
        self.assertEqual((document["schemaVersion"], document["mediaType"]), (2, OCI_INDEX))
        return answer

    def assert_listed(self, *expected: dict[str, Any], **query: Any) -> None:
        def by_digest(item: dict[str, Any]) -> str:
            return item["digest"]

        listed = self.get(**query).json()["manifests"]
        self.assertEqual(sorted(listed, key=by_digest), sorted(expected, key=by_digest))

    def tag(self, document: dict[str, Any], digest: str) -> None:
        answer = self.client.put_manifest(self.repo, digest, encode(document), query={"tag": "v1"})
        self.assert_status(answer, 201)

    def remove(self, digest: str) -> None:
        self.assert_status(self.client.delete(f"/v2/{self.repo}/manifests/{digest}"), 202)


class Referrers(ReferrersCase):
    def test_none(self) -> None:
        self.assert_listed()
        for repository in (self.repo, "no/such/repository"):
            url = f"/v2/{repository}/referrers/{digest_of(random_bytes(), self.algorithm)}"
            answer = self.assert_status(self.client.get(url), 200)
            self.assertEqual(answer["Content-Type"], OCI_INDEX)
            self.assertEqual(answer.json(), {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []})

    def test_kinds(self) -> None:
        notes = {"org.opencontainers.conformance": "hello", "é": "<&>"}
        self.assert_listed(
            self.push(self.client.image(self.repo, subject=self.subject)),
            self.push(self.artifact(annotations=notes)),
            self.push(self.artifact(OTHER_TYPE)),
            self.push(self.artifact(None)),
            self.push(self.client.index([], subject=self.subject)),
            self.push(self.client.index([], subject=self.subject, artifactType=EXAMPLE_TYPE, annotations=notes)),
        )

    def test_config_type_stands_in(self) -> None:
        image = self.push(self.client.image(self.repo, subject=self.subject))
        self.assertEqual(image["artifactType"], OCI_CONFIG)
        self.assert_listed(image, artifactType=OCI_CONFIG)

    def test_filter(self) -> None:
        first = self.push(self.artifact())
        second = self.push(self.artifact(OTHER_TYPE))
        index = self.push(self.client.index([], subject=self.subject, artifactType=EXAMPLE_TYPE))
        untyped = self.push(self.client.index([], subject=self.subject))
        for kind, expected in ((EXAMPLE_TYPE, [first, index]), (OTHER_TYPE, [second]), ("application/none", [])):
            with self.subTest(kind):
                self.assert_listed(*expected, artifactType=kind)
                self.assertEqual(self.get(artifactType=kind)["OCI-Filters-Applied"], "artifactType")
        self.assert_listed(first, second, index, untyped)
        self.assertIsNone(self.get()["OCI-Filters-Applied"])

    def test_empty_filter(self) -> None:
        """It asks for those without a type, or it asks for nothing; the header tells which."""
        typed, untyped = self.push(self.artifact()), self.push(self.client.index([], subject=self.subject))
        if self.get(artifactType="")["OCI-Filters-Applied"]:
            self.assert_listed(untyped, artifactType="")
        else:
            self.assert_listed(typed, untyped, artifactType="")

    def test_unknown_parameters_are_ignored(self) -> None:
        first = self.push(self.artifact())
        self.assert_listed(first, other="x", digest="y")

    def walk(self, **query: Any) -> tuple[list[dict[str, Any]], int]:
        """Everything by the links, and the number of pages."""
        answer, pages = self.get(**query), 1
        listed = answer.json()["manifests"]
        while link := answer["Link"]:
            self.assertTrue(link.startswith(f"<{self.url}?"), link)
            self.assertTrue(link.endswith('>; rel="next"'), link)
            answer, pages = self.assert_status(self.client.get(link[1 : link.index(">")]), 200), pages + 1
            self.assertEqual(answer["Content-Type"], OCI_INDEX)
            listed += answer.json()["manifests"]
            self.assertLess(pages, 50)
        return listed, pages

    def test_pages(self) -> None:
        pushed = {self.push(self.artifact())["digest"] for _ in range(5)}
        for count, pages in ((1, 5), (2, 3), (5, 1), (100, 1)):
            with self.subTest(count):
                listed, seen = self.walk(n=count)
                self.assertEqual(len(listed), 5)
                self.assertEqual({item["digest"] for item in listed}, pushed)
                self.assertEqual(seen, pages)

    def test_pages_of_a_filter(self) -> None:
        pushed = {self.push(self.artifact())["digest"] for _ in range(3)}
        for _ in range(3):
            self.push(self.artifact(OTHER_TYPE))
        listed, _ = self.walk(n=1, artifactType=EXAMPLE_TYPE)
        self.assertEqual(len(listed), 3)
        self.assertEqual({item["digest"] for item in listed}, pushed)

    def test_bad_count(self) -> None:
        for count in ("-1", "junk"):
            self.assert_error(self.client.get(self.url, query={"n": count}), 400, "PAGINATION_NUMBER_INVALID")

    def test_pushed_twice_is_listed_once(self) -> None:
        document = self.artifact()
        first = self.push(document)
        self.tag(document, first["digest"])
        self.push(document)
        self.assert_listed(first)

    def test_subject_after_its_referrer(self) -> None:
        content = encode(self.client.image(self.repo))
        subject = descriptor(content, OCI_MANIFEST, self.algorithm)
        self.url = f"/v2/{self.repo}/referrers/{subject['digest']}"
        first = self.push(self.artifact(subject=subject))
        self.assert_listed(first)
        self.client.push_manifest(self.repo, content, algorithm=self.algorithm)
        self.assert_listed(first)

    def test_subject_by_another_description(self) -> None:
        """What counts is its digest."""
        subject = {"mediaType": "application/vnd.other", "digest": self.subject["digest"], "size": 1}
        self.assert_listed(self.push(self.artifact(subject=subject)))

    def test_deleted_referrer_vanishes(self) -> None:
        first, second = self.push(self.artifact()), self.push(self.artifact())
        self.remove(first["digest"])
        self.assert_listed(second)
        self.remove(second["digest"])
        self.assert_listed()

    def test_untagged_referrer_stays(self) -> None:
        document = self.artifact()
        first = self.push(document)
        self.tag(document, first["digest"])
        self.remove("v1")
        self.assert_listed(first)

    def test_deleted_subject_keeps_its_referrers(self) -> None:
        first = self.push(self.artifact())
        self.remove(self.subject["digest"])
        self.assert_listed(first)

    def test_other_repositories_are_apart(self) -> None:
        self.push(self.artifact())
        answer = self.client.get(f"/v2/{self.repo}/other/referrers/{self.subject['digest']}")
        self.assertEqual(answer.json()["manifests"], [])

    def test_referrer_of_a_referrer(self) -> None:
        first = self.push(self.artifact())
        subject = {name: first[name] for name in ("mediaType", "digest", "size")}
        second = self.push(self.artifact(subject=subject))
        self.assert_listed(first)
        self.url = f"/v2/{self.repo}/referrers/{first['digest']}"
        self.assert_listed(second)

    def test_bad_digest(self) -> None:
        for digest in ("sha256:bad", "v1", "md5:" + "a" * 32, "sha256:" + "A" * 64, "sha512:" + "a" * 64):
            with self.subTest(digest):
                answer = self.client.get(f"/v2/{self.repo}/referrers/{digest}")
                self.assert_error(answer, 400, "DIGEST_INVALID")

    def test_bad_name(self) -> None:
        answer = self.client.get(f"/v2/Bad/referrers/{self.subject['digest']}")
        self.assert_error(answer, 400, "NAME_INVALID")

    def test_head(self) -> None:
        self.push(self.artifact())
        got, head = self.get(n=1), self.client.head(self.url, query={"n": 1})
        self.assert_status(head, 200)
        for name in ("Content-Length", "Content-Type", "Link"):
            self.assertEqual(head[name], got[name], name)


class Sha512Referrers(Referrers):
    algorithm = "sha512"


class FallbackTags(ReferrersCase):
    """distribution-spec, "Enabling the Referrers API": what clients kept in a tag is listed too."""

    def setUp(self) -> None:
        super().setUp()
        self.tag = self.subject["digest"].replace(":", "-")

    def test_tag_is_listed(self) -> None:
        old = {**self.client.push_manifest(self.repo, self.client.artifact(self.repo)), "artifactType": EXAMPLE_TYPE}
        self.client.push_manifest(self.repo, self.client.index([old]), self.tag)
        self.assert_listed(old)
        self.assert_listed(old, artifactType=EXAMPLE_TYPE)
        self.assert_listed(artifactType=OTHER_TYPE)

    def test_tag_and_subjects_are_merged(self) -> None:
        new = self.push(self.artifact())
        old = {**self.client.push_manifest(self.repo, self.client.artifact(self.repo)), "artifactType": EXAMPLE_TYPE}
        self.client.push_manifest(self.repo, self.client.index([old, new]), self.tag)
        self.assert_listed(old, new)

    def test_deleted_referrer_of_a_tag_vanishes(self) -> None:
        first, second = (self.push(self.artifact()) for _ in range(2))
        self.client.push_manifest(self.repo, self.client.index([first, second]), self.tag)
        self.remove(first["digest"])
        self.assert_listed(second)

    def test_tag_of_something_else(self) -> None:
        new = self.push(self.artifact())
        self.client.push_manifest(self.repo, self.client.image(self.repo), self.tag)
        self.assert_listed(new)

    def test_deleted_tag(self) -> None:
        new = self.push(self.artifact())
        old = {**self.client.push_manifest(self.repo, self.client.artifact(self.repo)), "artifactType": EXAMPLE_TYPE}
        self.client.push_manifest(self.repo, self.client.index([old]), self.tag)
        self.remove(self.tag)
        self.assert_listed(new)
