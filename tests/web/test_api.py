"""Tests of :mod:`dregistry.web._api`: what access control is told of a request."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL.crypto import X509
from twisted.internet.address import UNIXAddress
from twisted.trial.unittest import SynchronousTestCase

from dregistry.auth import Credential
from dregistry.web import Api, TrustedProxies
from dregistry.web._api import Call

from ..auth.support import certificate
from .requests import Transport, request

NOBODY: Any = None


class TlsTransport(Transport):
    """:ivar certificate: that the peer has shown."""

    certificate: x509.Certificate | None = None

    def getPeerCertificate(self) -> X509 | None:
        return None if self.certificate is None else X509.from_cryptography(self.certificate)


class CredentialTests(SynchronousTestCase):
    def credential(self, found: Any, **options: Any) -> Credential:
        return Call(Api(NOBODY, **options), found).credential()

    def test_header_and_address(self) -> None:
        found = self.credential(request({"Authorization": "Bearer a.b.c", "Host": "r.example"}))
        self.assertEqual(
            (found.scheme, found.parameter, found.address, found.certificate), ("bearer", "a.b.c", "192.0.2.1", None)
        )
        self.assertEqual(found.base_url(), "https://r.example")

    def test_no_address(self) -> None:
        """A Unix socket has none."""
        found = request()
        found.client = UNIXAddress(b"/run/registry.sock")
        self.assertEqual(self.credential(found).address, "")

    def test_behind_a_proxy(self) -> None:
        """Guesses of a proxy's clients are told apart by who they are."""
        headers = {"X-Forwarded-For": "203.0.113.9:4711"}
        for trusted, address in (([], "192.0.2.1"), (["192.0.2.1"], "203.0.113.9")):
            found = self.credential(request(headers), proxies=TrustedProxies.parse(trusted))
            self.assertEqual(found.address, address)

    def test_certificate(self) -> None:
        """Only where TLS verifies it: any client can show one of its own making."""
        found = request()
        shown = found.transport = TlsTransport()  # type: ignore[attr-defined]
        for presented in (None, certificate("P-256", name="alice")):
            shown.certificate = presented
            der = None if presented is None else presented.public_bytes(Encoding.DER)
            self.assertEqual(self.credential(found, client_certificates=True).certificate, der)
            self.assertIs(self.credential(found).certificate, None)

    def test_no_tls(self) -> None:
        self.assertIs(self.credential(request(), client_certificates=True).certificate, None)
