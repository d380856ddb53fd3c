"""Tests of TLS to the service, and of a process that speaks none."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from twisted.internet.ssl import PrivateCertificate
from twisted.trial.unittest import SynchronousTestCase, TestCase

from dregistry.storage import StorageUnavailable
from dregistry.storage.s3._certificates import make_policy

from .scripted_s3 import reply, scripted_driver

_PLAIN = """
import sys
from dregistry._tls import tls_if
from dregistry.backends import read_setup
from dregistry.storage import DriverContext

setup = read_setup(sys.argv[1])
with tls_if(setup.needs_tls):
    from twisted.internet import reactor
setup.storage.build_driver(DriverContext(reactor, None))
print(setup.needs_tls, "OpenSSL" in sys.modules)
"""


def self_signed(common_name: str = "localhost") -> tuple[PrivateCertificate, bytes]:
    """Of that host; and as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(common_name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return PrivateCertificate.loadPEM(pem + secret), pem


class TlsTests(TestCase):
    def setUp(self) -> None:
        self.certificate, self.pem = self_signed()
        self.enterContext(mock.patch.dict(os.environ))
        os.environ.pop("AWS_CA_BUNDLE", None)

    def driver(self, **options: Any) -> Any:
        service, driver = scripted_driver(self, self.certificate, forcepathstyle=True, **options)
        service.start(*[reply(200, b"content")] * 6)
        self.service = service
        return driver

    async def test_unknown_certificate(self) -> None:
        try:
            await self.driver().get_content("/a")
        except StorageUnavailable as raised:
            self.assertIn("certificate verify failed", raised.reason)
        else:
            self.fail("it is trusted")

    async def test_skip_verify(self) -> None:
        driver = self.driver(skipverify=True)
        self.assertEqual(await driver.get_content("/a"), b"content")

    async def test_bundle(self) -> None:
        file = self.enterContext(tempfile.NamedTemporaryFile())
        file.write(b"a comment\n" + self_signed("other.example")[1] + self.pem)
        file.flush()
        os.environ["AWS_CA_BUNDLE"] = file.name
        self.assertEqual(await self.driver().get_content("/a"), b"content")

    async def test_bundle_that_cannot_be_used(self) -> None:
        os.environ["AWS_CA_BUNDLE"] = "/nothing/there"
        error = self.assertRaises(ValueError, make_policy, True)
        self.assertIn("AWS_CA_BUNDLE=/nothing/there", str(error))

    async def test_large_bodies_are_not_hashed(self) -> None:
        """TLS protects them."""
        driver = self.driver(skipverify=True)
        await driver.put_content("/a", b"x" * 100_000)
        self.assertEqual(self.service.asked[0].headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD")
        await driver.put_content("/a", b"x")
        self.assertEqual(len(self.service.asked[1].headers["x-amz-content-sha256"]), 64)


class PlainTests(SynchronousTestCase):
    def loaded(self, endpoint: str) -> str:
        """What a process says of TLS that builds a driver."""
        with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
            file.write(f"version: 0.1\nstorage: {{s3: {{bucket: bucket, regionendpoint: '{endpoint}'}}}}\n")
            file.flush()
            environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            command = [sys.executable, "-c", _PLAIN, file.name]
            return subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout.strip()

    def test_pyopenssl_is_loaded_for_tls_only(self) -> None:
        self.assertEqual(self.loaded("http://s3.example.com"), "False False")
        self.assertEqual(self.loaded("https://s3.example.com"), "True True")
