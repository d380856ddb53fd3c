"""``/v2/<name>/blobs/<digest>`` (distribution-spec, end-2 and end-10)."""

from __future__ import annotations

from dregistry.digest import Digest

from .app import AppCase

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)
PATH = f"/v2/a/b/blobs/{DIGEST}"
LARGE = CONTENT * 300_000
"""Sent in pieces."""


class ReadingTests(AppCase):
    def setUp(self) -> None:
        super().setUp()
        self.upload(CONTENT)
        self.heard.take()

    def test_get(self) -> None:
        found = self.ask("GET", PATH, 200)
        self.assertEqual((found.body, found.length), (CONTENT, 10))
        for name, value in (
            ("content-type", "application/octet-stream"),
            ("docker-content-digest", str(DIGEST)),
            ("etag", f'"{DIGEST}"'),
            ("cache-control", "max-age=31536000"),
            ("accept-ranges", "bytes"),
        ):
            self.assertEqual(found.headers[name], value)

    def test_head(self) -> None:
        found = self.ask("HEAD", PATH, 200)
        full = self.ask("GET", PATH, 200)
        self.assertEqual((found.body, found.length), (b"", 10))
        self.assertEqual(
            {name: value for name, value in found.headers.items() if name != "date"},
            {name: value for name, value in full.headers.items() if name != "date"},
        )

    def test_large(self) -> None:
        digest = self.upload(LARGE)
        found = self.ask("GET", f"/v2/a/b/blobs/{digest}", 200)
        self.assertEqual((found.body, found.length), (LARGE, len(LARGE)))
        found = self.ask("GET", f"/v2/a/b/blobs/{digest}", 206, range="bytes=1000000-2500000")
        self.assertEqual(found.body, LARGE[1_000_000:2_500_001])

    def test_empty(self) -> None:
        digest = self.upload(b"")
        for method in ("GET", "HEAD"):
            found = self.ask(method, f"/v2/a/b/blobs/{digest}", 200)
            self.assertEqual((found.body, found.length), (b"", 0))

    def test_unknown(self) -> None:
        for method in ("GET", "HEAD"):
            self.refuse(method, f"/v2/a/b/blobs/{Digest.of(b'no')}", 404, "BLOB_UNKNOWN")
            self.refuse(method, f"/v2/other/blobs/{DIGEST}", 404, "BLOB_UNKNOWN")
            for digest in ("nonsense", "sha256:1", "md5:" + "0" * 32, f"sha256:{DIGEST.hex.upper()}"):
                self.refuse(method, f"/v2/a/b/blobs/{digest}", 400, "DIGEST_INVALID")

    def test_part(self) -> None:
        for header, part, content_range in (
            ("bytes=0-3", b"0123", "bytes 0-3/10"),
            ("bytes=7-", b"789", "bytes 7-9/10"),
            ("bytes=-2", b"89", "bytes 8-9/10"),
            ("bytes=8-99", b"89", "bytes 8-9/10"),
        ):
            found = self.ask("GET", PATH, 206, range=header)
            self.assertEqual((found.body, found.length), (part, len(part)))
            self.assertEqual(found.headers["content-range"], content_range)

    def test_all_in_spite_of_a_range(self) -> None:
        for header in ("bytes=0-1,4-5", "lines=0-1"):
            found = self.ask("GET", PATH, 200, range=header)
            self.assertEqual(found.body, CONTENT)
            self.assertNotIn("content-range", found.headers)

    def test_no_part(self) -> None:
        for header in ("bytes=10-", "bytes=x", "bytes=5-4"):
            found = self.refuse("GET", PATH, 416, "RANGE_INVALID", range=header)
            self.assertEqual(found.headers["content-range"], "bytes */10")
            self.assertNotIn("etag", found.headers)
            self.assertNotIn("cache-control", found.headers)

    def test_if_range(self) -> None:
        self.assertEqual(self.ask("GET", PATH, 206, range="bytes=0-0", if_range=f'"{DIGEST}"').body, b"0")
        self.assertEqual(self.ask("GET", PATH, 200, range="bytes=0-0", if_range='"other"').body, CONTENT)

    def test_preconditions(self) -> None:
        for method in ("GET", "HEAD"):
            found = self.ask(method, PATH, 304, if_none_match=f'"{DIGEST}"')
            self.assertEqual((found.body, found.headers["etag"]), (b"", f'"{DIGEST}"'))
            self.ask(method, PATH, 200, if_none_match='"other"')
            self.ask(method, PATH, 200, if_match=f'"{DIGEST}"')
            self.refuse(method, PATH, 412, "DENIED", if_match='"other"')

    def test_events(self) -> None:
        for method in ("GET", "HEAD"):
            self.ask(method, PATH, 200)
        self.ask("GET", PATH, 206, range="bytes=0-0")
        self.assertEqual([(event.action, event.size) for event in self.heard.take()], [("pull", 10)] * 3)
        self.ask("GET", PATH, 304, if_none_match="*")
        self.refuse("GET", PATH, 416, "RANGE_INVALID", range="bytes=99-")
        self.assertEqual([(event.action, event.size) for event in self.heard.take()], [("pull", 10)] * 2)

    def test_events_of_gets_alone(self) -> None:
        """``pullon: get`` means answers that have content."""
        self.serve(only_get_pulls=True)
        self.ask("HEAD", PATH, 200)
        self.ask("GET", PATH, 304, if_none_match="*")
        self.refuse("GET", PATH, 416, "RANGE_INVALID", range="bytes=99-")
        self.assertEqual(self.heard.take(), [])
        self.ask("GET", PATH, 200)
        self.ask("GET", PATH, 206, range="bytes=0-0")
        self.assertEqual([(event.action, event.kind) for event in self.heard.take()], [("pull", "blob")] * 2)


class DeletingTests(AppCase):
    def test_delete(self) -> None:
        self.upload(CONTENT)
        found = self.ask("DELETE", PATH, 202)
        self.assertEqual((found.body, found.length), (b"", 0))
        self.refuse("GET", PATH, 404, "BLOB_UNKNOWN")
        self.refuse("DELETE", PATH, 404, "BLOB_UNKNOWN")
        self.refuse("DELETE", "/v2/a/b/blobs/nonsense", 400, "DIGEST_INVALID")
