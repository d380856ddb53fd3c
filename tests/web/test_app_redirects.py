"""Blobs to which clients are sent elsewhere."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from dregistry.digest import Digest
from dregistry.registry import Settings
from dregistry.storage import IRedirecting, StorageUnavailable, paths
from dregistry.storage.memory import MemoryDriver

from .app import AppCase

CONTENT = b"0123456789"
DIGEST = Digest.of(CONTENT)
PATH = f"/v2/a/b/blobs/{DIGEST}"
URL = "http://elsewhere.example/x?signature=y%2F"


@implementer(IRedirecting)
class Sending(MemoryDriver):
    """
    :ivar answer: where it sends clients, or an error.
    :ivar asked: for what it was asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answer: Any = URL
        self.asked: list[tuple[str, str, str]] = []

    async def redirect_url(self, path: str, method: str, client: str) -> str | None:
        self.asked.append((path, method, client))
        if isinstance(self.answer, Exception):
            raise self.answer
        found: str | None = self.answer
        return found


class RedirectTests(AppCase):
    def setUp(self) -> None:
        super().setUp()
        self.driver = self.sending = Sending()
        self.serve()
        self.upload(CONTENT)
        self.heard.take()

    def test_redirect(self) -> None:
        for method in ("GET", "HEAD"):
            found = self.ask(method, PATH, 307)
            self.assertEqual((found.body, found.length), (b"", 0))
            self.assertEqual(found.headers["location"], URL)
            self.assertEqual(found.headers["docker-content-digest"], str(DIGEST))
            for name in ("etag", "cache-control", "accept-ranges", "content-range", "content-type"):
                self.assertNotIn(name, found.headers)
        path = paths.blob_data(DIGEST)
        asked = [(path, method) for path, method, _ in self.sending.asked]
        self.assertEqual(asked, [(path, "GET"), (path, "HEAD")])
        self.assertTrue(all(client for _, _, client in self.sending.asked))

    def test_preconditions_and_ranges_are_for_the_other_server(self) -> None:
        """RFC 9110, section 13.2.1: they count where the answer would be a success without them."""
        for headers in (
            {"if_none_match": f'"{DIGEST}"'},
            {"if_match": '"other"'},
            {"range": "bytes=0-1"},
            {"range": "bytes=99-"},
        ):
            found = self.ask("GET", PATH, 307, **headers)
            self.assertEqual(found.headers["location"], URL)

    def test_events(self) -> None:
        """It counts as a pull, as in distribution."""
        for method in ("GET", "HEAD"):
            self.ask(method, PATH, 307)
        heard = [(event.action, event.size, event.digest) for event in self.heard.take()]
        self.assertEqual(heard, [("pull", 10, DIGEST)] * 2)

    def test_unknown(self) -> None:
        """Nobody is sent away for what is not there, or is not this repository's."""
        for method in ("GET", "HEAD"):
            self.refuse(method, f"/v2/a/b/blobs/{Digest.of(b'no')}", 404, "BLOB_UNKNOWN")
            self.refuse(method, f"/v2/other/blobs/{DIGEST}", 404, "BLOB_UNKNOWN")
            self.refuse(method, "/v2/a/b/blobs/nonsense", 400, "DIGEST_INVALID")
        self.put(paths.layer_link("a/b", Digest.of(b"gone")), Digest.of(b"gone"))
        self.refuse("GET", f"/v2/a/b/blobs/{Digest.of(b'gone')}", 404, "BLOB_UNKNOWN")
        self.assertEqual(self.sending.asked, [])

    def test_after_deletion(self) -> None:
        self.ask("GET", PATH, 307)
        self.ask("DELETE", PATH, 202)
        self.refuse("GET", PATH, 404, "BLOB_UNKNOWN")

    def test_no_url(self) -> None:
        """Then it is served here, and is one pull."""
        self.sending.answer = None
        self.assertEqual(self.ask("GET", PATH, 200).body, CONTENT)
        self.assertEqual(self.ask("HEAD", PATH, 200).length, 10)
        self.assertEqual(len(self.heard.take()), 2)

    def test_disabled(self) -> None:
        self.serve(Settings(delete_enabled=True, redirect=False))
        self.assertEqual(self.ask("GET", PATH, 200).body, CONTENT)
        self.assertEqual(self.ask("HEAD", PATH, 200).length, 10)
        self.assertEqual(self.sending.asked, [])

    def test_storage_fails(self) -> None:
        self.sending.answer = StorageUnavailable("no keys")
        self.refuse("GET", PATH, 503, "UNAVAILABLE")

    def test_manifests_stay(self) -> None:
        self.upload_image()
        self.ask("GET", "/v2/a/b/manifests/v1", 200)
        self.assertEqual(self.sending.asked, [])
