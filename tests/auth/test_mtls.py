"""Tests of :mod:`dregistry.auth.mtls`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.trial.unittest import TestCase

from dregistry.auth import AuthContext, Credential, NotRecognised
from dregistry.auth.mtls import Mtls, MtlsOptions
from dregistry.testing import AccessControllerSuite

from .support import AuthCase, certificate

SPIFFE = x509.UniformResourceIdentifier("spiffe://example.org/ns/default/sa/builder")


def presented(found: x509.Certificate) -> Credential:
    return Credential(certificate=found.public_bytes(Encoding.DER))


class MtlsTests(AccessControllerSuite, TestCase):
    user = "alice"

    def make_controller(self, context: AuthContext) -> Mtls:
        return Mtls(MtlsOptions(), context)

    def good(self) -> Credential:
        return presented(certificate("P-256", name="alice"))

    def bad(self) -> Sequence[Credential]:
        return [Credential(certificate=b"nonsense"), Credential(certificate=b"")]


class IdentityTests(AuthCase):
    def name(self, found: x509.Certificate, *identity: str, pattern: str = ".+") -> str:
        options: Any = MtlsOptions(tuple(identity) or ("commonname",), re.compile(pattern))
        return str(self.do(Mtls(options, self.context).authenticate(presented(found), ())).identity.name)

    def refuse(self, found: x509.Certificate, *identity: str, pattern: str = ".+") -> None:
        options: Any = MtlsOptions(tuple(identity) or ("commonname",), re.compile(pattern))
        self.refused(NotRecognised, Mtls(options, self.context).authenticate(presented(found), ()))

    def setUp(self) -> None:
        super().setUp()
        alternatives = [x509.DNSName("build.example"), x509.RFC822Name("alice@example.org"), SPIFFE]
        self.full = certificate("P-256", name="Alice Liddell", alternatives=alternatives)
        self.plain = certificate("P-256", name="plain")

    def test_attributes(self) -> None:
        for attribute, name in (
            ("commonname", "Alice Liddell"),
            ("dns", "build.example"),
            ("email", "alice@example.org"),
            ("uri", SPIFFE.value),
        ):
            self.assertEqual(self.name(self.full, attribute), name)

    def test_the_first_that_there_is(self) -> None:
        self.assertEqual(self.name(self.full, "uri", "commonname"), SPIFFE.value)
        self.assertEqual(self.name(self.plain, "uri", "commonname"), "plain")
        self.refuse(self.plain, "uri", "dns", "email")

    def test_pattern(self) -> None:
        """Its group is the name; what does not match as a whole is passed over."""
        service_account = "spiffe://example[.]org/ns/([a-z]+)/sa/[a-z]+"
        self.assertEqual(self.name(self.full, "uri", pattern=service_account), "default")
        self.assertEqual(self.name(self.full, "email", pattern=".*@example[.]org"), "alice@example.org")
        self.refuse(self.full, "uri", pattern="spiffe://example")
        self.refuse(self.full, "uri", pattern="()spiffe://.*")
        self.assertEqual(self.name(self.full, "uri", "email", pattern="([a-z]+)@.*"), "alice")

    def test_names_that_would_mislead(self) -> None:
        for name in ("alice\nroot", "alice\x00"):
            self.refuse(certificate("P-256", name=name))

    def test_of_an_authority(self) -> None:
        """As tools make them."""
        issued = trustme.CA().issue_cert("builder.example", common_name="builder")
        found = x509.load_pem_x509_certificate(issued.cert_chain_pems[0].bytes())
        self.assertEqual(self.name(found), "builder")
        self.assertEqual(self.name(found, "dns"), "builder.example")

    def test_beside_a_header(self) -> None:
        """What counts is the certificate."""
        credential = Credential("basic", "eDp5", certificate=self.plain.public_bytes(Encoding.DER))
        mtls = Mtls(MtlsOptions(), self.context)
        self.assertEqual(self.do(mtls.authenticate(credential, ())).identity.name, "plain")
