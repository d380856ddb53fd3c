"""Tests of :mod:`dregistry._pem`: certificates of authorities."""

from __future__ import annotations

import trustme
from OpenSSL.crypto import Error
from twisted.trial.unittest import SynchronousTestCase

from dregistry._pem import certificates


class PemTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.first, self.second = (trustme.CA().cert_pem.bytes().strip() for _ in range(2))

    def test_all(self) -> None:
        """With text between them, as bundles have."""
        found = certificates(b"# one\n" + self.first + b"\n# two\n" + self.second + b"\nthe end\n")
        self.assertEqual([each.dumpPEM().strip() for each in found], [self.first, self.second])

    def test_none(self) -> None:
        for pem in (b"", b"nonsense"):
            self.assertRaises(ValueError, certificates, pem)

    def test_not_whole(self) -> None:
        for pem in (self.first + b"\n" + self.second[:-5], self.first[5:] + b"\n" + self.second, self.first[:-5]):
            self.assertRaises(ValueError, certificates, pem)

    def test_nonsense_inside(self) -> None:
        lines = self.first.splitlines()
        self.assertRaises(Error, certificates, b"\n".join([lines[0], b"AAAA", lines[-1]]))
