"""Which manifest a client gets: Accept, Docker's lists, and conditions."""

from __future__ import annotations

from typing import Any

from tests.integration.client import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    OCI_MANIFEST,
    ApiCase,
    Client,
    Response,
    descriptor,
    encode,
    random_bytes,
)


def docker_image(client: Client, repository: str) -> dict[str, Any]:
    config, layer = encode({"random": random_bytes(8).hex()}), random_bytes()
    for content in (config, layer):
        client.push_blob(repository, content)
    return {
        "schemaVersion": 2,
        "mediaType": DOCKER_MANIFEST,
        "config": descriptor(config, DOCKER_CONFIG),
        "layers": [descriptor(layer, DOCKER_LAYER)],
    }


def docker_list(client: Client, repository: str, *architectures: str) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": DOCKER_LIST,
        "manifests": [
            client.push_manifest(repository, docker_image(client, repository))
            | {"platform": {"os": "linux", "architecture": architecture}}
            for architecture in architectures
        ],
    }


class NegotiationCase(ApiCase):
    def url(self, reference: str) -> str:
        return f"/v2/{self.repo}/manifests/{reference}"

    def pull(self, reference: str, *accept: str, method: str = "GET") -> Response:
        return self.client.request(method, self.url(reference), headers=[("Accept", value) for value in accept])

    def push(self, document: dict[str, Any], tag: str = "v1") -> str:
        return self.client.push_manifest(self.repo, document, tag)["digest"]

    def assert_pulled(self, answer: Response, digest: str, media_type: str) -> None:
        self.assert_status(answer, 200)
        self.assertEqual(answer["Content-Type"], media_type)
        self.assertEqual(answer["Docker-Content-Digest"], digest)
        self.assertEqual(answer["ETag"], f'"{digest}"')


class Negotiation(NegotiationCase):
    def test_any_accept_gets_what_is_stored(self) -> None:
        for tag, document in {
            "oci": self.client.image(self.repo),
            "index": self.client.index([]),
            "docker": docker_image(self.client, self.repo),
            "list": docker_list(self.client, self.repo, "amd64"),
        }.items():
            digest, kind = self.push(document, tag), document["mediaType"]
            for accept in (
                [],
                ["*/*"],
                ["application/*"],
                [kind],
                [kind.upper()],
                [f"{kind}; charset=utf-8"],
                [f"{kind};q=0.5, text/html"],
                ["text/html", kind],
                [f"text/html,{kind}"],
                ["application/json, */*;q=0.1"],
            ):
                for reference in (tag, digest):
                    for method in ("GET", "HEAD"):
                        with self.subTest(reference, accept=accept, method=method):
                            self.assert_pulled(self.pull(reference, *accept, method=method), digest, kind)

    def test_other_types_are_served_all_the_same(self) -> None:
        digest = self.push(self.client.image(self.repo))
        for accept in (DOCKER_MANIFEST, "application/json", "text/html", ""):
            with self.subTest(accept):
                self.assert_pulled(self.pull("v1", accept), digest, OCI_MANIFEST)

    def test_list_by_tag_becomes_its_amd64_image(self) -> None:
        document = docker_list(self.client, self.repo, "arm64", "amd64", "s390x")
        self.push(document)
        child = document["manifests"][1]["digest"]
        for accept in (
            [DOCKER_MANIFEST],
            [f"{DOCKER_MANIFEST}, application/json"],
            ["application/json", DOCKER_MANIFEST],
        ):
            for method in ("GET", "HEAD"):
                with self.subTest(accept, method=method):
                    answer = self.pull("v1", *accept, method=method)
                    self.assert_pulled(answer, child, DOCKER_MANIFEST)
                    self.assertEqual(answer["Content-Length"], str(document["manifests"][1]["size"]))
                    if method == "GET":
                        self.assertEqual(answer.body, self.pull(child).body)

    def test_list_without_amd64(self) -> None:
        self.push(docker_list(self.client, self.repo, "arm64"))
        self.assert_error(self.pull("v1", DOCKER_MANIFEST), 404, "MANIFEST_UNKNOWN")

    def test_list_by_digest_stays_a_list(self) -> None:
        digest = self.push(docker_list(self.client, self.repo, "amd64"))
        self.assert_pulled(self.pull(digest, DOCKER_MANIFEST), digest, DOCKER_LIST)

    def test_index_by_tag_stays_an_index(self) -> None:
        image = self.client.push_manifest(self.repo, self.client.image(self.repo))
        child = image | {"platform": {"os": "linux", "architecture": "amd64"}}
        digest = self.push(self.client.index([child]))
        for accept in (OCI_MANIFEST, DOCKER_MANIFEST):
            self.assert_pulled(self.pull("v1", accept), digest, OCI_INDEX)


class StrictNegotiation(NegotiationCase):
    settings = {"compat": {"strictaccept": True}}

    def test_image_that_is_not_accepted(self) -> None:
        digest = self.push(self.client.image(self.repo))
        for reference in ("v1", digest):
            for accept in (DOCKER_MANIFEST, "application/json", f"{OCI_MANIFEST};q=0, {DOCKER_MANIFEST}"):
                with self.subTest(reference, accept=accept):
                    answer = self.assert_error(self.pull(reference, accept), 404, "MANIFEST_UNKNOWN")
                    self.assertIn("OCI manifest found", repr(answer.body))
                    self.assert_status(self.pull(reference, accept, method="HEAD"), 404)

    def test_index_that_is_not_accepted(self) -> None:
        self.push(self.client.index([]))
        answer = self.assert_error(self.pull("v1", OCI_MANIFEST), 404, "MANIFEST_UNKNOWN")
        self.assertIn("OCI index found", repr(answer.body))

    def test_accepted(self) -> None:
        digest = self.push(self.client.image(self.repo))
        for accept in ([], ["*/*"], ["application/*"], [OCI_MANIFEST], [DOCKER_MANIFEST, OCI_MANIFEST]):
            with self.subTest(accept):
                self.assert_pulled(self.pull("v1", *accept), digest, OCI_MANIFEST)

    def test_list_becomes_its_image(self) -> None:
        document = docker_list(self.client, self.repo, "amd64")
        self.push(document)
        self.assert_pulled(self.pull("v1", DOCKER_MANIFEST), document["manifests"][0]["digest"], DOCKER_MANIFEST)

    def test_list_for_a_client_without_images(self) -> None:
        self.push(docker_list(self.client, self.repo, "amd64"))
        answer = self.pull("v1", OCI_INDEX)
        self.assertIn(answer.status, (400, 404), repr(answer))


class Conditions(NegotiationCase):
    def setUp(self) -> None:
        super().setUp()
        self.digest = self.push(self.client.image(self.repo))
        self.etag = f'"{self.digest}"'

    def test_not_modified(self) -> None:
        for value in (self.etag, self.digest, "W/" + self.etag, f'"a", {self.etag}', f'W/"a" ,W/{self.etag},"b"', "*"):
            for reference in ("v1", self.digest):
                for method in ("GET", "HEAD"):
                    with self.subTest(value, reference=reference, method=method):
                        answer = self.client.request(method, self.url(reference), headers={"If-None-Match": value})
                        self.assert_status(answer, 304)
                        self.assertEqual(answer.body, b"")
                        self.assertEqual(answer["ETag"], self.etag)
                        self.assertEqual(answer["Docker-Content-Digest"], self.digest)

    def test_modified(self) -> None:
        for value in ('"other"', '"a", W/"b"', '"*"', self.digest[:-1], ""):
            with self.subTest(value):
                answer = self.client.get(self.url("v1"), {"If-None-Match": value})
                self.assert_pulled(answer, self.digest, OCI_MANIFEST)

    def test_missing_is_missing(self) -> None:
        for value in ("*", self.etag):
            self.assert_status(self.client.get(self.url("v2"), {"If-None-Match": value}), 404)

    def test_list_is_compared_by_the_image_that_is_served(self) -> None:
        document = docker_list(self.client, self.repo, "amd64")
        digest = self.push(document, "list")
        child = document["manifests"][0]["digest"]
        headers = {"Accept": DOCKER_MANIFEST}
        self.assert_status(self.client.get(self.url("list"), {**headers, "If-None-Match": f'"{child}"'}), 304)
        self.assert_status(self.client.get(self.url("list"), {**headers, "If-None-Match": f'"{digest}"'}), 200)

    def put(self, reference: str, **conditions: str) -> Response:
        headers = {name.replace("_", "-"): value for name, value in conditions.items()}
        return self.client.put_manifest(self.repo, reference, encode(self.client.image(self.repo)), headers=headers)

    def tagged(self, tag: str = "v1") -> str | None:
        return self.client.head(self.url(tag))["Docker-Content-Digest"]

    def test_push_of_a_new_tag_only(self) -> None:
        self.assert_status(self.put("v1", If_None_Match="*"), 412)
        self.assertEqual(self.tagged(), self.digest)
        self.assert_status(self.put("v2", If_None_Match="*"), 201)

    def test_push_over_the_expected_manifest_only(self) -> None:
        self.assert_status(self.put("v1", If_Match='"other"'), 412)
        self.assertEqual(self.tagged(), self.digest)
        self.assert_status(self.put("v3", If_Match="*"), 412)
        self.assert_status(self.put("v3", If_Match=self.etag), 412)
        self.assertIsNone(self.tagged("v3"))
        answer = self.assert_status(self.put("v1", If_Match=self.etag), 201)
        self.assertEqual(self.tagged(), answer["Docker-Content-Digest"])
        self.assert_status(self.put("v1", If_Match=f'"a", "{self.tagged()}"'), 201)
        self.assert_status(self.put("v1", If_Match="*"), 201)
