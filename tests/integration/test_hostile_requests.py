"""Well-formed messages with strange contents: targets, queries, headers; and the order of answers on a connection."""

from __future__ import annotations

from .raw import ABSENT, PATIENCE, Answer, Peer, ServedTestCase, closing, image, path_of, request, sha256

BLOB = b"0123456789"
JUNK = (
    "",
    ",",
    '"',
    "*",
    "W/",
    'W/"' + "x" * 4000,
    ",".join(["a/b;q=0.5"] * 1500),
    ",".join(['"x"'] * 3000),
    ";" * 8000,
    "=" * 8000,
    "\xff\xfe",
    "\u00e9" * 50,
    "{line}%s%n{0}",
    "-" * 8000,
    "bytes=" + "0-0," * 3000,
    "bytes=" + "9" * 5000 + "-",
    "bytes=-" + "9" * 5000,
    "bytes=18446744073709551615-18446744073709551616",
    "bytes=5-2",
    "bytes=-0",
    "bytes=a-b",
    "bytes 0-4/*",
    "\u00b2-\u00b3",
    'for=";host="x";proto="y',
    'host="' * 2000,
    "proto=javascript;host=a b",
    "http, https,,,",
    "a/b;charset=\xff;" + "p=" * 3000,
    "multipart/form-data; boundary=x",
    "application/x-www-form-urlencoded",
)
FIELDS = (
    "accept",
    "authorization",
    "connection",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "forwarded",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "range",
    "te",
    "upgrade",
    "user-agent",
    "x-forwarded-host",
    "x-forwarded-proto",
)
NUMBERS = (
    *("", "0", "-1", "+1", "%201", "1e9", "1000000000", "9" * 19, "9" * 22, "9" * 5000, "0x1", "1_0", "%D9%A1"),
    *("%00", "%ff", "nan", "1.5", "1&n=2", "-0", "true", "%F0%9F%92%A9"),
)
TEXTS = (
    *("", "%00", "%ff", "%ED%A0%80", "%C0%AF", "..%2f..%2f..", "%2fetc%2fpasswd", "a" * 9000, "%0d%0aX:%20y", "{}"),
    *("%F4%8F%BF%BF", "x&last=y&last=%ff", "sha256:" + "0" * 64, "sha256:" + "0" * 63, "sha512:" + "0" * 64, "~"),
    *("md5:" + "0" * 32, "sha256:" + "%00" * 64, "sha256:" + "G" * 64, ":", "sha256:", ABSENT + "%0a"),
)
PATHS = (
    *("/v2/%00/tags/list", "/v2/%ff/tags/list", "/v2/%2e%2e%2f%2e%2e%2fetc/tags/list", "/v2/a%2Fb/tags/list"),
    *("/v2/%C0%AE%C0%AE/x", "/v2/%ED%A0%80/tags/list", "/v2/../../etc/passwd", "/v2//tags/list", "//v2/", "/v2//"),
    *("/v2/./tags/list", "/v2/a/../b/tags/list", "/v2/a%0d%0ab/tags/list", "/v2/%/tags/list", "/v2/%zz/tags/list"),
    *("/v2/_catalog/", "/v2/_catalog/tags/list", "/v2/x/manifests/%2e%2e", "/v2/x/manifests/..", "/v2/x/manifests/"),
    *("/v2/x/manifests/" + "a" * 200, "/v2/x/manifests/:", "/v2/x/blobs/" + "a" * 9000, "/v2/x/blobs/sha256:"),
    *("/v2/x/blobs/sha256:..%2f..%2f..", "/v2/x/blobs/uploads/..", "/v2/x/blobs/uploads/%2e%2e%2f_manifests"),
    *("/v2/x/blobs/uploads/" + "0" * 36, "/v2/_layers/tags/list", "/v2/x/_uploads/tags/list", "/v2/" + "a/" * 7000),
    *("/v2/" + "manifests/" * 1500, "/v2/" + "blobs/uploads/" * 1000 + "x", "/v2/" + "a" * 300 + "/tags/list"),
    *("/v2/" + "a-" * 120 + "/tags/list", "/v2/" + "a__" * 80 + "/tags/list", "/v2/x/referrers/x", "/v2/x~/tags/list"),
    *("/v2/x/manifests/%F0%9F%92%A9", "*", "/", "?", "#", "/v2/#x", "/v2/?", "/v2?n=%ff&x", "/v2?%0d%0aX:y", "v2/"),
    *("http://other:99/v2/", "http://", "http:///v2/", "HTTP://x/v2/?n=1", "https://a@b:c/v2/", "ftp://x/v2/", "x:1"),
    *("http://[::1/v2/", "/v2/x/manifests/t?" + "&" * 9000, "/v2/?" + "a=b&" * 3000, "/v2/;x", "/v2/x;y/tags/list"),
)


class StrangeRequestTests(ServedTestCase):
    settings = {"log": {"accesslog": {"disabled": False}}}

    def setUp(self) -> None:
        super().setUp()
        with self.peer() as peer:
            self.digest = peer.push_blob("strange/one", BLOB)
            peer.push_manifest("strange/one", "t", image(BLOB))
        self._peer: Peer | None = None

    def sane(self, method: str, target: str, body: bytes | None = None, **headers: str) -> Answer:
        """Ask, on the connection of the request before if that is still open; no failure of the server's own."""
        sent = request(method, target, body, **headers)
        found = None
        if self._peer is not None:
            found = self._peer.send(sent).answer(method)
        if found is None:
            self._peer = self.peer()
            found = self._peer.send(sent).answer(method)
        if found is not None and found.status == 100 and self._peer is not None:
            found = self._peer.answer(method)
        assert found is not None, sent[:200]
        self.assertLess(found.status, 500, (sent[:200], found))
        return found

    def test_paths(self) -> None:
        for target in PATHS:
            for method in ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "X!"):
                with self.subTest(method=method, target=target[:80]):
                    self.sane(method, target, b"{}" if method in ("PUT", "PATCH", "POST") else None)

    def test_paths_do_not_lead_out(self) -> None:
        for target in (
            "/v2/..%2f/tags/list",
            "/v2/x/manifests/..%2f..",
            "/v2/x/blobs/..%2f..%2f",
            "/v2/%2e%2e/tags/list",
        ):
            self.assertIn(self.sane("GET", target).status, (400, 404))

    def test_absolute_form(self) -> None:
        self.assertEqual(self.sane("GET", "http://other:99/v2/").status, 200)
        self.assertEqual(self.sane("GET", "HTTP://other/v2/strange/one/tags/list?n=0").json()["tags"], [])

    def test_numbers_in_queries(self) -> None:
        for path in ("_catalog", "strange/one/tags/list", f"strange/one/referrers/{ABSENT}"):
            for value in NUMBERS:
                with self.subTest(path=path, value=value[:40]):
                    self.sane("GET", f"/v2/{path}?n={value}")

    def test_texts_in_queries(self) -> None:
        for value in TEXTS:
            with self.subTest(value=value[:40]):
                for target in (
                    "_catalog?last=",
                    "strange/one/tags/list?n=1&last=",
                    f"strange/one/referrers/{ABSENT}?last=",
                ):
                    self.sane("GET", f"/v2/{target}{value}")
                self.sane("GET", f"/v2/strange/one/referrers/{ABSENT}?artifactType={value}")
                for name in ("digest", "mount", "from", "digest-algorithm", f"mount={self.digest}&from", "_state"):
                    self.sane("POST", f"/v2/strange/one/blobs/uploads/?{name}={value}", b"x")
                self.sane("PUT", f"/v2/strange/one/manifests/{sha256(image(BLOB))}?tag={value}", image(BLOB))
                place = path_of(self.sane("POST", "/v2/strange/one/blobs/uploads/", b""))
                bare = place.partition("?")[0]
                self.sane("PATCH", f"{bare}?_state={value}&digest={value}", b"x")
                self.sane("PUT", f"{bare}?_state={value}&digest={self.digest}", b"x")
                self.sane("PUT", closing(place, value), b"x")

    def test_a_query_that_is_stated_twice(self) -> None:
        target = f"/v2/strange/one/blobs/uploads/?digest={sha256(b'a')}&digest={sha256(b'b')}"
        found = self.sane("POST", target, b"b")
        self.assertEqual(found.status, 400)
        self.assertEqual(self.sane("HEAD", f"/v2/strange/one/blobs/{sha256(b'b')}").status, 404)

    def test_headers(self) -> None:
        blob, manifest = f"/v2/strange/one/blobs/{self.digest}", "/v2/strange/one/manifests/t"
        for field in FIELDS:
            for value in JUNK:
                if len(value) > 15000:
                    continue
                with self.subTest(field=field, value=value[:40]):
                    headers = {field: value.encode("utf-8").decode("latin-1")}
                    for target in (blob, manifest, "/v2/_catalog"):
                        self.sane("GET", target, **headers)
                    self.sane("PUT", manifest, image(BLOB), **headers)
                    place = path_of(self.sane("POST", "/v2/strange/one/blobs/uploads/", b""))
                    self.sane("PATCH", place, BLOB, **headers)
                    self.sane("POST", "/v2/strange/one/blobs/uploads/", BLOB, **headers)

    def test_hosts(self) -> None:
        for host in (
            "",
            " ",
            "a b",
            "[::1",
            "]",
            "x:99999999",
            "x:y",
            "\xff",
            "a" * 9000,
            "<script>",
            "x/../y",
            "%00",
            "@",
        ):
            with self.subTest(host=host[:40]), self.peer() as peer:
                sent = f"POST /v2/strange/one/blobs/uploads/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n"
                found = peer.send(sent.encode("latin-1")).answer("POST")
                assert found is not None
                self.assertIn(found.status, (202, 400))
                if found.status == 202:
                    self.assertRegex(
                        found.headers["location"],
                        r"^http://[\w.:\[\]-]+/v2/strange/one/blobs/uploads/[0-9a-f-]+\?_state=sha256$",
                    )

    def test_versions(self) -> None:
        for version, persistent in ((b"1.0", False), (b"1.1", True)):
            with self.peer() as peer:
                found = peer.send(b"GET /v2/ HTTP/" + version + b"\r\n\r\n").answer()
                assert found is not None
                self.assertIn(found.status, (200, 400))
                if not persistent:
                    self.assertEqual(peer.rest(), b"")

    def test_many_requests_in_one_packet(self) -> None:
        count = 400
        digests = [sha256(b"%d" % number) for number in range(count)]
        with self.peer(4 * PATIENCE) as peer:
            for number, digest in enumerate(digests):
                peer.send(request("POST", f"/v2/strange/pipeline/blobs/uploads/?digest={digest}", b"%d" % number))
                peer.send(request("GET", f"/v2/strange/pipeline/blobs/{digest}"))
            for number in range(count):
                made, got = peer.answer("POST"), peer.answer()
                assert made is not None
                assert got is not None
                self.assertEqual((made.status, got.status, got.body), (201, 200, b"%d" % number))


class ExpectationTests(ServedTestCase):
    def expecting(self, method: str, target: str, length: int, version: str = "1.1") -> Peer:
        return self.peer().send(
            f"{method} {target} HTTP/{version}\r\nHost: x\r\nExpect: 100-continue\r\n"
            f"Content-Length: {length}\r\n\r\n".encode()
        )

    def test_leave_comes_when_the_body_is_wanted(self) -> None:
        peer = self.expecting("POST", f"/v2/expect/blobs/uploads/?digest={sha256(BLOB)}", len(BLOB))
        leave = peer.answer("POST")
        assert leave is not None
        self.assertEqual(leave.status, 100)
        self.assertTrue(peer.silent(0.2))
        found = peer.send(BLOB).answer("POST")
        assert found is not None
        self.assertEqual(found.status, 201)
        self.assertEqual(peer.ask("GET", "/v2/").status, 200)

    def test_no_leave_before_a_refusal(self) -> None:
        session = "/v2/expect/blobs/uploads/00000000-0000-0000-0000-000000000000"
        refused = (
            ("PUT", "/v2/expect/manifests/t", 5 << 20, 413),
            ("PATCH", session, 10, 404),
            ("PUT", f"{session}?digest={ABSENT}", 10, 404),
            ("PUT", "/v2/UPPER/manifests/t", 10, 400),
            ("POST", "/v2/expect/blobs/uploads/?digest=junk", 10, 400),
            ("PUT", "/v2/", 10, 405),
            ("POST", "/nowhere", 10, 404),
        )
        peers = [self.expecting(method, target, length) for method, target, length, _ in refused]
        for peer, (method, target, _, status) in zip(peers, refused, strict=True):
            with self.subTest(target=target):
                found = peer.answer(method)
                assert found is not None
                self.assertEqual(found.status, status)
                self.assertEqual(peer.rest(), b"")

    def test_an_impatient_client(self) -> None:
        """It sends the body at once; or speaks HTTP/1.0, which knows no leave."""
        for version in ("1.1", "1.0"):
            target = f"/v2/expect/blobs/uploads/?digest={sha256(BLOB)}"
            peer = self.expecting("POST", target, len(BLOB), version).send(BLOB)
            found = peer.answer("POST")
            if version == "1.1" and found is not None and found.status == 100:
                found = peer.answer("POST")
            assert found is not None
            self.assertEqual(found.status, 201)
