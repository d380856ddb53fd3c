"""The URLs that a registry gives out, behind proxies and by its configuration."""

from __future__ import annotations

from collections.abc import Mapping

from tests.integration.client import OCI_MANIFEST, ApiCase, digest_of, encode, random_bytes


class LocationCase(ApiCase):
    prefix = ""

    def locations(self, headers: Mapping[str, str] = {}) -> list[str]:
        """The Location of every kind of answer that has one, without what follows ``/v2/``; all pushes succeed."""
        content, repo = random_bytes(), self.repo
        base = f"{self.prefix}/v2/{repo}"
        found = []

        def send(method: str, url: str, body: bytes | None = None, **query: str) -> str:
            path = url[url.index("/v2/") :] if "://" in url else url.removeprefix(self.prefix)
            more = {**headers, "Content-Type": OCI_MANIFEST} if "/manifests/" in url else headers
            answer = self.client.request(method, self.prefix + path, body, more, query or None)
            self.assertIn(answer.status, (201, 202, 204), repr(answer))
            start, slash, rest = answer.location.partition("/v2/")
            self.assertTrue(rest.startswith(repo + "/"), repr(answer))
            found.append(start)
            return slash + rest

        session = send("POST", f"{base}/blobs/uploads/")
        session = send("PATCH", session, content)
        session = send("GET", session)
        send("PUT", session, digest=digest_of(content))
        send("POST", f"{base}/blobs/uploads/", content, digest=digest_of(content))
        send("POST", f"{base}/blobs/uploads/", mount=digest_of(content))
        manifest = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": []}
        manifest["config"] = {"mediaType": "application/x", "digest": digest_of(content), "size": len(content)}
        send("PUT", f"{base}/manifests/v1", encode(manifest))
        return found

    def assert_base(self, base: str, headers: Mapping[str, str] = {}) -> None:
        self.assertEqual(set(self.locations(headers)), {base}, headers)


class ByRequest(LocationCase):
    def test_host(self) -> None:
        self.assert_base(self.server.url)
        self.assert_base("http://reg.example.com", {"Host": "reg.example.com"})
        self.assert_base("http://reg.example.com:8080", {"Host": "reg.example.com:8080"})
        self.assert_base("http://[::1]:5000", {"Host": "[::1]:5000"})

    def test_forwarded(self) -> None:
        for value, base in (
            ("proto=https;host=reg.example.com", "https://reg.example.com"),
            ("for=192.0.2.1;Proto=https;Host=reg.example.com;by=x", "https://reg.example.com"),
            ('for="[2001:db8::1]:80"; host="reg.example.com:8443"; proto=https', "https://reg.example.com:8443"),
            ("proto=https;host=first.example.com, proto=http;host=second.example.com", "https://first.example.com"),
            ("proto=https", f"https://{self.server.address}"),
            ("host=reg.example.com", "http://reg.example.com"),
            ("for=192.0.2.1", self.server.url),
        ):
            with self.subTest(value):
                self.assert_base(base, {"Forwarded": value})

    def test_x_forwarded(self) -> None:
        for proto, host, base in (
            ("https", "reg.example.com", "https://reg.example.com"),
            ("https", None, f"https://{self.server.address}"),
            (None, "reg.example.com:5443", "http://reg.example.com:5443"),
            ("https, http", "first.example.com, second.example.com", "https://first.example.com"),
            ("https,http", "first.example.com,second", "https://first.example.com"),
        ):
            with self.subTest(proto=proto, host=host):
                named = {"X-Forwarded-Proto": proto, "X-Forwarded-Host": host}
                self.assert_base(base, {name: value for name, value in named.items() if value})

    def test_forwarded_goes_first(self) -> None:
        other = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "other.example.com"}
        self.assert_base("https://reg.example.com", {"Forwarded": "proto=https;host=reg.example.com", **other})

    def test_junk_is_harmless(self) -> None:
        for name in ("Forwarded", "X-Forwarded-Host", "X-Forwarded-Proto"):
            for value in (
                "",
                ",",
                ";;;",
                "=",
                'host="',
                "a b",
                "host=a b",
                "javascript",
                "\x7f",
                "host=é".encode().decode("latin-1"),
            ):
                with self.subTest(name, value=value):
                    answer = self.client.request("POST", f"/v2/{self.repo}/blobs/uploads/", headers={name: value})
                    self.assertIn(answer.status, (202, 400), repr(answer))
                    self.assertEqual(len(answer.headers.get_all("Location") or []), answer.status == 202)

    def test_links_are_paths(self) -> None:
        content = encode(self.client.image(self.repo))
        for tag in ("a", "b"):
            self.client.put_manifest(self.repo, tag, content)
        headers = {"Forwarded": "proto=https;host=reg.example.com", "Host": "x"}
        answer = self.client.get(f"/v2/{self.repo}/tags/list?n=1", headers)
        self.assertEqual(answer["Link"], f'</v2/{self.repo}/tags/list?last=a&n=1>; rel="next"')


class Relative(LocationCase):
    settings = {"http": {"relativeurls": True}}

    def test_paths(self) -> None:
        self.assert_base("")
        self.assert_base("", {"Forwarded": "proto=https;host=reg.example.com"})


class ByHost(LocationCase):
    settings = {"http": {"host": "https://reg.example.com:8443"}}

    def test_host_goes_first(self) -> None:
        self.assert_base("https://reg.example.com:8443")
        for headers in (
            {"Host": "other.example.com"},
            {"Forwarded": "proto=http;host=other.example.com"},
            {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "other.example.com"},
        ):
            self.assert_base("https://reg.example.com:8443", headers)


class ByHostWithPath(LocationCase):
    settings = {"http": {"host": "https://example.com/registry/"}}

    def test_path_is_kept(self) -> None:
        self.assert_base("https://example.com/registry")


class Prefixed(LocationCase):
    settings = {"http": {"prefix": "/some/registry/"}}
    prefix = "/some/registry"

    def test_locations(self) -> None:
        self.assert_base(self.server.url + self.prefix)
        self.assert_base("https://a.example.com" + self.prefix, {"Forwarded": "proto=https;host=a.example.com"})

    def test_base(self) -> None:
        self.assertEqual(self.assert_status(self.client.get(self.prefix + "/v2/"), 200).body, b"{}")
        answer = self.assert_status(self.client.get(self.prefix + "/v2"), 301)
        self.assertTrue(answer.location.endswith(self.prefix + "/v2/"), repr(answer))

    def test_nothing_without_it(self) -> None:
        for path in ("/v2/", "/v2/_catalog", f"/v2/{self.repo}/tags/list", "/some/v2/", "/some/registryv2/"):
            with self.subTest(path):
                self.assert_status(self.client.get(path), 404)

    def test_links(self) -> None:
        self.locations()
        for tag in ("a", "b"):
            content = self.client.get(f"{self.prefix}/v2/{self.repo}/manifests/v1").body
            self.client.request(
                "PUT", f"{self.prefix}/v2/{self.repo}/manifests/{tag}", content, {"Content-Type": OCI_MANIFEST}
            )
        url = f"{self.prefix}/v2/{self.repo}/tags/list"
        self.assertEqual(self.client.get(url + "?n=1")["Link"], f'<{url}?last=a&n=1>; rel="next"')
        self.assertEqual(self.client.get(f"{self.prefix}/v2/_catalog?n=1").status, 200)


class PrefixedRelative(LocationCase):
    settings = {"http": {"prefix": "/registry/", "relativeurls": True}}
    prefix = "/registry"

    def test_paths(self) -> None:
        self.assert_base("/registry")


class OwnHeaders(ApiCase):
    settings = {"http": {"headers": {"X-Content-Type-Options": ["nosniff"], "X-Two": ["a", "b"]}}}

    def test_on_every_answer(self) -> None:
        for method, path in (("GET", "/v2/"), ("GET", "/v2/x/tags/list"), ("GET", "/v2/nothing"), ("PUT", "/v2/")):
            with self.subTest(path, method=method):
                answer = self.client.request(method, path)
                self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
                self.assertEqual(answer.headers.get_all("X-Two"), ["a", "b"])
