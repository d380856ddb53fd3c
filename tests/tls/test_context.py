"""Tests of :mod:`dregistry.tls._context`: what clients are offered, and what files must hold."""

from __future__ import annotations

import os
from typing import Any

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from OpenSSL import SSL

from dregistry.config import ConfigError, Tls
from dregistry.tls._context import make_context

from .support import Authority, TlsCase


class OfferTests(TlsCase):
    def link(self, **more: Any) -> Any:
        return self.connect(self.section(**more)).pump()

    def test_default(self) -> None:
        link = self.connect()
        self.assertIn(b"hello", link.ask())
        self.assertEqual(link.client.get_protocol_version_name(), "TLSv1.3")
        self.assertEqual(link.client.get_cipher_name(), "TLS_AES_128_GCM_SHA256")

    def test_key_types(self) -> None:
        for key_type in trustme.KeyType:
            self.authority = Authority(self.folder, key_type)
            self.assertTrue(self.connect().pump().established, key_type)

    def test_intermediate(self) -> None:
        """The chain in the file is sent along."""
        root = trustme.CA()
        issued = root.create_child_ca().issue_cert("localhost")
        self.authority.write("ca.pem", root.cert_pem.bytes())
        files = {
            "certificate": self.authority.write("c", b"".join(each.bytes() for each in issued.cert_chain_pems)),
            "key": self.authority.write("k", issued.private_key_pem.bytes()),
        }
        self.assertTrue(self.connect(Tls(**files)).pump().established)

    def test_one_file(self) -> None:
        """The certificate and its key may be in the same."""
        both = self.authority.write("both", self.authority.issue().private_key_and_cert_chain_pem.bytes())
        self.assertTrue(self.connect(Tls(certificate=both, key=both)).pump().established)

    def versions(self, **more: Any) -> list[str]:
        found = []
        for name in ("TLS1_1_VERSION", "TLS1_2_VERSION", "TLS1_3_VERSION"):
            context = self.client_context()
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
            context.set_min_proto_version(getattr(SSL, name))
            context.set_max_proto_version(getattr(SSL, name))
            if self.connect(self.section(**more), context).pump().established:
                found.append(name[3:6])
        return found

    def test_versions(self) -> None:
        for wanted in ("", "tls1.0", "tls1.1", "tls1.2"):
            self.assertEqual(self.versions(minimumtls=wanted), ["1_2", "1_3"], wanted)
        self.assertEqual(self.versions(minimumtls="tls1.3"), ["1_3"])

    def suite(self, *names: str) -> str | None:
        """Of TLS 1.2."""
        context = self.client_context()
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        link = self.connect(self.section(ciphersuites=names), context).pump()
        name = link.client.get_cipher_name()
        return str(name) if link.established else None

    def test_suites(self) -> None:
        self.assertIn("GCM", self.suite() or "")
        self.assertEqual(self.suite("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"), "ECDHE-ECDSA-CHACHA20-POLY1305")
        self.assertEqual(self.suite("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"), "ECDHE-ECDSA-AES128-SHA")
        self.assertIsNone(self.suite("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"))  # of another kind of key

    def test_suites_in_the_order_of_the_file(self) -> None:
        first, second = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"
        self.assertEqual(self.suite(first, second), "ECDHE-ECDSA-AES256-GCM-SHA384")
        self.assertEqual(self.suite(second, first), "ECDHE-ECDSA-AES128-GCM-SHA256")

    def test_suites_of_tls_1_3_only(self) -> None:
        """There are none for TLS 1.2 then."""
        self.assertIsNone(self.suite("TLS_AES_128_GCM_SHA256"))
        self.assertTrue(self.link(ciphersuites=("TLS_AES_128_GCM_SHA256",)).established)

    def test_suites_that_are_gone(self) -> None:
        """RC4 beside others is passed over; alone, nothing is left of the list."""
        self.assertIsNotNone(self.suite("TLS_ECDHE_ECDSA_WITH_RC4_128_SHA", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"))
        error = self.assertRaises(
            ConfigError, make_context, self.section(ciphersuites=("TLS_RSA_WITH_RC4_128_SHA",)), "f"
        )
        self.assertIn("http.tls: OpenSSL does not take", str(error))

    def test_protocols(self) -> None:
        for offered, chosen in (([b"h2", b"http/1.1"], b"http/1.1"), ([b"h2"], b""), ([b"http/1.1"], b"http/1.1")):
            context = self.client_context()
            context.set_alpn_protos(offered)
            link = self.connect(context=context).pump()
            self.assertEqual((link.client.get_alpn_proto_negotiated(), link.established), (chosen, True))


class ClientCertificateTests(TlsCase):
    """Go's meaning of the four modes."""

    def setUp(self) -> None:
        super().setUp()
        self.mine = self.authority.client_file()
        os.mkdir(os.path.join(self.folder, "other"))
        self.strangers = Authority(os.path.join(self.folder, "other")).client_file()

    def link(self, mode: str, certificate: str | None) -> Any:
        tls = self.section(clientcas=(self.authority.file,), clientauth=mode)
        link = self.connect(tls, self.client_context(certificate)).pump()
        if link.established:
            link.ask()
        return link

    def test_modes(self) -> None:
        for mode, nothing, good, strange in (
            ("request-client-cert", True, True, True),
            ("require-any-client-cert", False, True, True),
            ("verify-client-cert-if-given", True, True, False),
            ("require-and-verify-client-cert", False, True, False),
        ):
            for certificate, expected in ((None, nothing), (self.mine, good), (self.strangers, strange)):
                link = self.link(mode, certificate)
                self.assertEqual(
                    (link.established, b"hello" in link.received), (expected, expected), (mode, certificate)
                )

    def test_without_authorities(self) -> None:
        """Nobody is asked for a certificate, whatever the mode."""
        tls = self.section(clientauth="require-and-verify-client-cert")
        link = self.connect(tls, self.client_context(self.mine)).pump()
        self.assertTrue(link.established)
        self.assertIsNone(link.server.getPeerCertificate())

    def test_the_clients_are_told_whose_certificates_are_wanted(self) -> None:
        [wanted] = self.link("verify-client-cert-if-given", None).client.get_client_ca_list()
        self.assertEqual(wanted.O, "trustme v" + trustme.__version__)


class FaultTests(TlsCase):
    def faults(self, **section: Any) -> dict[str, str]:
        error = self.assertRaises(ConfigError, make_context, Tls(**section), "config.yml")
        return {problem.path: problem.message for problem in error.problems}

    def fault(self, at: str, /, **section: Any) -> str:
        found = self.faults(**{**self.authority.pair(), **section})
        self.assertEqual(list(found), [at])
        return found[at]

    def test_missing_files(self) -> None:
        gone = os.path.join(self.folder, "gone")
        found = self.faults(certificate=gone, key=gone, clientcas=(gone,))
        self.assertEqual(list(found), ["http.tls.certificate", "http.tls.key", "http.tls.clientcas[0]"])
        for message in found.values():
            self.assertEqual(message, f"{gone} cannot be read: No such file or directory")

    def test_not_pem(self) -> None:
        for data in (b"", b"nonsense", b"\xff\x00", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            bad = self.authority.write("bad", data)
            self.assertEqual(self.fault("http.tls.certificate", certificate=bad), f"{bad}: no certificate in PEM")
            self.assertEqual(self.fault("http.tls.key", key=bad), f"{bad}: no key in PEM")
            self.assertEqual(self.fault("http.tls.clientcas[0]", clientcas=(bad,)), f"{bad}: no certificate in PEM")

    def test_another_key(self) -> None:
        other = self.authority.pair(name="other")["key"]
        self.assertIn(f"{other} is not the key of the first certificate", self.fault("http.tls.key", key=other))

    def test_encrypted_key(self) -> None:
        key: Any = load_pem_private_key(self.authority.issue().private_key_pem.bytes(), None)
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
        path = self.authority.write("encrypted", pem)
        self.assertEqual(self.fault("http.tls.key", key=path), f"{path}: the key is encrypted; it must not be")

    def test_the_key_is_not_in_the_report(self) -> None:
        text = self.authority.issue().private_key_pem.bytes().decode()
        secret = text.splitlines()[2]
        bad = self.authority.write("bad", text.replace("BEGIN", "BEGlN").encode())
        self.assertNotIn(secret, str(self.faults(certificate=bad, key=bad)))
