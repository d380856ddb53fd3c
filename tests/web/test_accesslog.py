"""Tests of :mod:`dregistry.web._accesslog`."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from dregistry.web import AccessLog, TrustedProxies

from .requests import request

NOW = 1795528800.0
SKIPPED = ("/", "/livez", "/readyz")


class AccessLogTests(SynchronousTestCase):
    def log(
        self, uri: str, user: str = "", client: Any = None, proxies: TrustedProxies | None = None, **headers: str
    ) -> list[str]:
        lines: list[str] = []
        found: Any = request({name.replace("_", "-"): value for name, value in headers.items()})
        found.uri = uri.encode("latin-1")
        found.path = found.uri.partition(b"?")[0]
        found.clientproto = b"HTTP/1.1"
        found.code = 200
        found.sentLength = 42
        found.user_name = user
        found.client = client or found.client
        AccessLog(lines.append, lambda: NOW, proxies or TrustedProxies(), SKIPPED).log(found)
        return lines

    def test_combined(self) -> None:
        """As distribution has it, so that what reads its logs can read it."""
        self.assertEqual(
            self.log("/v2/a/tags/list?n=1", user_agent="docker/1", referer="http://x"),
            [
                '192.0.2.1 - - [24/Nov/2026:14:00:00 +0000] "GET /v2/a/tags/list?n=1 HTTP/1.1" 200 42 '
                '"http://x" "docker/1"'
            ],
        )

    def test_nothing_said(self) -> None:
        [line] = self.log("/v2/", client=UNIXAddress(None))
        self.assertTrue(line.startswith("- - - ["))
        self.assertTrue(line.endswith('200 42 "" ""'))

    def test_user(self) -> None:
        for user, shown in (("alice", "alice"), ("al@x.org", "al@x.org"), ('a b"c\n', "a%20b%22c%0A"), ("ä", "%C3%A4")):
            [line] = self.log("/v2/", user=user)
            self.assertTrue(line.startswith(f"192.0.2.1 - {shown} ["), line)

    def test_client(self) -> None:
        """The one behind proxies that are trusted, and no other."""
        said = {"x_forwarded_for": "203.0.113.9, 198.51.100.1:99"}
        proxies = TrustedProxies.parse(["192.0.2.0/24", "198.51.100.1"])
        for trusted, shown in ((proxies, "203.0.113.9"), (TrustedProxies(), "192.0.2.1")):
            [line] = self.log("/v2/", proxies=trusted, **said)
            self.assertTrue(line.startswith(f"{shown} - - ["), line)
        [line] = self.log("/v2/", client=IPv4Address("TCP", "::ffff:10.0.0.1", 1))
        self.assertTrue(line.startswith("10.0.0.1 - - ["), line)

    def test_skipped(self) -> None:
        for uri in ("/", "/?a=b", "/livez", "/readyz"):
            self.assertEqual(self.log(uri), [])
        for uri in ("/v2/", "/livez/", "//"):
            self.assertEqual(len(self.log(uri)), 1)

    def test_masked(self) -> None:
        """The state of an upload is a token that lets its holder write."""
        for query, masked in (
            ("?_state=abc", "?_state=*"),
            ("?digest=sha256:1&_state=abc-_=%3D&n=1", "?digest=sha256:1&_state=*&n=1"),
            ("?_state=a&_state=b", "?_state=*&_state=*"),
            ("?%5fstate=abc", "?%5fstate=*"),
            ('?a=1;_state=ab"<c d', "?a=1;_state=*"),
            ("?account=a&access_token=abc&Password=x", "?account=a&access_token=*&Password=*"),
            ("?X-Amz-Signature=abc&n=1", "?X-Amz-Signature=*&n=1"),
            ("?my_state=abc", "?my_state=abc"),
            ("?digest=sha256:1&mount=2&from=a/token", "?digest=sha256:1&mount=2&from=a/token"),
        ):
            self.assertIn(f"/v2/a/blobs/uploads/u{masked} HTTP/1.1", self.log(f"/v2/a/blobs/uploads/u{query}")[0])

    def test_masked_elsewhere(self) -> None:
        self.assertIn('"http://x/?_state=*"', self.log("/v2/", referer="http://x/?_state=abc")[0])
        self.assertIn('"http://*@x/"', self.log("/v2/", referer="http://alice:pass@x/")[0])
        self.assertIn('"a Bearer *"', self.log("/v2/", user_agent="a Bearer abcdef.ghi")[0])

    def test_one_line(self) -> None:
        """Whatever clients send."""
        [line] = self.log('/v2/"\n\\x', user_agent='a"\r\nb\\', referer="\x00\xff")
        self.assertEqual(line.count("\n") + line.count("\r"), 0)
        self.assertEqual(line.replace("\\\\", "").replace('\\"', "").count('"'), 6)
        self.assertTrue(line.isascii() and line.isprintable())
