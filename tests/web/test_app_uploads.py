"""``/v2/<name>/blobs/uploads/`` (distribution-spec, end-4 to end-6, end-11 to end-14)."""

from __future__ import annotations

from dregistry.digest import Digest
from dregistry.storage import StorageFull

from ..registry.faulty import FaultyDriver
from .app import BASE, Answer, AppCase, Doorkeeper

UPLOADS = "/v2/a/b/blobs/uploads/"
NOWHERE = UPLOADS + "00000000-0000-0000-0000-000000000000"
CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)
OCTET_STREAM = "application/octet-stream"


class UploadsCase(AppCase):
    def begin(self, query: str = "") -> str:
        """The path of a new session."""
        return self.session(self.ask("POST", UPLOADS + query, 202), 0)

    def session(self, found: Answer, offset: int) -> str:
        """What an answer about a session says: where, and how far."""
        location = found.headers["location"].removeprefix(BASE)
        self.assertEqual(found.headers["range"], f"0-{max(offset - 1, 0)}")
        self.assertEqual(location, UPLOADS + found.headers["docker-upload-uuid"])
        self.assertEqual(found.body, b"")
        return location

    def created(self, found: Answer, digest: Digest = DIGEST, content: bytes = CONTENT) -> None:
        self.assertEqual(found.headers["location"], f"{BASE}/v2/a/b/blobs/{digest}")
        self.assertEqual(found.headers["docker-content-digest"], str(digest))
        self.assertEqual((found.body, found.length), (b"", 0))
        self.assertEqual(self.ask("GET", f"/v2/a/b/blobs/{digest}", 200).body, content)

    def assert_none(self) -> None:
        """No session has been left behind."""
        self.assertEqual([path for path in self.tree("/docker") if "_uploads" in path], [])


class WholeTests(UploadsCase):
    def test_post(self) -> None:
        for digest in (DIGEST, Digest.of(CONTENT, "sha512")):
            self.created(self.ask("POST", f"{UPLOADS}?digest={digest}", 201, CONTENT), digest)
        self.assert_none()

    def test_post_of_nothing(self) -> None:
        digest = Digest.of(b"")
        self.created(self.ask("POST", f"{UPLOADS}?digest={digest}", 201), digest, b"")

    def test_post_with_a_wrong_digest(self) -> None:
        self.refuse("POST", f"{UPLOADS}?digest={DIGEST}", 400, "DIGEST_INVALID", b"else")
        self.refuse("POST", f"{UPLOADS}?digest=nonsense", 400, "DIGEST_INVALID", CONTENT)
        self.refuse("GET", f"/v2/a/b/blobs/{DIGEST}", 404, "BLOB_UNKNOWN")
        self.assert_none()

    def test_post_to_a_full_storage(self) -> None:
        driver = FaultyDriver(self.driver)
        self.serve(driver=driver)
        for method in ("writer.write",):
            driver.fail(StorageFull("/x"), 0, method=method)
            self.refuse("POST", f"{UPLOADS}?digest={DIGEST}", 503, "UNAVAILABLE", CONTENT)
        self.assert_none()

    def test_put(self) -> None:
        path = self.begin()
        self.created(self.ask("PUT", f"{path}?digest={DIGEST}", 201, CONTENT))
        self.refuse("GET", path, 404, "BLOB_UPLOAD_UNKNOWN")
        self.assert_none()

    def test_put_by_sha512(self) -> None:
        digest = Digest.of(CONTENT, "sha512")
        for query in ("", "?digest-algorithm=sha512"):
            self.created(self.ask("PUT", f"{self.begin(query)}?digest={digest}", 201, CONTENT), digest)

    def test_algorithm_that_is_not_computed(self) -> None:
        self.refuse("POST", UPLOADS + "?digest-algorithm=md5", 400, "DIGEST_INVALID")
        self.assert_none()

    def test_put_without_a_digest(self) -> None:
        path = self.begin()
        for query in ("", "?digest=", "?digest=nonsense"):
            self.refuse("PUT", path + query, 400, "DIGEST_INVALID", CONTENT)
        self.session(self.ask("GET", path, 204), 0)

    def test_put_with_a_wrong_digest(self) -> None:
        path = self.begin()
        self.refuse("PUT", f"{path}?digest={DIGEST}", 400, "DIGEST_INVALID", b"else")
        self.refuse("PUT", f"{path}?digest={DIGEST}", 404, "BLOB_UPLOAD_UNKNOWN", CONTENT)
        self.assert_none()


class ChunksTests(UploadsCase):
    def test_stream(self) -> None:
        path = self.begin()
        self.assertEqual(self.session(self.ask("PATCH", path, 202, CONTENT[:4]), 4), path)
        self.session(self.ask("GET", path, 204), 4)
        self.session(self.ask("PATCH", path, 202, CONTENT[4:], content_type=OCTET_STREAM), 10)
        self.created(self.ask("PUT", f"{path}?digest={DIGEST}", 201))

    def test_chunks(self) -> None:
        path = self.begin()
        for start in (0, 4, 8):
            chunk = CONTENT[start : start + 4]
            end = start + len(chunk) - 1
            self.session(self.ask("PATCH", path, 202, chunk, content_range=f"{start}-{end}"), end + 1)
        self.created(self.ask("PUT", f"{path}?digest={DIGEST}", 201))

    def test_last_chunk_in_put(self) -> None:
        path = self.begin()
        self.ask("PATCH", path, 202, CONTENT[:4])
        self.created(self.ask("PUT", f"{path}?digest={DIGEST}", 201, CONTENT[4:], content_range="4-9"))

    def test_out_of_order(self) -> None:
        """The answer says where to go on; what is there stays."""
        path = self.begin()
        self.ask("PATCH", path, 202, CONTENT[:4])
        for method, query in (("PATCH", ""), ("PUT", f"?digest={DIGEST}")):
            for content_range in ("0-3", "5-8", "3-6", "junk", "9-5"):
                found = self.refuse(
                    method, path + query, 416, "RANGE_INVALID", CONTENT[:4], content_range=content_range
                )
                self.assertEqual(found.headers["range"], "0-3")
                self.assertEqual(found.headers["location"], BASE + path)
        self.session(self.ask("PATCH", path, 202, CONTENT[4:], content_range="4-9"), 10)

    def test_sizes(self) -> None:
        """A chunk that is longer or shorter than it says."""
        path = self.begin()
        for chunk in (CONTENT, CONTENT[:3]):
            self.refuse("PATCH", path, 400, "SIZE_INVALID", chunk, content_range="0-3")
        self.session(self.ask("GET", path, 204), 0)

    def test_other_type(self) -> None:
        path = self.begin()
        self.refuse("PATCH", path, 400, "UNSUPPORTED", CONTENT, content_type="application/json")
        self.session(self.ask("PATCH", path, 202, CONTENT, content_type="Application/Octet-Stream; a=b"), 10)

    def test_unknown(self) -> None:
        for path in (NOWHERE, UPLOADS + "nonsense"):
            for method in ("GET", "PATCH", "DELETE"):
                self.refuse(method, path, 404, "BLOB_UPLOAD_UNKNOWN")
            self.refuse("PUT", f"{path}?digest={DIGEST}", 404, "BLOB_UPLOAD_UNKNOWN")

    def test_busy(self) -> None:
        path = self.begin()
        self.ask("PATCH", path, 202, CONTENT[:4])
        session = self.do(self.registry.repository("a/b", lambda: None).uploads.open(path.rpartition("/")[2]))
        found = self.refuse("PATCH", path, 416, "RANGE_INVALID", CONTENT[4:])
        self.assertEqual((found.headers["range"], found.headers["location"]), ("0-3", BASE + path))
        self.do(session.discard())

    def test_cancel(self) -> None:
        path = self.begin()
        self.ask("PATCH", path, 202, CONTENT)
        self.assertEqual(self.ask("DELETE", path, 204).body, b"")
        self.refuse("DELETE", path, 404, "BLOB_UPLOAD_UNKNOWN")
        self.assert_none()


class MountTests(UploadsCase):
    def test_from(self) -> None:
        self.upload(CONTENT, "source")
        self.created(self.ask("POST", f"{UPLOADS}?mount={DIGEST}&from=source", 201))
        self.assert_none()

    def test_from_anywhere(self) -> None:
        self.upload(CONTENT, "z/source")
        self.created(self.ask("POST", f"{UPLOADS}?mount={DIGEST}", 201))

    def test_from_where_the_client_may_not_pull(self) -> None:
        self.upload(CONTENT, "secret")
        self.serve(access=Doorkeeper(("a/b", "pull"), ("a/b", "push")))
        for user in ({}, {"authorization": "somebody"}):
            self.ask("POST", f"{UPLOADS}?mount={DIGEST}", 202, **user)
        self.refuse("GET", f"/v2/a/b/blobs/{DIGEST}", 404, "BLOB_UNKNOWN")

    def test_from_what_is_named_where_the_client_may_not_pull(self) -> None:
        """A named source is no way around either."""
        self.upload(CONTENT, "secret")
        self.serve(access=Doorkeeper(("a/b", "pull"), ("a/b", "push")))
        for user in ({}, {"authorization": "somebody"}):
            self.ask("POST", f"{UPLOADS}?mount={DIGEST}&from=secret", 202, **user)
        self.refuse("GET", f"/v2/a/b/blobs/{DIGEST}", 404, "BLOB_UNKNOWN")

    def test_not_there(self) -> None:
        """The client uploads it, then."""
        for query in (
            f"?mount={DIGEST}&from=nowhere",
            f"?mount={DIGEST}",
            "?mount=nonsense",
            f"?mount={DIGEST}&from=A",
        ):
            self.begin(query)
