"""Tests of :mod:`dregistry.web._auditlog`: through the app, what is written of which request."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from dregistry.digest import Digest
from dregistry.registry import Settings
from dregistry.storage import StorageUnavailable
from dregistry.web import AuditLog

from ..registry.faulty import FaultyDriver
from ..registry.support import CONFIG, image
from .app import AppCase, guarded

NOW = 1795528800.0
CONTENT = b"some content"
DIGEST = Digest.of(CONTENT)


class AuditCase(AppCase):
    def setUp(self) -> None:
        super().setUp()
        self.lines: list[str] = []
        self.serve_audited()

    def serve_audited(self, **options: Any) -> None:
        audit = AuditLog(self.lines.append, lambda: NOW, {"service": "r"})
        self.serve(Settings(delete_enabled=True), audit=audit, **options)

    def told(self, **expected: Any) -> dict[str, Any]:
        """The one line that was written, which has at least these members."""
        [line] = self.lines
        self.lines.clear()
        found: dict[str, Any] = json.loads(line)
        self.assertEqual({name: found.get(name) for name in expected}, expected, found)
        return found


class DoneTests(AuditCase):
    def test_whole(self) -> None:
        """All that there is of one."""
        self.ask("POST", f"/v2/a/b/blobs/uploads/?digest={DIGEST}", 201, CONTENT, X_Request_Id="r1", User_Agent="c/1")
        self.assertEqual(
            self.told(),
            {
                "service": "r",
                "time": "2026-11-24T14:00:00.000000Z",
                "action": "push",
                "kind": "blob",
                "repository": "a/b",
                "digest": str(DIGEST),
                "outcome": "done",
                "status": 201,
                "client": "127.0.0.1",
                "request": "r1",
                "useragent": "c/1",
            },
        )

    def test_upload(self) -> None:
        """One line, at its end."""
        location = self.ask("POST", "/v2/a/blobs/uploads/", 202).headers["location"]
        target = urlsplit(location)
        path = f"{target.path}?{target.query}"
        self.ask("PATCH", path, 202, CONTENT, content_type="application/octet-stream")
        self.assertEqual(self.lines, [])
        self.ask("PUT", f"{path}&digest={DIGEST}", 201)
        self.assertNotIn("_state", self.lines[0])
        self.told(action="push", kind="blob", digest=str(DIGEST), upload=target.path.rpartition("/")[2])

    def test_cancel(self) -> None:
        target = urlsplit(self.ask("POST", "/v2/a/blobs/uploads/", 202).headers["location"])
        self.ask("DELETE", f"{target.path}?{target.query}", 204)
        self.told(action="cancel", kind="upload", status=204, upload=target.path.rpartition("/")[2])

    def test_mount(self) -> None:
        self.upload(CONTENT, "source")
        self.lines.clear()
        self.ask("POST", f"/v2/target/blobs/uploads/?mount={DIGEST}&from=source", 201)
        self.told(action="mount", kind="blob", repository="target", digest=str(DIGEST), **{"from": "source"})
        self.ask("POST", f"/v2/target/blobs/uploads/?mount={Digest.of(b'x')}&from=source", 202)
        self.assertEqual(self.lines, [])

    def test_manifests(self) -> None:
        digest = self.upload_image("v1")
        self.lines.clear()
        self.ask("PUT", "/v2/a/b/manifests/v2", 201, image())
        self.told(action="push", kind="manifest", tag="v2", digest=str(digest), outcome="done")
        self.ask("PUT", f"/v2/a/b/manifests/{digest}?tag=v3&tag=v4", 201, image())
        self.told(action="push", kind="manifest", tag=None, tags=["v3", "v4"], digest=str(digest))
        self.ask("DELETE", "/v2/a/b/manifests/v1", 202)
        self.told(action="delete", kind="tag", tag="v1", digest=None)
        self.ask("DELETE", f"/v2/a/b/manifests/{digest}", 202)
        self.told(action="delete", kind="manifest", tag=None, digest=str(digest))
        self.ask("DELETE", f"/v2/a/b/blobs/{Digest.of(CONFIG)}", 202)
        self.told(action="delete", kind="blob", digest=str(Digest.of(CONFIG)))

    def test_reading(self) -> None:
        self.upload_image("v1")
        self.lines.clear()
        self.ask("GET", "/v2/a/b/manifests/v1", 200)
        self.ask("GET", "/v2/a/b/manifests/v2", 404)
        self.ask("OPTIONS", "/v2/a/b/manifests/v1", 200)
        self.assertEqual(self.lines, [])


class RefusedTests(AuditCase):
    def test_unauthorized(self) -> None:
        """Who it is not, nobody can tell."""
        self.serve_audited(access=guarded())
        self.ask("DELETE", "/v2/a/manifests/v1", 401)
        self.told(
            action="delete", kind="tag", tag="v1", outcome="refused", status=401, error="UNAUTHORIZED", actor=None
        )

    def test_denied(self) -> None:
        self.serve_audited(access=guarded())
        self.ask("PUT", "/v2/a/manifests/v1", 403, image(), Authorization="mallory x")
        self.told(action="push", outcome="refused", status=403, error="DENIED", actor="mallory")

    def test_allowed(self) -> None:
        self.serve_audited(access=guarded(("a", "pull"), ("a", "push")))
        self.ask("POST", f"/v2/a/blobs/uploads/?digest={DIGEST}", 201, CONTENT, Authorization="alice x")
        self.told(action="push", outcome="done", actor="alice")

    def test_read_only(self) -> None:
        self.serve_audited(read_only=True)
        self.ask("POST", "/v2/a/blobs/uploads/", 405)
        self.told(action="push", kind="upload", outcome="refused", status=405, error="UNSUPPORTED")

    def test_wrong(self) -> None:
        for method, path, status, code in (
            ("PUT", "/v2/A/manifests/v1", 400, "NAME_INVALID"),
            ("PUT", "/v2/a/manifests/v1", 400, "MANIFEST_INVALID"),
            ("POST", "/v2/a/blobs/uploads/?digest=%FF", 400, "UNSUPPORTED"),
            ("DELETE", f"/v2/a/blobs/{DIGEST}", 404, "BLOB_UNKNOWN"),
        ):
            self.refuse(method, path, status, code, b"{}")
            self.told(outcome="refused", status=status, error=code)

    def test_failed(self) -> None:
        """The reason is for the log of errors."""
        driver = FaultyDriver(self.driver)
        self.serve(driver=driver, audit=AuditLog(self.lines.append, lambda: NOW))
        driver.fail(StorageUnavailable("/a/path"), 0, for_good=True)
        self.ask("POST", f"/v2/a/blobs/uploads/?digest={DIGEST}", 503, CONTENT)
        self.assertNotIn("/a/path", self.lines[0])
        self.told(outcome="failed", status=503, error="UNAVAILABLE")
