"""Tests of :mod:`dregistry.web._accesslog`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dregistry.web import AccessLog

from .requests import request

NOW = 1795528800.0


class AccessLogTests(SynchronousTestCase):
    def log(self, uri: str, **headers: str) -> list[str]:
        lines: list[str] = []
        found = request({name.replace("_", "-"): value for name, value in headers.items()})
        found.uri = uri.encode("latin-1")
        found.path = found.uri.partition(b"?")[0]
        found.clientproto = b"HTTP/1.1"
        found.code = 200
        found.sentLength = 42
        AccessLog(lines.append, lambda: NOW).log(found)
        return lines

    def test_combined(self) -> None:
        """As Apache has it, so that what reads logs can read it."""
        self.assertEqual(
            self.log("/v2/a/tags/list?n=1", user_agent="docker/1", referer="http://x"),
            [
                '"192.0.2.1" - - [24/Nov/2026:14:00:00 +0000] "GET /v2/a/tags/list?n=1 HTTP/1.1" 200 42 '
                '"http://x" "docker/1"'
            ],
        )

    def test_quiet(self) -> None:
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
            ("?my_state=abc", "?my_state=abc"),
        ):
            self.assertIn(f"/v2/a/blobs/uploads/u{masked} HTTP/1.1", self.log(f"/v2/a/blobs/uploads/u{query}")[0])

    def test_masked_in_the_referer(self) -> None:
        self.assertIn('"http://x/?_state=*"', self.log("/v2/", referer="http://x/?_state=abc")[0])

    def test_one_line(self) -> None:
        """Whatever clients send."""
        [line] = self.log('/v2/"\n\\x', user_agent='a"\r\nb\\', referer="\x00\xff")
        self.assertEqual(line.count("\n") + line.count("\r"), 0)
        self.assertEqual(line.replace("\\\\", "").replace('\\"', "").count('"'), 8)
