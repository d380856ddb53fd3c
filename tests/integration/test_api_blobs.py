"""Blobs over HTTP: reading whole and in part, conditions, mounting, deleting."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.integration.client import ApiCase, Response, digest_of, random_bytes

SIZE = 2048


class BlobReading:
    """For each algorithm; the conformance suite's "range requests" and more."""

    algorithm: str

    def setUp(self) -> None:
        super().setUp()
        self.content = random_bytes(SIZE)
        self.digest = self.client.push_blob(self.repo, self.content, self.algorithm)
        self.url = f"/v2/{self.repo}/blobs/{self.digest}"
        self.etag = f'"{self.digest}"'

    def part(self, value: str, **more: str) -> Response:
        return self.client.get(self.url, {"Range": value, **more})

    def assert_part(self, answer: Response, first: int, last: int) -> None:
        self.assert_status(answer, 206)
        self.assertEqual(answer["Content-Range"], f"bytes {first}-{last}/{SIZE}")
        self.assertEqual(answer["Content-Length"], str(last - first + 1))
        self.assertEqual(answer["Docker-Content-Digest"], self.digest)
        self.assertEqual(answer.body, self.content[first : last + 1])

    def assert_whole(self, answer: Response) -> None:
        self.assert_status(answer, 200)
        self.assertIsNone(answer["Content-Range"])
        self.assertEqual(answer["Content-Length"], str(SIZE))
        self.assertEqual(answer.body, self.content)

    def assert_unsatisfiable(self, answer: Response) -> None:
        self.assert_status(answer, 416)
        self.assertEqual(answer["Content-Range"], f"bytes */{SIZE}")
        self.assertTrue(answer.codes)

    def test_headers(self) -> None:
        for answer in (self.client.get(self.url), self.client.head(self.url)):
            self.assert_status(answer, 200)
            self.assertEqual(answer["Content-Type"], "application/octet-stream")
            self.assertEqual(answer["Content-Length"], str(SIZE))
            self.assertEqual(answer["Docker-Content-Digest"], self.digest)
            self.assertEqual(answer["ETag"], self.etag)
            self.assertEqual(answer["Accept-Ranges"], "bytes")
            self.assertEqual(answer["Cache-Control"], "max-age=31536000")
        self.assertEqual(answer.body, b"")

    def test_satisfiable_ranges(self) -> None:
        for value, first, last in [
            ("bytes=500-1499", 500, 1499),
            ("bytes=0-0", 0, 0),
            ("bytes=2047-2047", 2047, 2047),
            ("bytes=500-", 500, 2047),
            ("bytes=0-", 0, 2047),
            ("bytes=-500", 1548, 2047),
            ("bytes=-1", 2047, 2047),
            ("bytes=-2048", 0, 2047),
            ("bytes=-5000", 0, 2047),
            ("bytes=2000-5000", 2000, 2047),
            ("bytes=0-9223372036854775807", 0, 2047),
            ("Bytes=1-2", 1, 2),
        ]:
            with self.subTest(value):
                self.assert_part(self.part(value), first, last)

    def test_unsatisfiable_ranges(self) -> None:
        for value in ("bytes=5000-10000", "bytes=2048-", "bytes=2048-2048", "bytes=-0", "bytes=500-0"):
            with self.subTest(value):
                self.assert_unsatisfiable(self.part(value))

    def test_unknown_unit_is_ignored(self) -> None:
        self.assert_whole(self.part("items=0-5"))

    def test_malformed_range_is_ignored_or_refused(self) -> None:
        for value in ("bytes", "bytes=", "bytes=a-b", "bytes=-", "bytes=1--2", "bytes=+1-2", "bytes=1_0-20", "0-5"):
            with self.subTest(value):
                answer = self.part(value)
                self.assertIn(answer.status, (200, 416), repr(answer))

    def test_several_ranges_give_all_or_multipart(self) -> None:
        answer = self.part("bytes=0-9,20-29")
        if answer.status == 200:
            self.assert_whole(answer)
        else:
            self.assert_status(answer, 206)
            self.assertTrue(answer["Content-Type"].startswith("multipart/byteranges"), repr(answer))

    def test_many_ranges_are_harmless(self) -> None:
        self.assertLess(self.part("bytes=" + ",".join(["0-"] * 1000)).status, 500)

    def test_head_ignores_a_range(self) -> None:
        # RFC 9110 §14.2: only GET has ranges.
        answer = self.client.head(self.url, {"Range": "bytes=500-1499"})
        self.assert_status(answer, 200)
        self.assertEqual(answer["Content-Length"], str(SIZE))

    def test_if_range(self) -> None:
        self.assert_part(self.part("bytes=10-19", **{"If-Range": self.etag}), 10, 19)
        for other in ('"sha256:0"', "W/" + self.etag, "Wed, 21 Oct 2026 07:28:00 GMT", "*"):
            with self.subTest(other):
                self.assert_whole(self.part("bytes=10-19", **{"If-Range": other}))
                self.assert_whole(self.part("bytes=5000-", **{"If-Range": other}))

    def test_not_modified(self) -> None:
        for value in (self.etag, "W/" + self.etag, f'"other", {self.etag}', f'"a",W/{self.etag} , "b"', "*"):
            for method in ("GET", "HEAD"):
                with self.subTest(value, method=method):
                    answer = self.client.request(method, self.url, headers={"If-None-Match": value})
                    self.assert_status(answer, 304)
                    self.assertEqual(answer.body, b"")
                    self.assertEqual(answer["ETag"], self.etag)
                    self.assertEqual(answer["Docker-Content-Digest"], self.digest)

    def test_modified(self) -> None:
        for value in ('"other"', '"a", "b"', '"*"', "", '"'):
            with self.subTest(value):
                self.assert_whole(self.client.get(self.url, {"If-None-Match": value}))

    def test_if_none_match_in_two_fields(self) -> None:
        answer = self.client.get(self.url, [("If-None-Match", '"other"'), ("If-None-Match", self.etag)])
        self.assert_status(answer, 304)

    def test_not_modified_goes_before_range(self) -> None:
        self.assert_status(self.part("bytes=0-9", **{"If-None-Match": self.etag}), 304)
        self.assert_status(self.part("bytes=5000-", **{"If-None-Match": self.etag}), 304)

    def test_well_known_contents(self) -> None:
        for content in (b"", b"{}"):
            with self.subTest(content):
                digest = self.client.push_blob(self.repo, content, self.algorithm)
                self.assert_blob(content, digest)
                self.assert_status(self.client.delete(f"/v2/{self.repo}/blobs/{digest}"), 202)
                self.assert_no_blob(digest)

    def test_range_of_an_empty_blob(self) -> None:
        digest = self.client.push_blob(self.repo, b"", self.algorithm)
        answer = self.client.get(f"/v2/{self.repo}/blobs/{digest}", {"Range": "bytes=0-"})
        self.assertIn(answer.status, (200, 416), repr(answer))

    def test_missing(self) -> None:
        digest = digest_of(random_bytes(), self.algorithm)
        self.assert_no_blob(digest)
        answer = self.client.get(f"/v2/{self.repo}/blobs/{digest}")
        self.assertEqual(answer.json()["errors"][0]["detail"], digest)

    def test_other_repository_does_not_have_it(self) -> None:
        self.assert_no_blob(self.digest, "another/repository")

    def test_delete(self) -> None:
        answer = self.assert_status(self.client.delete(self.url), 202)
        self.assertEqual(answer["Content-Length"], "0")
        self.assert_no_blob(self.digest)
        self.assert_error(self.client.delete(self.url), 404, "BLOB_UNKNOWN")

    def test_delete_and_push_again(self) -> None:
        self.assert_status(self.client.delete(self.url), 202)
        self.client.push_blob(self.repo, self.content, self.algorithm)
        self.assert_blob(self.content, self.digest)

    def test_delete_leaves_other_repositories_alone(self) -> None:
        other = self.repo + "/other"
        self.client.push_blob(other, self.content, self.algorithm)
        self.assert_status(self.client.delete(self.url), 202)
        self.assert_blob(self.content, self.digest, other)
        self.assert_no_blob(self.digest)

    def mount(self, repository: str, digest: str, source: str | None) -> Response:
        more = {} if source is None else {"from": source}
        return self.client.start_upload(repository, mount=digest, **more)

    def assert_mounted(self, answer: Response, repository: str) -> None:
        self.assert_status(answer, 201)
        self.assertEqual(answer["Docker-Content-Digest"], self.digest)
        self.assertEqual(answer["Content-Length"], "0")
        self.assertEqual(urlsplit(answer.location).path, f"/v2/{repository}/blobs/{self.digest}")
        self.assertEqual(self.client.get(answer.location).body, self.content)
        self.assert_blob(self.content, self.digest, repository)

    def test_mount(self) -> None:
        target = self.repo + "/target"
        self.assert_mounted(self.mount(target, self.digest, self.repo), target)
        self.assert_blob(self.content, self.digest)

    def test_mount_from_itself(self) -> None:
        self.assert_mounted(self.mount(self.repo, self.digest, self.repo), self.repo)

    def test_mount_without_source(self) -> None:
        target = self.repo + "/target"
        self.assert_mounted(self.mount(target, self.digest, None), target)

    def test_mounted_blob_survives_its_source(self) -> None:
        target = self.repo + "/target"
        self.assert_mounted(self.mount(target, self.digest, self.repo), target)
        self.assert_status(self.client.delete(self.url), 202)
        self.assert_blob(self.content, self.digest, target)

    def test_mount_that_fails_starts_an_upload(self) -> None:
        missing = digest_of(random_bytes(), self.algorithm)
        for digest, source in [
            (missing, self.repo),
            (missing, None),
            (self.digest, "no/such/repository"),
            (self.digest, "Bad..Name"),
            (self.digest, ""),
            ("sha256:bad", self.repo),
            ("", self.repo),
        ]:
            with self.subTest(digest=digest, source=source):
                target = f"{self.repo}/failed"
                self.client.delete(f"/v2/{target}/blobs/{self.digest}")
                answer = self.mount(target, digest, source)
                if source == "" and answer.status == 201:
                    continue  # the same as without one
                self.assert_status(answer, 202)
                content = random_bytes()
                pushed = digest_of(content, self.algorithm)
                self.assert_status(self.client.finish(answer.location, pushed, content), 201)
                self.assert_blob(content, pushed, target)

    def test_mount_of_a_deleted_blob_fails(self) -> None:
        self.assert_status(self.client.delete(self.url), 202)
        self.assert_status(self.mount(self.repo + "/target", self.digest, self.repo), 202)


class Sha256BlobReading(BlobReading, ApiCase):
    algorithm = "sha256"


class Sha512BlobReading(BlobReading, ApiCase):
    algorithm = "sha512"


class BlobErrors(ApiCase):
    def test_bad_digests(self) -> None:
        for digest in (
            "sha256:bad",
            "sha256:" + "g" * 64,
            "sha256:" + "A" * 64,
            "sha256:" + "a" * 63,
            "sha512:" + "a" * 64,
            "md5:" + "a" * 32,
            "sha256",
            "sha256:",
            "sha256:" + "a" * 64 + "/x",
        ):
            for method in ("GET", "HEAD", "DELETE"):
                with self.subTest(digest, method=method):
                    answer = self.client.request(method, f"/v2/{self.repo}/blobs/{digest}")
                    self.assertIn(answer.status, (400, 404), repr(answer))

    def test_both_algorithms_of_one_content(self) -> None:
        content = random_bytes()
        first = self.client.push_blob(self.repo, content, "sha512")
        second = self.client.push_blob(self.repo, content, "sha256")
        self.assert_blob(content, first)
        self.assert_blob(content, second)
        self.assert_status(self.client.delete(f"/v2/{self.repo}/blobs/{second}"), 202)
        self.assert_no_blob(second)


class DeletionDisabled(ApiCase):
    settings = {"storage": {"delete": {"enabled": False}}}

    def test_nothing_can_be_deleted(self) -> None:
        content = random_bytes()
        digest = self.client.push_blob(self.repo, content)
        manifest = self.client.push_manifest(self.repo, self.client.image(self.repo), "v1")
        for path in (f"blobs/{digest}", "manifests/v1", f"manifests/{manifest['digest']}"):
            with self.subTest(path):
                answer = self.client.delete(f"/v2/{self.repo}/{path}")
                self.assert_error(answer, 405, "UNSUPPORTED")
                self.assertTrue(answer["Allow"], repr(answer))
        self.assert_blob(content, digest)
        self.assert_status(self.client.get(f"/v2/{self.repo}/manifests/v1"), 200)

    def test_an_upload_can_be_cancelled(self) -> None:
        self.assert_status(self.client.delete(self.client.start_upload(self.repo).location), 204)
