"""The keys of ``log`` and ``http`` that are dregistry's own."""

from __future__ import annotations

import re
from pathlib import Path

from tests.config._loading import MINIMAL, LoadingTestCase

DOCS = Path(__file__).parents[2] / "docs"


class LogTests(LoadingTestCase):
    def test_defaults(self) -> None:
        log = self.config(MINIMAL).log
        self.assertEqual((log.level, log.formatter, log.responses, log.audit.file), ("info", "text", "failed", ""))
        self.assertEqual(log.accesslog.skip, ("/", "/livez", "/readyz"))

    def test_values(self) -> None:
        log = self.config(
            MINIMAL + "log: {responses: all, audit: {file: /var/log/a}, accesslog: {skip: [/v2/, '/a*']}}"
        ).log
        self.assertEqual((log.responses, log.audit.file, log.accesslog.skip), ("all", "/var/log/a", ("/v2/", "/a*")))
        self.assertEqual(self.config(MINIMAL + "log: {accesslog: {skip: []}, audit: {file: '-'}}").log.audit.file, "-")

    def test_faults(self) -> None:
        for section, path in (
            ("accesslog: {skip: [livez]}", "log.accesslog.skip"),
            ("accesslog: {skip: ['/a?b']}", "log.accesslog.skip"),
            ("audit: {file: audit.log}", "log.audit.file"),
            ("responses: none", "log.responses"),
            ("formatter: xml", "log.formatter"),
            ("level: trace", "log.level"),
        ):
            self.assertEqual(list(self.faults(MINIMAL + f"log: {{{section}}}")), [path])


class LimitTests(LoadingTestCase):
    def test_values(self) -> None:
        limits = self.config(
            MINIMAL
            + "http: {ratelimit: {rate: 0.5, burst: 3, per: user, writes: {rate: 2}, exempt: ['::1', 10.0.0.0/8]}}"
        ).http.ratelimit
        self.assertEqual((limits.rate, limits.burst, limits.per, limits.writes.rate), (0.5, 3, "user", 2.0))
        self.assertEqual(limits.exempt, ("::1", "10.0.0.0/8"))
        self.assertEqual(self.config(MINIMAL, {"REGISTRY_HTTP_RATELIMIT_RATE": "7"}).http.ratelimit.rate, 7.0)

    def test_faults(self) -> None:
        for section, path in (
            ("rate: -1", "rate"),
            ("rate: .inf", "rate"),
            ("rate: .nan", "rate"),
            ("burst: -1", "burst"),
            ("per: host", "per"),
            ("exempt: [unix]", "exempt"),
            ("exempt: [10.0.0.1/8]", "exempt"),
            ("writes: {rate: many}", "writes.rate"),
        ):
            faults = self.faults(MINIMAL + f"http: {{ratelimit: {{{section}}}}}")
            self.assertEqual(list(faults), [f"http.ratelimit.{path}"])


class CorsTests(LoadingTestCase):
    def test_values(self) -> None:
        for origin in ("https://ui.example.com", "http://localhost:8080", "http://[::1]:80", "*"):
            self.assertEqual(
                self.config(MINIMAL + f"http: {{cors: {{origins: ['{origin}']}}}}").http.cors.origins, (origin,)
            )

    def test_faults(self) -> None:
        for origin in ("ui.example.com", "https://ui.example.com/", "https://UI.example.com", "null", "https://*.x"):
            faults = self.faults(MINIMAL + f"http: {{cors: {{origins: ['{origin}']}}}}")
            self.assertEqual(list(faults), ["http.cors.origins"])

    def test_together(self) -> None:
        """What would be unsafe, or would not work."""
        faults = self.faults(MINIMAL + "http: {cors: {origins: ['*'], credentials: true}}")
        self.assertIn("name the origins", faults["http.cors"])
        headers = "headers: {Access-Control-Allow-Origin: ['*']}"
        faults = self.faults(MINIMAL + f"http: {{cors: {{origins: ['https://a']}}, {headers}}}")
        self.assertIn("headers.Access-Control-Allow-Origin", faults["http"])
        self.config(MINIMAL + f"http: {{{headers}}}")


class DocsTests(LoadingTestCase):
    def test_examples(self) -> None:
        """What the pages show can be configured so."""
        for name, count in (("logging.md", 1), ("limits.md", 3)):
            blocks = re.findall(r"^```yaml\n(.*?)^```", (DOCS / name).read_text(), re.MULTILINE | re.DOTALL)
            self.assertEqual(len(blocks), count)
            for block in blocks:
                self.config(MINIMAL + block)
