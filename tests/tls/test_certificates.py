"""Tests of :mod:`dregistry.tls._certificates`: files that change while the registry serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import Clock
from twisted.logger import LogLevel, globalLogPublisher
from zope.interface.verify import verifyObject

from dregistry.config import ConfigError
from dregistry.tls._certificates import LOOK_EVERY, Certificates

from .support import Authority, Link, TlsCase, hello


class CertificatesTests(TlsCase):
    def setUp(self) -> None:
        super().setUp()
        self.tls = self.section(clientcas=(self.authority.file,), clientauth="verify-client-cert-if-given")
        self.certificates = Certificates(self.tls, self.clock, "config.yml")
        self.certificates.start()
        self.addCleanup(self.certificates.stop)
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def link(self, context: SSL.Context | None = None) -> Link:
        return Link(self.certificates, context or self.client_context(), Clock(), hello).pump()

    def shown(self, link: Link | None = None) -> bytes:
        found = (link or self.link()).client.get_peer_certificate(as_cryptography=True)
        assert found is not None
        return found.public_bytes(Encoding.DER)

    def errors(self) -> list[str]:
        return [str(event["error"]) for event in self.events if event["log_level"] is LogLevel.error]

    def test_interface(self) -> None:
        verifyObject(IOpenSSLServerConnectionCreator, self.certificates)

    def test_bad_at_the_start(self) -> None:
        self.authority.write("server.key", b"")
        self.assertRaises(ConfigError, Certificates, self.tls, self.clock, "config.yml")

    def test_changed(self) -> None:
        """Within a minute; connections that are open go on with the one before."""
        before, open_before = self.shown(), self.link()
        self.authority.pair()
        self.assertEqual(self.shown(), before)
        self.clock.advance(LOOK_EVERY)
        self.assertNotEqual(self.shown(), before)
        self.assertIn(b"hello", open_before.ask())
        self.assertEqual(self.errors(), [])

    def test_reloaded(self) -> None:
        """At once, when asked to."""
        before = self.shown()
        self.authority.pair()
        self.certificates.reload()
        self.assertNotEqual(self.shown(), before)

    def test_unchanged(self) -> None:
        """The files are not read again."""
        context = self.certificates._context
        self.clock.pump([LOOK_EVERY] * 3)
        self.assertIs(self.certificates._context, context)

    def test_half_a_pair(self) -> None:
        """The new certificate without its key yet: the old pair stays, which is said once; then the new one comes."""
        before = self.shown()
        key = Path(self.tls.key).read_bytes()
        self.authority.pair()
        new_key = Path(self.tls.key).read_bytes()
        self.authority.write("server.key", key)
        self.clock.pump([LOOK_EVERY] * 3)
        self.assertEqual(self.shown(), before)
        [error] = self.errors()
        self.assertIn("is not the key of the first certificate", error)
        self.authority.write("server.key", new_key)
        self.clock.advance(LOOK_EVERY)
        self.assertNotEqual(self.shown(), before)

    def test_gone(self) -> None:
        before = self.shown()
        os.unlink(self.tls.certificate)
        self.clock.advance(LOOK_EVERY)
        self.assertEqual(self.shown(), before)
        self.assertIn("cannot be read: No such file", self.errors()[0])
        self.certificates.reload()
        self.assertEqual(self.shown(), before)

    def test_renamed_over(self) -> None:
        """As clients of ACME do, with symbolic links too: what a link leads to counts."""
        before = self.shown()
        os.rename(self.tls.certificate, self.tls.certificate + ".1")
        os.symlink(self.tls.certificate + ".1", self.tls.certificate)
        new = self.authority.pair(name="new")
        os.rename(new["key"], self.tls.key)
        os.symlink(new["certificate"], new["certificate"] + ".link")
        os.rename(new["certificate"] + ".link", self.tls.certificate)
        self.clock.advance(LOOK_EVERY)
        self.assertNotEqual(self.shown(), before)

    def test_authorities_of_clients(self) -> None:
        """They are watched, too."""
        os.mkdir(os.path.join(self.folder, "other"))
        other = Authority(os.path.join(self.folder, "other"))
        context = self.client_context(other.client_file())
        self.assertFalse(self.link(context).established)
        self.authority.write("ca.pem", self.authority.pem + other.pem)
        self.clock.advance(LOOK_EVERY)
        self.assertTrue(self.link(context).established)

    def test_stopped(self) -> None:
        before = self.shown()
        self.certificates.stop()
        self.certificates.stop()
        self.authority.pair()
        self.clock.advance(LOOK_EVERY)
        self.assertEqual(self.shown(), before)
