"""Uploads that a registry has to refuse, without harm to the session or to itself."""

from __future__ import annotations

from uuid import uuid4

from tests.integration.client import OCTETS, ApiCase, digest_of, random_bytes

BAD_DIGESTS = (
    "",
    "sha256",
    "sha256:",
    "sha256:bad",
    "sha256:" + "g" * 64,
    "sha512:" + "a" * 64,
    "md5:" + "a" * 32,
    "sha1:" + "a" * 40,
    "../../etc/passwd",
    "sha256:" + "a" * 64 + "\n",
)


class UploadErrors(ApiCase):
    def setUp(self) -> None:
        super().setUp()
        self.content = random_bytes()
        self.digest = digest_of(self.content)
        self.location = self.client.start_upload(self.repo).location

    def assert_session_is_sound(self) -> None:
        """Nothing has been added to the session, and it can be finished."""
        answer = self.assert_status(self.client.get(self.location), 204)
        self.assertEqual(answer["Range"], "0-0")
        self.assert_status(self.client.finish(answer.location, self.digest, self.content), 201)
        self.assert_blob(self.content, self.digest)

    def test_malformed_content_range(self) -> None:
        # distribution-spec §Pushing a blob in chunks: it must match ^[0-9]+-[0-9]+$.
        for span in (
            "abc",
            "5",
            "-5",
            "5-",
            "511-0",
            "0-a",
            "a-511",
            "0--511",
            "-0-511",
            "+0-511",
            "0-5_1_1",
            "0-511,",
            "-",
        ):
            with self.subTest(span):
                answer = self.client.patch(self.location, self.content, span)
                self.assertIn(answer.status, (400, 416), repr(answer))
        self.assert_session_is_sound()

    def test_malformed_content_range_on_put(self) -> None:
        for span in ("abc", "5", "511-0"):
            with self.subTest(span):
                answer = self.client.finish(self.location, self.digest, self.content, span)
                self.assertIn(answer.status, (400, 416), repr(answer))

    def test_huge_content_range(self) -> None:
        answer = self.client.patch(self.location, self.content, "9" * 5000 + "-" + "9" * 5000)
        self.assertIn(answer.status, (400, 416), repr(answer))
        self.assert_session_is_sound()

    def test_length_and_range_differ(self) -> None:
        for span in ("0-510", "0-512", "0-0", "0-100000"):
            with self.subTest(span):
                self.assert_error(self.client.patch(self.location, self.content, span), 400, "SIZE_INVALID")
        self.assert_session_is_sound()

    def test_length_and_range_differ_on_put(self) -> None:
        answer = self.client.finish(self.location, self.digest, self.content, "0-100")
        self.assert_error(answer, 400, "SIZE_INVALID")
        self.assert_no_blob(self.digest)

    def test_empty_patch(self) -> None:
        answer = self.client.patch(self.location, b"")
        self.assertIn(answer.status, (202, 400), repr(answer))
        self.assert_session_is_sound()

    def test_wrong_content_type_of_a_patch(self) -> None:
        for kind in ("text/plain", "application/json", "junk"):
            with self.subTest(kind):
                answer = self.client.request("PATCH", self.location, self.content, {"Content-Type": kind})
                self.assertIn(answer.status, (400, 415), repr(answer))
        self.assert_session_is_sound()

    def test_put_without_digest(self) -> None:
        answer = self.client.request("PUT", self.location, self.content, {"Content-Type": OCTETS})
        self.assert_error(answer, 400, "DIGEST_INVALID")

    def test_put_with_a_malformed_digest(self) -> None:
        for digest in BAD_DIGESTS:
            with self.subTest(digest):
                location = self.client.start_upload(self.repo).location
                self.assert_error(self.client.finish(location, digest, self.content), 400, "DIGEST_INVALID")

    def test_post_with_a_malformed_digest(self) -> None:
        for digest in BAD_DIGESTS[1:]:
            with self.subTest(digest):
                answer = self.client.request(
                    "POST", f"/v2/{self.repo}/blobs/uploads/", self.content, query={"digest": digest}
                )
                self.assert_error(answer, 400, "DIGEST_INVALID")

    def test_unknown_digest_algorithm(self) -> None:
        # distribution-spec end-4c.
        for algorithm in ("md5", "sha1", "sha384", "blake3", "sha256:abc", "shake_128", "SHA256"):
            with self.subTest(algorithm):
                answer = self.client.start_upload(self.repo, digest_algorithm=algorithm)
                self.assert_error(answer, 400, "DIGEST_INVALID")

    def test_other_algorithm_than_announced(self) -> None:
        location = self.client.start_upload(self.repo, digest_algorithm="sha512").location
        answer = self.client.finish(location, self.digest, self.content)
        self.assertIn(answer.status, (201, 400), repr(answer))
        if answer.status == 201:
            self.assert_blob(self.content, self.digest)

    def assert_unknown(self, location: str) -> None:
        for method in ("GET", "HEAD", "PATCH", "PUT", "DELETE"):
            with self.subTest(location, method=method):
                body = self.content if method in ("PATCH", "PUT") else None
                query = {"digest": self.digest} if method == "PUT" else None
                answer = self.client.request(method, location, body, {"Content-Type": OCTETS}, query)
                self.assert_status(answer, 404)
                if method != "HEAD":
                    self.assertEqual(answer.codes, ["BLOB_UPLOAD_UNKNOWN"])

    def test_unknown_session(self) -> None:
        self.assert_unknown(f"/v2/{self.repo}/blobs/uploads/{uuid4()}")
        self.assert_unknown(f"/v2/no/such/repository/blobs/uploads/{uuid4()}")

    def test_session_of_another_repository(self) -> None:
        session = self.location.rsplit("/", 1)[1].split("?")[0]
        self.assert_unknown(f"/v2/{self.repo}/other/blobs/uploads/{session}")
        self.assert_session_is_sound()

    def test_malformed_session(self) -> None:
        for session in ("x", "..", "%2e%2e", "%2e%2e%2f%2e%2e", "a%00b", "a" * 1000, "%ff", "data", "%F0%9F%90%B3"):
            for method in ("GET", "PATCH", "PUT", "DELETE"):
                with self.subTest(session, method=method):
                    body = self.content if method in ("PATCH", "PUT") else None
                    query = {"digest": self.digest} if method == "PUT" else None
                    answer = self.client.request(method, f"/v2/{self.repo}/blobs/uploads/{session}", body, query=query)
                    self.assertIn(answer.status, (400, 404, 405), repr(answer))
        self.assert_session_is_sound()

    def test_state_of_the_client_is_not_needed(self) -> None:
        """Once there are bytes."""
        first, rest = self.content[:10], self.content[10:]
        bare = self.location.split("?")[0]
        self.assert_unknown(bare)
        self.assert_status(self.client.patch(self.location, first), 202)
        for location in (bare, self.location):
            self.assertEqual(self.assert_status(self.client.get(location), 204)["Range"], "0-9")
        self.assert_status(self.client.finish(bare, self.digest, rest), 201)
        self.assert_blob(self.content, self.digest)

    def test_state_that_no_registry_gives(self) -> None:
        bare = self.location.split("?")[0]
        stored = self.client.patch(self.client.start_upload(self.repo).location, b"abc").location
        for state in (
            "",
            "md5",
            "SHA256",
            "sha256%00",
            "sha256%20",
            "sha256,sha512",
            "x" * 2000,
            "..%2F..",
            "%F0%9F%90%B3",
            "%0D%0AX-Y:%20z",
            "eyJOYW1lIjoiYSJ9",
        ):
            self.assert_unknown(f"{bare}?_state={state}")
            self.assert_unknown(f"{stored}?_state={state}")
        self.assert_error(self.client.get(f"{bare}?_state=%FF"), 400, "UNSUPPORTED")
        self.assert_session_is_sound()
        self.assertEqual(self.client.get(stored)["Range"], "0-2")

    def test_bad_repository_name(self) -> None:
        self.assert_error(self.client.start_upload("Bad/Name"), 400, "NAME_INVALID")

    def test_body_of_a_start_is_dropped(self) -> None:
        answer = self.client.request("POST", f"/v2/{self.repo}/blobs/uploads/", self.content, {"Content-Type": OCTETS})
        self.location = self.assert_status(answer, 202).location
        self.assert_session_is_sound()

    def test_refused_large_body_is_answered(self) -> None:
        body = bytes(8 * 1024 * 1024)
        unknown = f"/v2/{self.repo}/blobs/uploads/{uuid4()}"
        for method, url in (("PATCH", unknown), ("PUT", unknown), ("PUT", "/v2/"), ("POST", "/v2/Bad/blobs/uploads/")):
            with self.subTest(url, method=method):
                self.assertIn(self.client.request(method, url, body).status, (400, 404, 405))

    def test_expect_continue(self) -> None:
        answer = self.client.request(
            "PATCH", self.location, self.content, {"Expect": "100-continue", "Content-Type": OCTETS}
        )
        self.assert_status(answer, 202)
        self.assert_status(self.client.finish(answer.location, self.digest), 201)
