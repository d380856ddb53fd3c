"""The app: routes, access, and what all answers have. By resource: ``test_app_*.py``."""

from __future__ import annotations

import json
import re

from dregistry.auth import Access
from dregistry.digest import Digest
from dregistry.registry import Settings
from dregistry.storage import StorageFull, StorageUnavailable
from dregistry.web import Links
from dregistry.web._app import ROUTES

from ..registry.faulty import FaultyDriver
from ..registry.support import CONFIG, image
from .app import AppCase, Doorkeeper, guarded

DIGEST = Digest.of(b"nothing")
UUID = "00000000-0000-0000-0000-000000000000"
REQUESTS = (
    ("GET", "/v2/_catalog", ["*"]),
    ("GET", "/v2/_dregistry/events", ["*"]),
    ("GET", "/v2/_dregistry/notifications", ["*"]),
    ("GET", "/v2/a/b/tags/list", ["pull"]),
    ("GET", "/v2/a/b/manifests/v1", ["pull"]),
    ("HEAD", "/v2/a/b/manifests/v1", ["pull"]),
    ("PUT", "/v2/a/b/manifests/v1", ["pull", "push"]),
    ("DELETE", "/v2/a/b/manifests/v1", ["delete"]),
    ("GET", f"/v2/a/b/referrers/{DIGEST}", ["pull"]),
    ("POST", "/v2/a/b/blobs/uploads/", ["pull", "push"]),
    ("POST", "/v2/a/b/blobs/uploads", ["pull", "push"]),
    ("GET", f"/v2/a/b/blobs/uploads/{UUID}", ["pull"]),
    ("PATCH", f"/v2/a/b/blobs/uploads/{UUID}", ["pull", "push"]),
    ("PUT", f"/v2/a/b/blobs/uploads/{UUID}", ["pull", "push"]),
    ("DELETE", f"/v2/a/b/blobs/uploads/{UUID}", ["delete"]),
    ("HEAD", f"/v2/a/b/blobs/{DIGEST}", ["pull"]),
    ("GET", f"/v2/a/b/blobs/{DIGEST}", ["pull"]),
    ("DELETE", f"/v2/a/b/blobs/{DIGEST}", ["delete"]),
)
"""Every route, and what it takes."""


class BaseTests(AppCase):
    def test_version(self) -> None:
        found = self.ask("GET", "/v2/", 200)
        self.assertEqual((found.body, found.headers["content-type"]), (b"{}", "application/json"))
        self.assertEqual(self.ask("HEAD", "/v2/", 200).body, b"")

    def test_alive(self) -> None:
        self.assertEqual(self.ask("GET", "/", 200).headers["cache-control"], "no-cache")

    def test_without_a_slash(self) -> None:
        self.assertEqual(self.ask("GET", "/v2", 301).headers["location"], "/v2/")

    def test_configured_headers(self) -> None:
        """``http.headers``, on refusals too."""
        self.serve(headers=[(b"X-A", b"1"), (b"X-A", b"2")])
        self.assertEqual(self.ask("GET", "/v2/", 200).headers["x-a"], "1,2")
        self.assertEqual(self.refuse("GET", "/v2/x", 404, "UNSUPPORTED").headers["x-a"], "1,2")

    def test_prefix(self) -> None:
        self.serve(links=Links("/some/prefix"))
        self.ask("GET", "/some/prefix/v2/", 200)
        found = self.ask("POST", "/some/prefix/v2/a/blobs/uploads/", 202)
        self.assertTrue(found.headers["location"].startswith("http://r.example/some/prefix/v2/a/blobs/uploads/"))
        self.refuse("GET", "/v2/", 404, "UNSUPPORTED")


class RoutingTests(AppCase):
    def test_no_route(self) -> None:
        for path in (
            "/v1/",
            "/v2/a",
            "/v2/a/b/c",
            "/v2/a/tags",
            "/v2/a/manifests/",
            "/v2/_catalog/",
            "/x",
            "/v2/a/blobs/",
        ):
            self.refuse("GET", path, 404, "UNSUPPORTED")

    def test_other_methods(self) -> None:
        for path, allow in (
            ("/v2/", {"GET", "HEAD"}),
            ("/v2/a/manifests/v1", {"GET", "HEAD", "PUT", "DELETE"}),
            ("/v2/a/blobs/uploads/", {"POST"}),
        ):
            found = self.refuse("PURGE", path, 405, "UNSUPPORTED")
            self.assertEqual(set(found.headers["allow"].split(", ")) - {"OPTIONS"}, allow)

    def test_options(self) -> None:
        found = self.ask("OPTIONS", "/v2/a/manifests/v1", 200)
        self.assertEqual(set(found.headers["allow"].split(", ")) - {"OPTIONS"}, {"GET", "HEAD", "PUT", "DELETE"})

    def test_names(self) -> None:
        """Slashes belong to names, escaped or not."""
        self.upload_image(name="a/b/c/manifests")
        for path in ("/v2/a/b/c/manifests/tags/list", "/v2/a%2Fb%2fc/manifests/tags/list"):
            self.assertEqual(self.ask("GET", path, 200).json["name"], "a/b/c/manifests")

    def test_invalid_names(self) -> None:
        for name in ("A", "a//b", "-a", "a/", "a/../b", "a%00", "%C3%A4", "a" * 256, "a/_uploads", "a%0A"):
            self.refuse("GET", f"/v2/{name}/tags/list", 400, "NAME_INVALID")

    def test_path_that_is_no_text(self) -> None:
        self.refuse("GET", "/v2/%FF/tags/list", 400, "UNSUPPORTED")

    def test_query_that_is_no_text(self) -> None:
        self.refuse("GET", "/v2/a/tags/list?last=%FF", 400, "UNSUPPORTED")


RESOURCES = {
    "/v2/_catalog": ("registry", "catalog"),
    "/v2/_dregistry/events": ("registry", "events"),
    "/v2/_dregistry/notifications": ("registry", "events"),
}


class AccessTests(AppCase):
    def test_nobody(self) -> None:
        """Every route asks, and nothing is done for those who may not."""
        keeper = Doorkeeper()
        self.serve(access=guarded(keeper=keeper))
        before = self.tree("/docker")
        for method, path, actions in REQUESTS:
            found = self.refuse(method, path, 401, "UNAUTHORIZED")
            self.assertEqual(found.headers["www-authenticate"], 'Basic realm="r"')
            resource = RESOURCES.get(path, ("repository", "a/b"))
            self.assertEqual(keeper.asked.pop(), [Access(*resource, action) for action in actions])
            if path == "/v2/_catalog":
                self.assertEqual(self.ask(method, path, 200, authorization="somebody").json, {"repositories": []})
            else:
                self.refuse(method, path, 403, "DENIED", authorization="somebody")
        self.assertEqual(self.tree("/docker"), before)

    def test_all_routes(self) -> None:
        """The requests above are of every route, and only what says that the server is there asks nobody."""
        keeper = Doorkeeper()
        self.serve(access=guarded(keeper=keeper))
        asked = {(method, re.sub("a/b|v1|sha256:[0-9a-f]+|[0-9a-f-]{36}", "*", path)) for method, path, _ in REQUESTS}
        known = {(method, re.sub("<[a-z:]+>", "*", route.rule)) for route in ROUTES for method in route.methods} - {
            ("GET", "/v2/")
        }
        self.assertEqual(known - asked, set())
        self.ask("GET", "/", 200)
        self.assertEqual(keeper.asked, [])

    def test_version(self) -> None:
        """``/v2/`` asks who it is, and for nothing: clients find out there how to log in."""
        keeper = Doorkeeper()
        self.serve(access=guarded(("a/b", "pull"), keeper=keeper))
        found = self.refuse("GET", "/v2/", 401, "UNAUTHORIZED")
        self.assertEqual(found.json["errors"][0]["detail"], None)
        self.ask("GET", "/v2/", 200, authorization="somebody")
        self.assertEqual(keeper.asked, [[], []])

    def test_identity(self) -> None:
        """Events know who it was, and how they asked."""
        self.serve(access=guarded(("a/b", "pull"), ("a/b", "push")), links=Links("/p", "https://h"))
        content = b"abc"
        self.ask(
            "POST", f"/p/v2/a/b/blobs/uploads/?digest={Digest.of(content)}", 201, content,
            authorization="alice", user_agent="docker/1",
        )  # fmt: skip
        [event] = self.heard.take()
        origin = event.origin
        self.assertEqual(
            (origin.actor, origin.address, origin.host, origin.method, origin.user_agent, origin.base_url),
            ("alice", "127.0.0.1:31337", "r.example", "POST", "docker/1", "https://h/p"),
        )
        self.assertEqual(len(origin.request_id), 36)

    def test_read_only(self) -> None:
        self.upload_image()
        self.serve(read_only=True)
        before = self.tree("/docker")
        for method, path, _ in REQUESTS:
            if method not in ("GET", "HEAD"):
                found = self.refuse(method, path, 405, "UNSUPPORTED")
                self.assertEqual((found.headers["allow"], found.headers["retry-after"]), ("GET, HEAD", "60"))
        self.ask("GET", "/v2/a/b/manifests/v1", 200)
        self.assertEqual(self.tree("/docker"), before)

    def test_deletion_is_disabled(self) -> None:
        digest = self.upload_image()
        self.serve(Settings())
        for path in ("manifests/v1", f"manifests/{digest}", f"blobs/{Digest.of(CONFIG)}"):
            found = self.refuse("DELETE", f"/v2/a/b/{path}", 405, "UNSUPPORTED")
            self.assertIn("GET", found.headers["allow"])
            self.assertNotIn("DELETE", found.headers["allow"])
        self.ask("GET", "/v2/a/b/manifests/v1", 200)


class StorageTests(AppCase):
    def test_unavailable(self) -> None:
        """503 without a word of the cause, which is for the log. To begin an upload needs no storage."""
        digest = self.upload_image()
        for error in (StorageFull("/a/path"), StorageUnavailable("/a/path")):
            driver = FaultyDriver(self.driver)
            self.serve(driver=driver)
            driver.fail(error, 0, for_good=True)
            for method, path, _ in REQUESTS:
                if "_dregistry" in path:
                    continue  # events are not in the storage
                if method == "POST":
                    self.ask(method, path, 202)
                body = image() if "manifests" in path else b""
                where = path.replace(str(DIGEST), str(digest))
                query = f"?digest={Digest.of(b'')}" if method in ("PUT", "POST") and "uploads" in path else ""
                found = self.refuse(method, where + query, 503, "UNAVAILABLE", body if method == "PUT" else None)
                self.assertNotIn(b"/a/path", found.body)

    def test_unexpected(self) -> None:
        driver = FaultyDriver(self.driver)
        self.serve(driver=driver)
        driver.fail(KeyError("a secret"), 0, for_good=True)  # type: ignore[arg-type]
        found = self.refuse("GET", "/v2/_catalog", 500, "UNKNOWN")
        self.assertNotIn(b"secret", found.body)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(self.api.in_flight.count, 0)

    def test_in_the_middle_of_an_answer(self) -> None:
        """What has begun as a success cannot end as one: the connection is broken off."""
        digest = self.upload(b"0123456789" * 300_000)
        driver = FaultyDriver(self.driver)
        self.serve(driver=driver)
        driver.fail(StorageUnavailable("gone"), 1, method="read")
        started = self.start("GET", f"/v2/a/b/blobs/{digest}", {}, None)
        for _ in range(9):
            self._treq.flush()
        response = self.successResultOf(started)
        self.assertEqual(response.code, 200)
        self.failureResultOf(response.content())
        self.flushLoggedErrors()

    def test_body_of_an_error(self) -> None:
        found = self.refuse("GET", "/v2/a/b/manifests/v1", 404, "MANIFEST_UNKNOWN")
        self.assertEqual(
            json.loads(found.body),
            {
                "errors": [
                    {
                        "code": "MANIFEST_UNKNOWN",
                        "message": "manifest unknown",
                        "detail": {"name": "a/b", "reference": "v1"},
                    }
                ]
            },
        )
        self.assertEqual(found.length, len(found.body))
