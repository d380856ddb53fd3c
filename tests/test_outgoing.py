"""HTTP clients for requests that go out: proxies by the environment, tunnels."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from dregistry._outgoing import Proxy, ProxyRefused, _Tunnel, _TunnelEndpoint, proxy_for

BOTH = {"HTTP_PROXY": "http://p:1", "HTTPS_PROXY": "http://s:2"}


class ProxyForTests(SynchronousTestCase):
    def test_by_scheme(self) -> None:
        self.assertEqual(proxy_for("http://a/", BOTH), Proxy("http", "p", 1))
        self.assertEqual(proxy_for("https://a/", BOTH), Proxy("http", "s", 2))
        self.assertIsNone(proxy_for("https://a/", {"HTTP_PROXY": "http://p:1"}))
        self.assertIsNone(proxy_for("http://a/", {}))
        self.assertIsNone(proxy_for("http://a/", {"http_proxy": ""}))

    def test_lower_case_first(self) -> None:
        """As with curl, and as Python and Go have it but for CGI."""
        environ = {"http_proxy": "http://low", "HTTP_PROXY": "http://high"}
        self.assertEqual(proxy_for("http://a/", environ), Proxy("http", "low", 80))
        self.assertIsNone(proxy_for("http://a/", {**environ, "http_proxy": ""}))

    def test_forms(self) -> None:
        basic = b"Basic " + b64encode(b"al@ice:p:w")
        for value, expected in (
            ("p", Proxy("http", "p", 80)),
            ("p:3128", Proxy("http", "p", 3128)),
            ("https://p", Proxy("https", "p", 443)),
            ("http://al%40ice:p%3Aw@p", Proxy("http", "p", 80, basic)),
            ("http://[::1]:3128", Proxy("http", "::1", 3128)),
        ):
            self.assertEqual(proxy_for("http://a/", {"HTTP_PROXY": value}), expected)

    def test_no_proxy_of_http(self) -> None:
        for value in ("socks5://p", "http://", "http://p:x", "http://[p"):
            error = self.assertRaises(ValueError, proxy_for, "http://a/", {"HTTP_PROXY": value})
            self.assertTrue(str(error).startswith("http_proxy"), error)

    def test_exempt(self) -> None:
        for exempt, hosts in (
            ("a.example", ["a.example", "b.a.example", "A.example"]),
            (".a.example", ["a.example", "b.a.example"]),
            ("x, a.example:81", ["a.example:81"]),
            ("*", ["a.example", "192.0.2.1"]),
            ("192.0.2.0/24,x", ["192.0.2.1", "192.0.2.255:81"]),
            ("192.0.2.1", ["192.0.2.1"]),
            ("2001:db8::/32", ["[2001:db8::1]"]),
        ):
            for host in hosts:
                self.assertIsNone(proxy_for(f"http://{host}/", {**BOTH, "NO_PROXY": exempt}), (exempt, host))
        for exempt, host in (
            ("a.example", "ba.example"), ("a.example:81", "a.example"), ("192.0.2.0/24", "192.0.3.1"),
            ("", "a.example"), ("nonsense/99", "192.0.2.1"),
        ):  # fmt: skip
            self.assertIsNotNone(proxy_for(f"http://{host}/", {**BOTH, "no_proxy": exempt}), (exempt, host))

    def test_this_machine(self) -> None:
        for host in ("localhost", "127.0.0.1", "127.9.9.9:5000", "[::1]"):
            self.assertIsNone(proxy_for(f"http://{host}/", BOTH), host)


class Echo(Protocol):
    """Notes what it gets."""

    def __init__(self) -> None:
        self.got = b""
        self.lost: Failure | None = None

    def connectionMade(self) -> None:
        self.transport.write(b"hello")  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        self.got += data

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.lost = reason


class Endpoint:
    """Connects at once."""

    def connect(self, factory: Any) -> Deferred[Any]:
        self.transport = StringTransport()
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        connected: Deferred[Any] = Deferred()
        connected.callback(self.protocol)
        return connected


class TunnelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.endpoint: Any = Endpoint()

    def connect(self, host: bytes = b"a.example", authorization: bytes = b"") -> Deferred[Any]:
        tunnel = _TunnelEndpoint(self.endpoint, host, 443, authorization)
        return tunnel.connect(Factory.forProtocol(Echo))

    def answer(self, data: bytes) -> None:
        self.endpoint.protocol.dataReceived(data)

    def test_opened(self) -> None:
        connected = self.connect(authorization=b"Basic xyz")
        self.assertEqual(
            self.endpoint.transport.value(),
            b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\nProxy-Authorization: Basic xyz\r\n\r\n",
        )
        self.endpoint.transport.clear()
        self.answer(b"HTTP/1.1 200 Connection established\r\nX: y\r\n")
        self.assertNoResult(connected)
        self.answer(b"\r\nfirst")
        echo = self.successResultOf(connected)
        self.assertEqual((echo.got, self.endpoint.transport.value()), (b"first", b"hello"))
        self.answer(b" second")
        self.assertEqual(echo.got, b"first second")
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(echo.lost.check(ConnectionDone))

    def test_ipv6(self) -> None:
        self.connect(b"::1")
        self.assertTrue(self.endpoint.transport.value().startswith(b"CONNECT [::1]:443 HTTP/1.1\r\n"))

    def test_refused(self) -> None:
        connected = self.connect()
        self.answer(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
        error = self.failureResultOf(connected, ProxyRefused).value
        self.assertEqual(str(error), "the proxy answered HTTP/1.1 407 Proxy Authentication Required")
        self.assertTrue(self.endpoint.transport.disconnected)

    def test_lost(self) -> None:
        connected = self.connect()
        self.endpoint.protocol.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(connected, ConnectionDone)

    def test_cancelled(self) -> None:
        connected = self.connect()
        connected.cancel()
        self.failureResultOf(connected)
        self.assertTrue(self.endpoint.transport.disconnected)

    def test_endless(self) -> None:
        connected = self.connect()
        self.answer(b"HTTP/1.1 200 OK\r\n" + b"x" * (16 << 10))
        self.failureResultOf(connected, ProxyRefused)

    @given(st.lists(st.binary(max_size=40), max_size=8))
    def test_any_bytes(self, pieces: list[bytes]) -> None:
        """It opens, or refuses, or waits; nothing else."""
        tunnel = _Tunnel(b"", Factory.forProtocol(Echo))
        tunnel.makeConnection(StringTransport())
        outcome: list[Any] = []
        tunnel.opened.addBoth(outcome.append)
        for piece in pieces:
            if not outcome:
                tunnel.dataReceived(piece)
        if outcome:
            self.assertTrue(isinstance(outcome[0], Echo) or outcome[0].check(ProxyRefused))
