"""Who asks, behind proxies or not."""

from __future__ import annotations

import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from dregistry.web import Links, TrustedProxies
from dregistry.web._origin import origin_of, request_id

from .requests import request

PEER = "192.0.2.1:31337"


class ClientTests(SynchronousTestCase):
    def client(self, trusted: list[str], peer: Any = None, **headers: str) -> str:
        found = request({name.replace("_", "-"): value for name, value in headers.items()})
        found.getClientAddress = lambda: peer or IPv4Address("TCP", "192.0.2.1", 31337)  # type: ignore[method-assign]
        return TrustedProxies.parse(trusted).client(found)

    def test_nobody_is_trusted(self) -> None:
        for headers in (
            {},
            {"x_forwarded_for": "198.51.100.1"},
            {"x_real_ip": "198.51.100.1"},
            {"forwarded": "for=198.51.100.1"},
        ):
            self.assertEqual(self.client([], **headers), PEER)
            self.assertEqual(self.client(["192.0.2.2", "10.0.0.0/8"], **headers), PEER)

    def test_forwarded_for(self) -> None:
        """The last one who is no proxy of ours: what stands before it anybody may have written."""
        for value, expected in (
            ("198.51.100.1", "198.51.100.1"),
            ("203.0.113.9, 198.51.100.1", "198.51.100.1"),
            ("203.0.113.9, 198.51.100.1, 10.1.1.1,10.2.2.2", "198.51.100.1"),
            ("10.3.3.3, 10.1.1.1", "10.3.3.3"),
            ("198.51.100.1:4711", "198.51.100.1:4711"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]:4711", "[2001:db8::1]:4711"),
            ("::ffff:198.51.100.1", "198.51.100.1"),
            ("198.51.100.1, unknown", PEER),
            ("198.51.100.1, 10.1.1.1, x, 10.2.2.2", "10.2.2.2"),
            ("", PEER),
            (",,", PEER),
        ):
            self.assertEqual(self.client(["192.0.2.0/24", "10.0.0.0/8"], x_forwarded_for=value), expected, value)

    def test_forwarded(self) -> None:
        """RFC 7239; it goes before the older headers."""
        for value, expected in (
            ("for=198.51.100.1", "198.51.100.1"),
            ('for="198.51.100.1:4711";proto=https', "198.51.100.1:4711"),
            ('by=x;For="[2001:db8::1]"', "2001:db8::1"),
            ('for=203.0.113.9, for="[2001:db8::1]:4711"', "[2001:db8::1]:4711"),
            ("for=198.51.100.1, for=10.1.1.1", "198.51.100.1"),
            ("for=_hidden", PEER),
            ("proto=https", PEER),
        ):
            found = self.client(["192.0.2.1", "10.0.0.0/8"], forwarded=value, x_forwarded_for="203.0.113.7")
            self.assertEqual(found, expected, value)

    def test_real_ip(self) -> None:
        self.assertEqual(self.client(["192.0.2.1"], x_real_ip="198.51.100.1"), "198.51.100.1")
        found = self.client(["192.0.2.1"], x_real_ip="198.51.100.1", x_forwarded_for="198.51.100.2")
        self.assertEqual(found, "198.51.100.2")

    def test_ipv6(self) -> None:
        peer = IPv6Address("TCP", "2001:db8::5", 9)
        self.assertEqual(self.client([], peer), "[2001:db8::5]:9")
        self.assertEqual(self.client(["2001:db8::/64"], peer, x_forwarded_for="198.51.100.1"), "198.51.100.1")

    def test_ipv4_on_an_ipv6_socket(self) -> None:
        peer = IPv6Address("TCP", "::ffff:192.0.2.1", 9)
        self.assertEqual(self.client([], peer), "192.0.2.1:9")
        self.assertEqual(self.client(["192.0.2.1"], peer, x_forwarded_for="198.51.100.1"), "198.51.100.1")

    def test_unix(self) -> None:
        peer = UNIXAddress(b"/run/x")
        self.assertEqual(self.client(["10.0.0.0/8"], peer, x_forwarded_for="198.51.100.1"), "")
        self.assertEqual(
            self.client(["unix", "10.0.0.0/8"], peer, x_forwarded_for="198.51.100.1, 10.1.1.1"), "198.51.100.1"
        )
        self.assertEqual(self.client(["unix"], peer), "")

    @given(
        st.text(st.characters(max_codepoint=255, exclude_characters="\r\n")),
        st.sampled_from(["x_forwarded_for", "forwarded", "x_real_ip"]),
    )
    def test_any_header(self, value: str, name: str) -> None:
        self.assertTrue(self.client(["192.0.2.1", "unix"], **{name: value}))


class KnownTests(SynchronousTestCase):
    """What is kept of a connection goes by its headers."""

    def test_each_request(self) -> None:
        channel: Any = type("Channel", (), {"client": None})()
        for host, agent, forwarded in (("a", "x", ""), ("a", "x", ""), ("b", "x", ""), ("b", "y", ""), ("b", "y", "c")):
            headers = {"Host": host, "User-Agent": agent, **({"X-Forwarded-Host": forwarded} if forwarded else {})}
            found = request(headers)
            found.channel = channel
            origin = origin_of(found, "", TrustedProxies(), Links())
            expected = (host, agent, f"http://{forwarded or host}")
            self.assertEqual((origin.host, origin.user_agent, origin.base_url), expected)
            self.assertEqual(channel.client.headers, dict(found.requestHeaders.getAllRawHeaders()))


class OriginTests(SynchronousTestCase):
    def test_all(self) -> None:
        found = request({"Host": "r.example:5000", "User-Agent": "\u00c3\u00a4/1"}, method=b"PUT")
        found.getClientAddress = lambda: IPv4Address("TCP", "192.0.2.1", 31337)  # type: ignore[method-assign]
        origin = origin_of(found, "alice", TrustedProxies(), Links("/p"))
        self.assertEqual(
            (origin.actor, origin.address, origin.host, origin.method, origin.user_agent, origin.base_url),
            ("alice", PEER, "r.example:5000", "PUT", "\u00e4/1", "http://r.example:5000/p"),
        )
        parsed = uuid.UUID(origin.request_id)
        self.assertEqual((parsed.version, parsed.variant, str(parsed)), (4, uuid.RFC_4122, origin.request_id))
        again = origin_of(found, "alice", TrustedProxies(), Links("/p"))
        self.assertEqual(again.request_id, origin.request_id)
        other = origin_of(request(), "alice", TrustedProxies(), Links("/p"))
        self.assertNotEqual(other.request_id, origin.request_id)

    def test_request_id(self) -> None:
        """That of whoever forwards the request, if logs can take it."""
        for value in ("abc-1", "a" * 128, "Root=1-67891233-abcdef012345678912345678"):
            self.assertEqual(request_id(request({"X-Request-Id": value})), value)
        for value in ("", "a" * 129, "a b", 'a"', "a\tb", "\u00e4"):
            found = request_id(request({"X-Request-Id": value}))
            self.assertEqual(str(uuid.UUID(found)), found)

    def test_little(self) -> None:
        origin = origin_of(request(), "", TrustedProxies(), Links())
        self.assertEqual((origin.host, origin.user_agent, origin.base_url), ("", "", "http://192.0.2.2:5000"))
