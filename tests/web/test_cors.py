"""Tests of :mod:`dregistry.web._cors`: what browsers ask on behalf of web pages."""

from __future__ import annotations

from dregistry.web import Cors

from .app import AppCase, guarded

UI = "https://ui.example.com"
OTHER = "https://evil.example"


class PreflightTests(AppCase):
    def test_with_access_control(self) -> None:
        """Browsers send no credential along."""
        self.serve(access=guarded(), cors=Cors((UI,)))
        for path in ("/v2/", "/v2/_catalog", "/v2/a/manifests/v1", "/v2/a/b/tags/list", "/v2/a/blobs/sha256:x"):
            found = self.ask(
                "OPTIONS",
                path,
                200,
                Origin=UI,
                Access_Control_Request_Method="DELETE",
                Access_Control_Request_Headers="authorization",
            )
            self.assertEqual(found.headers["access-control-allow-origin"], UI)
            self.assertIn("DELETE", found.headers["access-control-allow-methods"].split(", "))
            self.assertIn("Authorization", found.headers["access-control-allow-headers"].split(", "))
            self.assertNotIn("access-control-allow-credentials", found.headers)
            self.assertEqual((found.headers["vary"], found.length), ("Origin", 0))

    def test_others(self) -> None:
        self.serve(cors=Cors((UI,)))
        for headers in ({}, {"Origin": OTHER}, {"Origin": UI + "/"}, {"Origin": "null"}):
            found = self.ask("OPTIONS", "/v2/", 200, **headers)
            self.assertEqual([name for name in found.headers if name.startswith("access-control")], [])
            self.assertEqual(found.headers["vary"], "Origin")

    def test_by_headers(self) -> None:
        """As it is done with distribution."""
        self.serve(access=guarded(), headers=[(b"Access-Control-Allow-Origin", b"*")])
        for method, status in (("OPTIONS", 200), ("GET", 401)):
            self.assertEqual(self.ask(method, "/v2/", status, Origin=UI).headers["access-control-allow-origin"], "*")


class AnswerTests(AppCase):
    def test_exposed(self) -> None:
        """What a page needs to know: digests, and where the next page of a list is."""
        self.serve(cors=Cors((UI, "https://other.example")))
        self.upload_image("v1")
        found = self.ask("GET", "/v2/a/b/manifests/v1", 200, Origin=UI)
        self.assertEqual(found.headers["access-control-allow-origin"], UI)
        exposed = found.headers["access-control-expose-headers"].split(", ")
        for name in ("Docker-Content-Digest", "Link", "WWW-Authenticate"):
            self.assertIn(name, exposed)

    def test_on_errors(self) -> None:
        """Or pages could not tell why."""
        self.serve(access=guarded(("a", "pull")), cors=Cors((UI,)))
        for path, status in (("/v2/", 401), ("/v2/a/manifests/v1", 404), ("/v2/A/tags/list", 400), ("/x", 404)):
            self.assertEqual(self.ask("GET", path, status, Origin=UI).headers["access-control-allow-origin"], UI)

    def test_everybody(self) -> None:
        self.serve(cors=Cors(("*",)))
        found = self.ask("GET", "/v2/", 200, Origin=OTHER)
        self.assertEqual(found.headers["access-control-allow-origin"], "*")
        self.assertNotIn("vary", found.headers)

    def test_credentials(self) -> None:
        self.serve(cors=Cors((UI,), credentials=True))
        self.assertEqual(self.ask("GET", "/v2/", 200, Origin=UI).headers["access-control-allow-credentials"], "true")
        self.assertNotIn("access-control-allow-credentials", self.ask("GET", "/v2/", 200, Origin=OTHER).headers)

    def test_without(self) -> None:
        found = self.ask("GET", "/v2/", 200, Origin=UI)
        self.assertEqual([name for name in found.headers if name.startswith(("access-control", "vary"))], [])
