"""``/v2/<name>/blobs/uploads/`` (distribution-spec, end-4 to end-6, end-11 to end-14)."""

from __future__ import annotations

import json
from typing import Any

from dregistry.digest import Digest
from dregistry.registry.uploads import Ticket
from dregistry.storage import StorageFull, paths

from ..registry.faulty import FaultyDriver, Interrupted
from .app import BASE, Answer, AppCase, guarded

UPLOADS = "/v2/a/b/blobs/uploads/"
NOWHERE = UPLOADS + "00000000-0000-0000-0000-000000000000"
CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)
LARGE = b"0123456789" * 300_000
"""More than a request holds in memory."""
OCTET_STREAM = "application/octet-stream"
STATES = (
    "",
    "md5",
    "SHA256",
    "sha256%00",
    "sha256%20",
    "sha256,sha512",
    "x" * 2000,
    "%C3%BC",
    "..%2F..",
    "%0D%0AX-Y:%20z",
    "eyJOYW1lIjoiYSJ9",
)
"""None of which is an algorithm that is computed; the last is like distribution's."""


def closing(path: str, digest: Digest = DIGEST) -> str:
    """The target of the PUT that ends a session."""
    return f"{path}{'&' if '?' in path else '?'}digest={digest}"


def bare(path: str) -> str:
    """Without its query."""
    return path.partition("?")[0]


class UploadsCase(AppCase):
    def begin(self, query: str = "", begins: str = "sha256") -> str:
        """The path of a new session, of which nothing is in storage."""
        before = self.tree("/docker")
        path = self.session(self.ask("POST", UPLOADS + query, 202), 0, begins)
        self.assertEqual(self.tree("/docker"), before)
        return path

    def session(self, found: Answer, offset: int, begins: str | None = None) -> str:
        """What an answer about a session says: where, and how far; in the URL, how one of no bytes begins."""
        location = found.headers["location"].removeprefix(BASE)
        self.assertEqual(found.headers["range"], f"0-{max(offset - 1, 0)}")
        state = "" if begins is None else f"?_state={begins}"
        self.assertEqual(location, UPLOADS + found.headers["docker-upload-uuid"] + state)
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
        for method, at, content in (
            ("put_contents", 0, CONTENT),
            ("put_content", 0, LARGE),
            ("put_content", 1, LARGE),
            ("writer", 0, LARGE),
            ("writer.write", 0, LARGE),
            ("writer.commit", 0, LARGE),
        ):
            driver.fail(StorageFull("/x"), at, method=method)
            self.refuse("POST", f"{UPLOADS}?digest={Digest.of(content)}", 503, "UNAVAILABLE", content)
            self.assert_none()

    def test_put(self) -> None:
        """Nothing is in storage but the blob and its link."""
        path = self.begin()
        self.assertEqual(self.tree("/docker"), {})
        self.created(self.ask("PUT", closing(path), 201, CONTENT))
        self.assertEqual(
            self.tree("/docker"),
            {paths.blob_data(DIGEST): CONTENT, paths.layer_link("a/b", DIGEST): str(DIGEST).encode()},
        )
        self.refuse("GET", bare(path), 404, "BLOB_UPLOAD_UNKNOWN")
        self.session(self.ask("GET", path, 204), 0, "sha256")

    def test_put_of_much(self) -> None:
        path = self.begin()
        digest = Digest.of(LARGE)
        self.created(self.ask("PUT", closing(path, digest), 201, LARGE), digest, LARGE)
        self.assert_none()

    def test_put_by_sha512(self) -> None:
        digest = Digest.of(CONTENT, "sha512")
        for query, begins in (("", "sha256"), ("?digest-algorithm=sha512", "sha512")):
            path = self.begin(query, begins)
            self.created(self.ask("PUT", closing(path, digest), 201, CONTENT), digest)
        self.assert_none()

    def test_algorithm_that_is_not_computed(self) -> None:
        self.refuse("POST", UPLOADS + "?digest-algorithm=md5", 400, "DIGEST_INVALID")
        self.assert_none()

    def test_put_without_a_digest(self) -> None:
        path = self.begin()
        for query in ("", "&digest=", "&digest=nonsense"):
            self.refuse("PUT", path + query, 400, "DIGEST_INVALID", CONTENT)
        self.session(self.ask("GET", path, 204), 0, "sha256")

    def test_put_with_a_wrong_digest(self) -> None:
        for content in (b"else", LARGE):
            path = self.begin()
            self.refuse("PUT", closing(path), 400, "DIGEST_INVALID", content)
            self.refuse("PUT", closing(bare(path)), 404, "BLOB_UPLOAD_UNKNOWN", CONTENT)
            self.refuse("GET", f"/v2/a/b/blobs/{DIGEST}", 404, "BLOB_UNKNOWN")
            self.assert_none()


class ChunksTests(UploadsCase):
    def test_stream(self) -> None:
        path = self.begin()
        stored = self.session(self.ask("PATCH", path, 202, CONTENT[:4]), 4)
        self.assertEqual(stored, bare(path))
        self.assertEqual(self.session(self.ask("GET", stored, 204), 4), stored)
        self.assertEqual(self.ask("GET", path, 204).headers["range"], "0-3")
        self.session(self.ask("PATCH", stored, 202, CONTENT[4:], content_type=OCTET_STREAM), 10)
        self.created(self.ask("PUT", closing(stored), 201))
        self.refuse("GET", stored, 404, "BLOB_UPLOAD_UNKNOWN")
        self.assert_none()

    def test_stream_by_sha512(self) -> None:
        """What the client has announced at the start is hashed from the first byte on."""
        path = self.begin("?digest-algorithm=sha512", "sha512")
        stored = self.session(self.ask("PATCH", path, 202, CONTENT), 10)
        digest = Digest.of(CONTENT, "sha512")
        [progress] = [content for path, content in self.tree("/docker").items() if path.endswith("/progress")]
        self.assertEqual(json.loads(progress)["digests"], {"sha512": digest.hex})
        self.created(self.ask("PUT", closing(stored, digest), 201), digest)

    def test_patch_of_nothing(self) -> None:
        """Leaves nothing, and hands back what the client came with."""
        for query, begins in (("", "sha256"), ("?digest-algorithm=sha512", "sha512")):
            path = self.begin(query, begins)
            self.assertEqual(self.session(self.ask("PATCH", path, 202), 0, begins), path)
            self.assertEqual(self.tree("/docker"), {})

    def test_chunks(self) -> None:
        path = start = self.begin()
        for offset in (0, 4, 8):
            chunk = CONTENT[offset : offset + 4]
            end = offset + len(chunk) - 1
            path = self.session(self.ask("PATCH", path, 202, chunk, content_range=f"{offset}-{end}"), end + 1)
        self.created(self.ask("PUT", closing(path), 201))
        for offset in (0, 4, 8):  # a client that keeps to the first URL
            chunk = CONTENT[offset : offset + 4]
            self.session(self.ask("PATCH", start, 202, chunk), offset + len(chunk))
        self.created(self.ask("PUT", closing(start), 201))

    def test_last_chunk_in_put(self) -> None:
        path = self.session(self.ask("PATCH", self.begin(), 202, CONTENT[:4]), 4)
        self.created(self.ask("PUT", closing(path), 201, CONTENT[4:], content_range="4-9"))

    def test_out_of_order(self) -> None:
        """The answer says where to go on; what is there stays."""
        path = self.session(self.ask("PATCH", self.begin(), 202, CONTENT[:4]), 4)
        for method, query in (("PATCH", ""), ("PUT", f"?digest={DIGEST}")):
            for content_range in ("0-3", "5-8", "3-6", "junk", "9-5"):
                found = self.refuse(
                    method, path + query, 416, "RANGE_INVALID", CONTENT[:4], content_range=content_range
                )
                self.assertEqual(found.headers["range"], "0-3")
                self.assertEqual(found.headers["location"], BASE + path)
        self.session(self.ask("PATCH", path, 202, CONTENT[4:], content_range="4-9"), 10)

    def test_out_of_order_before_the_first_byte(self) -> None:
        path = self.begin()
        for method, target in (("PATCH", path), ("PUT", closing(path))):
            for content_range in ("5-8", "junk", "9-5"):
                found = self.refuse(method, target, 416, "RANGE_INVALID", CONTENT[:4], content_range=content_range)
                self.assertEqual((found.headers["range"], found.headers["location"]), ("0-0", BASE + path))
        self.assertEqual(self.tree("/docker"), {})
        self.created(self.ask("PUT", closing(path), 201, CONTENT, content_range="0-9"))

    def test_sizes(self) -> None:
        """A chunk that is longer or shorter than it says."""
        path = self.begin()
        for chunk in (CONTENT, CONTENT[:3]):
            self.refuse("PATCH", path, 400, "SIZE_INVALID", chunk, content_range="0-3")
        self.session(self.ask("GET", path, 204), 0, "sha256")

    def test_other_type(self) -> None:
        path = self.begin()
        self.refuse("PATCH", path, 400, "UNSUPPORTED", CONTENT, content_type="application/json")
        self.session(self.ask("PATCH", path, 202, CONTENT, content_type="Application/Octet-Stream; a=b"), 10)

    def test_unknown(self) -> None:
        for path in (NOWHERE, UPLOADS + "nonsense"):
            for method in ("GET", "PATCH", "DELETE"):
                self.refuse(method, path, 404, "BLOB_UPLOAD_UNKNOWN")
            self.refuse("PUT", closing(path), 404, "BLOB_UPLOAD_UNKNOWN")

    def test_state_that_no_registry_gives(self) -> None:
        """Of a session with bytes or without: there is no such one."""
        fresh, stored = bare(self.begin()), self.session(self.ask("PATCH", self.begin(), 202, CONTENT[:4]), 4)
        before = self.tree("/docker")
        for state in STATES:
            for path in (f"{fresh}?_state={state}", f"{stored}?_state={state}"):
                for method in ("GET", "HEAD", "PATCH", "DELETE"):
                    self.refuse(method, path, 404, "BLOB_UPLOAD_UNKNOWN")
                self.refuse("PUT", closing(path), 404, "BLOB_UPLOAD_UNKNOWN", CONTENT)
        for method in ("GET", "PATCH", "DELETE"):
            self.refuse(method, f"{fresh}?_state=%FF", 400, "UNSUPPORTED")
        self.assertEqual(self.tree("/docker"), before)

    def test_busy(self) -> None:
        path = self.session(self.ask("PATCH", self.begin(), 202, CONTENT[:4]), 4)
        session = self.do(self.registry.repository("a/b", lambda: None).uploads.open(Ticket(path.rpartition("/")[2])))
        for method, target in (("PATCH", path), ("PUT", closing(path))):
            found = self.refuse(method, target, 416, "RANGE_INVALID", CONTENT[4:])
            self.assertEqual((found.headers["range"], found.headers["location"]), ("0-3", BASE + path))
        self.do(session.discard())

    def test_two_first_requests(self) -> None:
        """While one comes another begins the session: the answer says where to go on, as above."""
        for content in (CONTENT, LARGE):
            driver = Interrupted(self.driver, "writer")
            self.serve(driver=driver)
            path = self.begin()
            uuid = path.partition("?")[0].rpartition("/")[2]

            async def begin_it(uuid: str = uuid) -> None:
                async with await self.registry.repository("a/b", lambda: None).uploads.open(
                    Ticket(uuid, "sha256")
                ) as session:
                    await session.append(CONTENT[:4])

            def interrupt(driver: Interrupted = driver, begin_it: Any = begin_it) -> None:
                driver.at = ""
                self.do(begin_it())

            driver.interrupt = interrupt
            target = closing(path, Digest.of(content)) if content is LARGE else path
            found = self.refuse("PATCH" if target is path else "PUT", target, 416, "RANGE_INVALID", content)
            self.assertEqual(found.headers["range"], "0-3")
            self.assertEqual(bare(found.headers["location"]), BASE + bare(path))
            found = self.ask("GET", found.headers["location"].removeprefix(BASE), 204)
            self.assertEqual(found.headers["range"], "0-3")
            self.created(self.ask("PUT", closing(bare(path)), 201, CONTENT[4:]))

    def test_cancel(self) -> None:
        path = self.session(self.ask("PATCH", self.begin(), 202, CONTENT), 10)
        self.assertEqual(self.ask("DELETE", path, 204).body, b"")
        self.refuse("DELETE", path, 404, "BLOB_UPLOAD_UNKNOWN")
        self.assert_none()

    def test_cancel_before_the_first_byte(self) -> None:
        path = self.begin()
        self.assertEqual(self.ask("DELETE", path, 204).body, b"")
        for each in (path, bare(path)):
            for method in ("GET", "PATCH", "DELETE"):
                self.refuse(method, each, 404, "BLOB_UPLOAD_UNKNOWN")
            self.refuse("PUT", closing(each), 404, "BLOB_UPLOAD_UNKNOWN", CONTENT)
        self.refuse("GET", f"/v2/a/b/blobs/{DIGEST}", 404, "BLOB_UNKNOWN")


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
        self.serve(access=guarded(("a/b", "pull"), ("a/b", "push")))
        for user in ({}, {"authorization": "somebody"}):
            self.ask("POST", f"{UPLOADS}?mount={DIGEST}", 202, **user)
        self.refuse("GET", f"/v2/a/b/blobs/{DIGEST}", 404, "BLOB_UNKNOWN")

    def test_from_what_is_named_where_the_client_may_not_pull(self) -> None:
        """A named source is no way around either."""
        self.upload(CONTENT, "secret")
        self.serve(access=guarded(("a/b", "pull"), ("a/b", "push")))
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
