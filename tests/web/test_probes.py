"""What load balancers see of a registry that is well, ill, or shutting down."""

from __future__ import annotations

import json

from dregistry.health import REASON

from .app import AppCase, guarded

UNAVAILABLE = {"errors": [{"code": "UNAVAILABLE", "message": "service unavailable", "detail": REASON}]}


class ProbeTests(AppCase):
    def test_well(self) -> None:
        """To anybody."""
        self.serve(access=guarded())
        for path in ("/", "/livez", "/readyz"):
            for method in ("GET", "HEAD"):
                found = self.ask(method, path, 200)
                self.assertEqual((found.body, found.length, found.headers["cache-control"]), (b"", 0, "no-cache"))

    def test_ill(self) -> None:
        """distribution's answer to whatever it is, but that the process lives."""
        self.serve(access=guarded())
        self.api.health.update("storage", "gone")
        for method, path in (
            ("GET", "/"),
            ("GET", "/readyz"),
            ("GET", "/v2/"),
            ("GET", "/v2/a/tags/list"),
            ("PUT", "/v2/a/manifests/x"),
            ("GET", "/nowhere"),
        ):
            found = self.refuse(method, path, 503, "UNAVAILABLE")
            self.assertEqual(json.loads(found.body), UNAVAILABLE)
        self.assertEqual(self.ask("HEAD", "/v2/", 503).body, b"")
        self.ask("GET", "/livez", 200)
        self.api.health.update("storage", None)
        self.ask("GET", "/readyz", 200)
        self.ask("GET", "/v2/", 401)

    def test_an_upload_while_ill(self) -> None:
        self.api.health.update("storage", "gone")
        self.refuse("POST", "/v2/a/blobs/uploads/?digest=x", 503, "UNAVAILABLE", b"x" * 100_000)

    def test_draining(self) -> None:
        """What comes is still served; only that nothing more should come is said."""
        self.api.health.drain()
        found = self.refuse("GET", "/readyz", 503, "UNAVAILABLE")
        self.assertEqual(found.json["errors"][0]["detail"], "the registry is shutting down")
        self.ask("GET", "/livez", 200)
        self.ask("GET", "/v2/", 200)

    def test_prefix(self) -> None:
        """They do not stand below it."""
        from dregistry.web import Links

        self.serve(links=Links("/registry"))
        for path in ("/", "/livez", "/readyz", "/registry/v2/"):
            self.ask("GET", path, 200)
