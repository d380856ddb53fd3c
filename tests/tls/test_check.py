"""Tests of :mod:`dregistry.tls._check`, and that what it finds is in the report of the whole file."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from dregistry.backends import read_setup
from dregistry.config import ConfigError, Problem

from .support import TlsCase


class CheckTests(TlsCase):
    def read(self, http: Any, **more: Any) -> tuple[dict[str, str], dict[str, str]]:
        """Faults and warnings."""
        sections = {"version": 0.1, "storage": "inmemory", "http": http, **more}
        path = self.authority.write("config.yml", yaml.safe_dump(sections).encode())
        warnings: list[Problem] = []
        try:
            read_setup(path, warnings.append)
        except ConfigError as error:
            return {problem.path: problem.message for problem in error.problems}, {}
        return {}, {problem.path: problem.message for problem in warnings}

    def faults(self, tls: Any, **more: Any) -> dict[str, str]:
        return self.read({"tls": tls, **more})[0]

    def test_good(self) -> None:
        for tls in ({}, self.authority.pair(), {**self.authority.pair(), "clientcas": [self.authority.file]}):
            self.assertEqual(self.read({"tls": tls}), ({}, {}))

    def test_without_certificate(self) -> None:
        """Nobody may believe that there is TLS."""
        pair = self.authority.pair()
        found = self.faults({"key": pair["key"], "clientcas": [self.authority.file]})
        self.assertEqual(list(found), ["http.tls.key", "http.tls.clientcas"])
        self.assertIn("without http.tls.certificate", found["http.tls.key"])

    def test_without_key(self) -> None:
        self.assertEqual(list(self.faults({"certificate": self.authority.pair()["certificate"]})), ["http.tls.key"])

    def test_bad_files(self) -> None:
        bad = self.authority.write("bad", b"nonsense")
        tls = {**self.authority.pair(), "key": bad, "clientcas": [bad, "/gone"]}
        here = self.faults(tls)
        self.assertEqual(list(here), ["http.tls.key", "http.tls.clientcas[0]", "http.tls.clientcas[1]"])

    def test_beside_other_faults(self) -> None:
        found, _ = self.read({"tls": {"certificate": "/gone", "key": "/gone"}}, auth={"nobody": {}})
        self.assertEqual(sorted(found), ["auth.nobody", "http.tls.certificate", "http.tls.key"])

    def test_identity_by_certificates_that_nobody_verifies(self) -> None:
        """It would never be known; that is said."""
        pair, cas = self.authority.pair(), [self.authority.file]
        for tls, warned in (
            ({}, True),
            (pair, True),
            ({**pair, "clientcas": cas, "clientauth": "require-any-client-cert"}, True),
            ({**pair, "clientcas": cas}, False),
            ({**pair, "clientcas": cas, "clientauth": "verify-client-cert-if-given"}, False),
        ):
            _, warnings = self.read({"tls": tls}, auth={"mtls": {"identity": ["commonname"]}})
            self.assertEqual(list(warnings), ["auth.mtls"] if warned else [])


class ImportTests(SynchronousTestCase):
    def test_without_openssl(self) -> None:
        """Whoever only checks, supervises or serves in clear text does not load it."""
        code = "import sys, dregistry.tls, dregistry.workers; print('OpenSSL' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "False\n")
