"""Tests of :mod:`dregistry.auth.jwks`, and of tokens whose keys are fetched."""

from __future__ import annotations

from typing import Any

import trustme
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from treq.testing import StubTreq
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.ssl import CertificateOptions
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from dregistry.auth import InvalidCredential
from dregistry.auth.jwks import LOOK_AGAIN_AFTER, RemoteJwks, make_client
from dregistry.auth.token import Token, TokenOptions
from dregistry.errors import Unavailable

from .support import ISSUER, SERVICE, AuthCase, bearer, jwk, jwks, token

URL = "https://keys.example/jwks"


class KeyPage(Resource):
    """What the source of keys answers, and how often it did."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.content = jwks(jwk("P-256", "k")).encode()
        self.status = 200
        self.headers: dict[str, str] = {}
        self.hangs = False
        self.asked = 0

    def render_GET(self, request: Any) -> Any:
        self.asked += 1
        request.setResponseCode(self.status)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        return NOT_DONE_YET if self.hangs else self.content


class FetchCase(AuthCase):
    def setUp(self) -> None:
        super().setUp()
        self.page = KeyPage()
        self.treq = StubTreq(self.page)
        self.remote = RemoteJwks(URL, 3600.0, self.treq, self.clock)  # type: ignore[arg-type]
        self.token = Token(
            TokenOptions("r", SERVICE, ISSUER, jwks=self.write("jwks", jwks(jwk("ed", "e")))), self.context
        )
        self.token._verifier._keys._remote = self.remote  # type: ignore[attr-defined]

    def start(self, text: str) -> Deferred[Any]:
        found = Deferred.fromCoroutine(self.token.authenticate(bearer(text), ()))
        self.treq.flush()
        return found

    def ask(self, text: str) -> None:
        self.assertEqual(self.successResultOf(self.start(text)).identity.name, "alice")

    def refuse(self, text: str, expected: type[Exception] = InvalidCredential) -> None:
        self.failureResultOf(self.start(text), expected)

    def fetches(self, count: int) -> None:
        self.assertEqual(self.page.asked, count)


class FetchTests(FetchCase):
    def test_when_needed(self) -> None:
        """The start does not wait for the source, nor need it."""
        self.ask(token("ed", "EdDSA", {"kid": "e"}))
        self.fetches(0)
        self.ask(token())
        self.ask(token())
        self.fetches(1)

    def test_at_the_same_time(self) -> None:
        waiting = [Deferred.fromCoroutine(self.token.authenticate(bearer(token()), ())) for _ in range(5)]
        self.treq.flush()
        for each in waiting:
            self.successResultOf(each)
        self.fetches(1)

    def test_unknown_key(self) -> None:
        """Looked for once in half a minute, whatever tokens come along."""
        self.ask(token())
        self.page.content = jwks(jwk("P-256", "k"), jwk("P-256-2", "k2")).encode()
        new = token("P-256-2", headers={"kid": "k2"})
        self.refuse(new)
        self.fetches(1)
        self.clock.advance(LOOK_AGAIN_AFTER)
        self.ask(new)
        self.fetches(2)
        for number in range(10):
            self.refuse(token(headers={"kid": f"made-up-{number}"}))
        self.fetches(2)

    def test_refreshed(self) -> None:
        """In the background: the request that finds them old does not wait."""
        text = token(exp=int(self.clock.seconds()) + 9999)
        self.ask(text)
        self.page.content = jwks(jwk("P-256-2", "k2")).encode()
        self.page.hangs = True
        self.clock.advance(3600)
        self.ask(text)
        self.fetches(2)
        self.ask(text)
        self.clock.advance(10)
        self.page.hangs = False
        self.clock.advance(LOOK_AGAIN_AFTER)
        self.refuse(text)  # the key was withdrawn
        self.fetches(3)

    def test_source_is_down(self) -> None:
        """The last keys stay, and it is tried again after a while."""
        text = token(exp=int(self.clock.seconds()) + 99999)
        self.ask(text)
        for status, content, headers in (
            (500, b"", {}),
            (200, b"<html>", {}),
            (200, b'{"keys": []}', {}),
            (302, b"", {"location": "https://elsewhere.example/"}),
        ):
            self.page.status, self.page.content, self.page.headers = status, content, headers
            self.clock.advance(3600)
            self.ask(text)
            asked = self.page.asked
            self.ask(text)
            self.fetches(asked)
            self.clock.advance(LOOK_AGAIN_AFTER)
            self.ask(text)
            self.fetches(asked + 1)
        self.page.status, self.page.content, self.page.headers = 200, jwks(jwk("P-256", "k")).encode(), {}
        self.clock.advance(LOOK_AGAIN_AFTER)
        self.ask(text)

    def test_never_up(self) -> None:
        """503: whoever has a good token is not told that it is bad. Tried every few seconds."""
        self.page.status = 503
        for fetches in (1, 1, 1):
            self.refuse(token(), Unavailable)
            self.fetches(fetches)
        self.clock.advance(5)
        self.page.status = 200
        self.ask(token())

    def test_too_large(self) -> None:
        self.page.content = b'{"keys": [' + b" " * (2 << 20) + b"]}"
        self.refuse(token(), Unavailable)

    def test_hangs(self) -> None:
        """For ten seconds at most."""
        self.page.hangs = True
        waiting = self.start(token())
        self.assertNoResult(waiting)
        self.clock.advance(10)
        self.treq.flush()
        self.failureResultOf(waiting, Unavailable)


class TlsTests(TestCase):
    """A source with a certificate, over sockets."""

    def setUp(self) -> None:
        self.authority = trustme.CA()
        self.page = KeyPage()

    def listen(self, name: str, authority: trustme.CA | None = None) -> str:
        """The URL of the keys at a server that has a certificate for ``name``."""
        found = (authority or self.authority).issue_cert(name)
        options = CertificateOptions(*_key_and_certificate(found))
        port = reactor.listenSSL(0, Site(self.page), options, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        return f"https://localhost:{port.getHost().port}/jwks"

    async def fetch(self, url: str, roots: bytes) -> RemoteJwks:
        remote = RemoteJwks(url, 3600.0, make_client(reactor, roots), reactor)
        await remote.look_again()
        return remote

    async def test_trusted(self) -> None:
        remote = await self.fetch(self.listen("localhost"), self.authority.cert_pem.bytes())
        self.assertEqual(set(remote.keys.keys), {"k"})

    async def test_several_roots(self) -> None:
        roots = trustme.CA().cert_pem.bytes() + self.authority.cert_pem.bytes()
        remote = await self.fetch(self.listen("localhost"), roots)
        self.assertEqual(set(remote.keys.keys), {"k"})

    async def test_untrusted(self) -> None:
        """By the authorities of the system, by another root, under another name: no keys, and no request even."""
        for url, roots in (
            (self.listen("localhost"), b""),
            (self.listen("localhost"), trustme.CA().cert_pem.bytes()),
            (self.listen("elsewhere.example"), self.authority.cert_pem.bytes()),
        ):
            with self.assertRaises(Unavailable):
                await self.fetch(url, roots)
        self.assertEqual(self.page.asked, 0)

    async def test_no_roots(self) -> None:
        with self.assertRaises(ValueError):
            make_client(reactor, b"nothing")


def _key_and_certificate(found: Any) -> tuple[Any, Any]:
    return (
        load_pem_private_key(found.private_key_pem.bytes(), None),
        load_pem_x509_certificate(found.cert_chain_pems[0].bytes()),
    )
