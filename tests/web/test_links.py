"""Tests of :mod:`dregistry.web._links`."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.web import Links

from .requests import request

DIGEST = Digest.of(b"")


class BaseTests(SynchronousTestCase):
    def base(self, headers: dict[str, str], secure: bool = False, address: Any = None) -> str:
        return Links().base_url(request(headers, secure, address))

    def test_host(self) -> None:
        for host in (
            "example.com",
            "example.com:5000",
            "192.0.2.7:80",
            "[::1]",
            "[2001:db8::1]:5000",
            "a_b",
            "a-b.c~d",
        ):
            self.assertEqual(self.base({"Host": host}), f"http://{host}")
        self.assertEqual(self.base({"Host": "example.com"}, secure=True), "https://example.com")

    def test_configured(self) -> None:
        links = Links(host="https://registry.example")
        self.assertEqual(links.base_url(request({"Host": "a", "X-Forwarded-Host": "b"})), "https://registry.example")

    def test_forwarded_by_the_old_names(self) -> None:
        host = {"Host": "inside:5000"}
        for headers, expected in (
            ({"X-Forwarded-Proto": "https"}, "https://inside:5000"),
            ({"X-Forwarded-Host": "outside"}, "http://outside"),
            ({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "outside:8443"}, "https://outside:8443"),
            ({"X-Forwarded-Proto": "HTTPS , http", "X-Forwarded-Host": " outside , inner"}, "https://outside"),
        ):
            self.assertEqual(self.base({**host, **headers}), expected, headers)

    def test_forwarded(self) -> None:
        """RFC 7239; it goes before the old names."""
        old = {"Host": "inside", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "old"}
        for header, expected in (
            ("proto=https;host=outside", "https://outside"),
            ("for=192.0.2.43;proto=https; host=outside:8443", "https://outside:8443"),
            ('for="[::1]:47011" ; Proto="https";HOST="outside:8443"', "https://outside:8443"),
            ("proto=https;host=outside, proto=http;host=inner", "https://outside"),
            ("proto=https", "https://inside"),
            ("host=outside", "http://outside"),
            ("for=192.0.2.43", "http://inside"),
        ):
            self.assertEqual(self.base({**old, "Forwarded": header}), expected, header)

    def test_what_is_no_scheme_or_host(self) -> None:
        """Nothing gets into a URL that does not belong there."""
        for value in ("javascript", "ftp", "http://x", "https\t", "", "'"):
            for headers in ({"X-Forwarded-Proto": value}, {"Forwarded": f"proto={value}"}):
                found = self.base({"Host": "inside", **headers})
                self.assertIn(found, ("http://inside", "https://inside"), headers)
        for value in ("a/b", "a b", "a@b", "a:b", "a:123456", "a?b", "a#b", "[g]", "[::1", "\xe4", "a\x00", "", "a,b/"):
            for headers in ({"X-Forwarded-Host": value.replace(",", "/")}, {"Forwarded": f'host="{value}"'}):
                self.assertEqual(self.base({"Host": "inside", **headers}), "http://inside", headers)

    def test_without_a_host(self) -> None:
        """HTTP/1.0, or nonsense: the address that it came to."""
        for headers in ({}, {"Host": ""}, {"Host": "a/b"}, {"Host": "a b"}):
            for address, expected in (
                (IPv4Address("TCP", "192.0.2.2", 5000), "http://192.0.2.2:5000"),
                (IPv6Address("TCP", "2001:db8::1", 5000), "http://[2001:db8::1]:5000"),
                (UNIXAddress("/run/registry.sock"), "http://localhost"),
            ):
                self.assertEqual(self.base(headers, address=address), expected)


class SignInTests(SynchronousTestCase):
    """Where passwords are sent to."""

    def url(self, headers: dict[str, str], secure: bool = False, links: Links | None = None) -> str:
        return (links or Links()).sign_in_url(request(headers, secure))

    def test_tls_is_assumed(self) -> None:
        """A proxy may end it and not say so; nobody is told to send a password without."""
        self.assertEqual(self.url({"Host": "r.example:5000"}), "https://r.example:5000")
        self.assertEqual(self.url({"Host": "10.0.0.5"}), "https://10.0.0.5")
        self.assertEqual(self.url({"Host": "localhost.example"}), "https://localhost.example")
        self.assertEqual(self.url({"Host": "r.example", "Forwarded": "for=192.0.2.1"}), "https://r.example")

    def test_this_machine(self) -> None:
        for host in ("localhost", "localhost:5000", "LOCALHOST:1", "127.0.0.1:5000", "127.8.8.8", "[::1]:5000"):
            self.assertEqual(self.url({"Host": host}), f"http://{host}")
            self.assertEqual(self.url({"Host": host}, secure=True), f"https://{host}")

    def test_what_is_said(self) -> None:
        self.assertEqual(self.url({"Host": "a", "X-Forwarded-Proto": "http"}), "http://a")
        self.assertEqual(self.url({"Host": "a", "Forwarded": "proto=http;host=b"}), "http://b")
        self.assertEqual(self.url({"Host": "localhost", "X-Forwarded-Proto": "https"}), "https://localhost")
        self.assertEqual(self.url({"Host": "a"}, links=Links(host="http://r.example")), "http://r.example")


class LocationTests(SynchronousTestCase):
    def test_absolute(self) -> None:
        found = request({"Host": "r.example"})
        links = Links()
        self.assertEqual(links.blob(found, "a/b", DIGEST), f"http://r.example/v2/a/b/blobs/{DIGEST}".encode())
        self.assertEqual(links.manifest(found, "a/b", DIGEST), f"http://r.example/v2/a/b/manifests/{DIGEST}".encode())
        self.assertEqual(links.upload(found, "a", "some-uuid"), b"http://r.example/v2/a/blobs/uploads/some-uuid")

    def test_prefix(self) -> None:
        found = request({"Host": "r.example"})
        self.assertEqual(Links("/p/q").upload(found, "a", "u"), b"http://r.example/p/q/v2/a/blobs/uploads/u")
        links = Links("/p", "https://h")
        self.assertEqual(links.upload(found, "a", "u"), b"https://h/p/v2/a/blobs/uploads/u")

    def test_relative(self) -> None:
        links = Links("/p", "https://h", True)
        self.assertEqual(links.upload(request(), "a", "u"), b"/p/v2/a/blobs/uploads/u")


class NextPageTests(SynchronousTestCase):
    def test_form(self) -> None:
        """Distribution's, letter by letter: there are clients that cut it apart by hand."""
        self.assertEqual(
            Links().next_page("_catalog", {"n": 3, "last": "a/b"}), b'</v2/_catalog?last=a%2Fb&n=3>; rel="next"'
        )

    def test_prefix(self) -> None:
        self.assertEqual(Links("/p").next_page("a/tags/list", {"n": 1}), b'</p/v2/a/tags/list?n=1>; rel="next"')

    def test_quoted(self) -> None:
        value = 'a&b=c>;" \u00e4\r\n'
        link = Links().next_page("x", {"artifactType": value}).decode("ascii")
        target, _, rel = link.partition(">; ")
        self.assertEqual(rel, 'rel="next"')
        self.assertEqual(parse_qs(urlsplit(target[1:]).query), {"artifactType": [value]})
