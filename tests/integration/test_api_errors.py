"""What every answer has in common; bad names, methods and paths; requests that are no HTTP."""

from __future__ import annotations

import socket
from uuid import uuid4

from tests.integration.client import OCI_MANIFEST, TIMEOUT, ApiCase, digest_of, random_bytes

DIGEST = digest_of(b"nothing")
ROUTES = {
    "/v2/": "GET, HEAD",
    "/v2/_catalog": "GET, HEAD",
    "/v2/some/name/tags/list": "GET, HEAD",
    "/v2/some/name/manifests/v1": "DELETE, GET, HEAD, PUT",
    f"/v2/some/name/manifests/{DIGEST}": "DELETE, GET, HEAD, PUT",
    f"/v2/some/name/blobs/{DIGEST}": "DELETE, GET, HEAD",
    "/v2/some/name/blobs/uploads/": "POST",
    f"/v2/some/name/blobs/uploads/{uuid4()}": "DELETE, GET, HEAD, PATCH, PUT",
    f"/v2/some/name/referrers/{DIGEST}": "GET, HEAD",
}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND", "BREW")
BAD_NAMES = (
    "Upper",
    "a/Upper",
    "-a",
    "a-",
    ".a",
    "a.",
    "_a",
    "a_",
    "a..b",
    "a___b",
    "a._b",
    "a//b",
    "a/",
    "/a",
    "a/../b",
    "../a",
    "a/.",
    "a:b",
    "a@b",
    "a+b",
    "a~b",
    "a%20b",
    "a%00b",
    "a%0Ab",
    "a%0A",
    "%C3%A9",
    "%2e%2e",
    "..%2F..%2Fetc",
    "a%2F%2Fb",
    "a%5Cb",
    "a%252Fb",
    "_catalog",
    "a/_catalog",
    "_dregistry",
    "a" * 256,
    "a/" * 127 + "aa",
    "a/" * 2000 + "a",
)


class Errors(ApiCase):
    def test_base(self) -> None:
        answer = self.assert_status(self.client.get("/v2/"), 200)
        self.assertEqual(answer.body, b"{}")
        self.assertEqual(answer["Content-Type"], "application/json")
        self.assertEqual(answer["Content-Length"], "2")
        head = self.assert_status(self.client.head("/v2/"), 200)
        self.assertEqual((head.body, head["Content-Length"]), (b"", "2"))

    def test_base_without_slash(self) -> None:
        for method in ("GET", "HEAD"):
            answer = self.assert_status(self.client.request(method, "/v2"), 301)
            self.assertTrue(answer.location.endswith("/v2/"))

    def test_root(self) -> None:
        for method in ("GET", "HEAD"):
            answer = self.assert_status(self.client.request(method, "/"), 200)
            self.assertEqual(answer.body, b"")
            self.assertEqual(answer["Cache-Control"], "no-cache")

    def test_unknown_paths(self) -> None:
        for path in (
            "/v2/a",
            "/v2/a/b/c",
            "/v2/a/tags",
            "/v2/a/tags/",
            "/v2/a/tags/list/",
            "/v2/a/tags/other",
            "/v2/a/manifests",
            "/v2/a/manifests/",
            "/v2/a/blobs",
            "/v2/a/blobs/",
            "/v2/a/referrers/",
            "/v2/_catalog/",
            "/v2/_other",
            "/v2//",
            "/v1/",
            "/v3/",
            "/V2/",
            "/nothing",
            "/v2/%",
            "/%2e%2e/%2e%2e/etc/passwd",
            "/v2/" + "a" * 10000,
        ):
            for method in ("GET", "PUT", "DELETE"):
                with self.subTest(path, method=method):
                    answer = self.client.request(method, path)
                    self.assertIn(answer.status, (400, 404), repr(answer))

    def test_bad_names(self) -> None:
        content = b"{}"
        for name in BAD_NAMES:
            for method, rest in (
                ("GET", "tags/list"),
                ("GET", "manifests/v1"),
                ("PUT", "manifests/v1"),
                ("DELETE", f"manifests/{DIGEST}"),
                ("GET", f"blobs/{DIGEST}"),
                ("DELETE", f"blobs/{DIGEST}"),
                ("POST", "blobs/uploads/"),
                ("GET", f"blobs/uploads/{uuid4()}"),
                ("GET", f"referrers/{DIGEST}"),
            ):
                with self.subTest(name[:50], rest=rest, method=method):
                    body = content if method == "PUT" else None
                    answer = self.client.request(method, f"/v2/{name}/{rest}", body, {"Content-Type": OCI_MANIFEST})
                    self.assert_error(answer, 400, "NAME_INVALID")

    def test_empty_name(self) -> None:
        for path in ("/v2//tags/list", "/v2/tags/list", "/v2//manifests/v1"):
            self.assertIn(self.client.get(path).status, (400, 404))

    def test_escaped_slash_is_a_slash(self) -> None:
        image = self.client.push_manifest(self.repo, self.client.image(self.repo), "v1")
        escaped = self.repo.replace("/", "%2F")
        answer = self.assert_status(self.client.get(f"/v2/{escaped}/manifests/v1"), 200)
        self.assertEqual(answer["Docker-Content-Digest"], image["digest"])
        escaped = self.repo.replace("/", "%2f")
        self.assertEqual(self.client.get(f"/v2/{escaped}/tags/list").json()["name"], self.repo)

    def test_escaped_colon_of_a_digest(self) -> None:
        digest = self.client.push_blob(self.repo, b"content").replace(":", "%3A")
        self.assert_status(self.client.get(f"/v2/{self.repo}/blobs/{digest}"), 200)

    def test_wrong_methods(self) -> None:
        for path, allowed in ROUTES.items():
            for method in METHODS:
                if method in allowed.split(", "):
                    continue
                with self.subTest(path, method=method):
                    answer = self.assert_status(self.client.request(method, path), 405)
                    self.assertEqual(", ".join(sorted(answer["Allow"].replace(" ", "").split(","))), allowed)
                    if method != "HEAD":
                        self.assertEqual(answer.codes, ["UNSUPPORTED"])

    def test_options(self) -> None:
        for path, allowed in ROUTES.items():
            with self.subTest(path):
                answer = self.assert_status(self.client.request("OPTIONS", path), 200)
                named = set(answer["Allow"].replace(" ", "").split(",")) - {"OPTIONS"}
                self.assertEqual(", ".join(sorted(named)), allowed)

    def test_wrong_method_with_a_body(self) -> None:
        for path in ("/v2/", "/v2/_catalog", "/v2/some/name/tags/list"):
            with self.subTest(path):
                self.assert_error(self.client.request("PUT", path, random_bytes(100_000)), 405, "UNSUPPORTED")
                self.assert_error(self.client.request("POST", path, chunks=[b"a" * 1000] * 10), 405, "UNSUPPORTED")

    def test_requests_follow_each_other_on_one_connection(self) -> None:
        """Also after errors, and after bodies that nobody read."""
        with socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT) as connection:
            reader = connection.makefile("rb")
            for method, path, body, status in (
                ("GET", "/v2/", b"", b"200"),
                ("PUT", "/v2/", b"x" * 100, b"405"),
                ("PUT", "/v2/Bad/manifests/v1", b"x" * 100, b"400"),
                ("PATCH", f"/v2/a/blobs/uploads/{uuid4()}", b"x" * 100, b"404"),
                ("GET", "/v2/nothing", b"", b"404"),
                ("GET", "/v2/", b"", b"200"),
            ):
                head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(head.encode() + body)
                self.assertEqual(reader.readline().split()[1], status, path)
                length = 0
                while (line := reader.readline()) != b"\r\n":
                    name, _, value = line.partition(b":")
                    self.assertFalse(name.lower() == b"connection" and b"close" in value, path)
                    length = int(value) if name.lower() == b"content-length" else length
                reader.read(length)

    def test_methods_are_case_sensitive(self) -> None:
        # RFC 9110 §9.1. What decides about rights compares methods, too.
        self.client.push_manifest(self.repo, self.client.image(self.repo), "v1")
        url = f"/v2/{self.repo}/manifests/v1"
        for method, path in (("get", "/v2/"), ("delete", url), ("Delete", url), ("put", url), ("head", url)):
            with self.subTest(path, method=method):
                self.assertIn(self.client.request(method, path).status, (400, 405, 501))
        self.assert_status(self.client.get(url), 200)

    def test_undecodable_path(self) -> None:
        for path in ("/v2/%FF/tags/list", "/v2/a/manifests/%FF", "/%FF", "/v2/a/blobs/%C3%28"):
            with self.subTest(path):
                self.assertIn(self.client.get(path).status, (400, 404))

    def test_malformed_requests(self) -> None:
        put = b"PUT /v2/a/manifests/v1 HTTP/1.1\r\nHost: x\r\n"
        for request in (
            b"GARBAGE\r\n\r\n",
            b"GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: abc\r\n\r\n",
            put + b"Content-Length: -5\r\n\r\n",
            put + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
            put + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            put + b"Transfer-Encoding: gzip\r\n\r\n",
            put + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"GET /v2/ HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
            b"GET /v2/ HTTP/1.1\r\nHost: x\r\nLong: " + b"b" * 100_000 + b"\r\n\r\n",
            b"GET /v2/" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        ):
            with self.subTest(request[:100]):
                with socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT) as connection:
                    connection.sendall(request)
                    answer = connection.recv(65536)
                self.assertTrue(answer.startswith(b"HTTP/1.1 4") or answer.startswith(b"HTTP/1.1 501"), answer)
                self.assertIn(b"docker-distribution-api-version: registry/2.0", answer.lower())
                self.assertIn(b'{"errors":[{"code":', answer)
        self.assert_status(self.client.get("/v2/"), 200)

    def test_http_1_0(self) -> None:
        with socket.create_connection(("127.0.0.1", self.server.port), TIMEOUT) as connection:
            connection.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        self.assertIn(b" 200 ", answer.split(b"\r\n")[0])
        self.assertTrue(answer.endswith(b"\r\n\r\n{}"), answer)

    def test_errors_hide_the_place_of_the_data(self) -> None:
        for method, path in (
            ("GET", f"/v2/{self.repo}/manifests/v1"),
            ("DELETE", f"/v2/{self.repo}/manifests/v1"),
            ("GET", f"/v2/{self.repo}/blobs/{DIGEST}"),
            ("GET", f"/v2/{self.repo}/blobs/uploads/{uuid4()}"),
            ("GET", f"/v2/{self.repo}/tags/list"),
        ):
            with self.subTest(path, method=method):
                answer = self.assert_status(self.client.request(method, path), 404)
                self.assertNotIn(self.server.data.encode(), answer.body)
                self.assertNotIn(b"repositories/", answer.body)
