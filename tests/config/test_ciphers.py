"""Cipher suites and versions of TLS: what a file may say."""

from dregistry.config._ciphers import SUITES, TLS13_SUITES
from tests.config._loading import MINIMAL, LoadingTestCase


class SuiteTests(LoadingTestCase):
    def test_known(self) -> None:
        for name in (*SUITES, *TLS13_SUITES):
            config = self.config(MINIMAL + f"http: {{tls: {{ciphersuites: [{name}]}}}}")
            self.assertEqual(config.http.tls.ciphersuites, (name,))

    def test_unknown(self) -> None:
        for name, hint in (
            ("tls_rsa_with_aes_128_cbc_sha", "TLS_RSA_WITH_AES_128_CBC_SHA"),
            ("TLS_AES_128_GCM_SHA265", "TLS_AES_128_GCM_SHA256"),
        ):
            [(path, message)] = self.faults(MINIMAL + f"http: {{tls: {{ciphersuites: [{name}]}}}}").items()
            self.assertEqual(path, "http.tls.ciphersuites")
            self.assertEqual(message, f"unknown cipher suite {name!r}; did you mean {hint}?")
        [message] = self.faults(MINIMAL + "http: {tls: {ciphersuites: [x]}}").values()
        self.assertEqual(message, "unknown cipher suite 'x'")

    def test_versions(self) -> None:
        for name in ("ssl3", "tls1", "tls1.4"):
            faults = self.faults(MINIMAL + f"http: {{tls: {{minimumtls: {name}}}}}")
            self.assertEqual(list(faults), ["http.tls.minimumtls"])
            self.assertIn("tls1.2", faults["http.tls.minimumtls"])
