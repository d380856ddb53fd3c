"""What this version refuses, and what it accepts without effect."""

from typing import Any

from dregistry.config import Configuration
from dregistry.config._refuse import REFUSED, WARNED
from dregistry.config._shape import item_type, keys_of, section_class, value_type
from tests.config._loading import MINIMAL, LoadingTestCase

REFUSALS = {
    "proxy: {remoteurl: 'https://a'}": "proxy.remoteurl",
    "proxy: {upstreams: [{name: a}]}": "proxy.upstreams",
    "http: {tls: {letsencrypt: {email: a@b}}}": "http.tls.letsencrypt",
    "http: {tls: {letsencrypt: {hosts: [a]}}}": "http.tls.letsencrypt",
    "http: {h2c: {enabled: true}}": "http.h2c.enabled",
    "http: {h2c: {enabled: y}}": "http.h2c.enabled",
    "middleware: {registry: [{name: a}]}": "middleware.registry[0]",
    "middleware: {repository: [{name: a, disabled: true}, {name: b, disabled: false}]}": "middleware.repository[1]",
}

WARNINGS = {
    "log: {hooks: [{type: mail}]}": "log.hooks[0]",
    "reporting: {bugsnag: {apikey: a}}": "reporting",
    "http: {tls: {minimumtls: tls1.0}}": "http.tls.minimumtls",
    "http: {tls: {minimumtls: TLS1.1}}": "http.tls.minimumtls",
    "compatibility: {schema1: {enabled: true}}": "compatibility.schema1.enabled",
    "validation: {enabled: true}": "validation.enabled",
}

ACCEPTED = (
    "auth:",
    "auth: {}",
    "auth: none",
    "auth: silly",
    "auth: {htpasswd: {realm: a, path: /b}}",
    "policy: {repository: {classes: [image]}}",
    "proxy: {remoteurl: '', username: a, ttl: 1h, upstreams: []}",
    "http: {tls: {}}",
    "http: {tls: {certificate: '', key: , clientcas: [], letsencrypt: {}, minimumtls: tls1.2}}",
    "http: {tls: {certificate: /a, key: /b, clientcas: [/c], minimumtls: tls1.3}}",
    "http: {tls: {ciphersuites: [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_AES_128_GCM_SHA256], minimumtls: ''}}",
    "http: {tls: {letsencrypt: {cachefile: '', hosts: []}}}",
    "http: {h2c: {enabled: false}, http2: {disabled: true}, secret: a}",
    "middleware: {storage: [{name: a}], registry: [{name: a, disabled: true}]}",
    "notifications: {endpoints: [{url: 'http://a'}], events: {includereferences: true}}",
    "health: {storagedriver: {enabled: false, interval: 5s}, file: []}",
    "http: {debug: {addr: '', prometheus: {enabled: true}}}",
    "log: {formatter: text, hooks: [{disabled: true}]}",
    "log: {formatter: json}",
    "log: {formatter: Logstash}",
    "policy: {repository: {classes: []}}",
    "reporting: {bugsnag: {apikey: ''}}",
    "redis: {addrs: ['a:1'], tls: {enabled: false}}",
    "compatibility: {schema1: {enabled: false}}",
)


class RefusedTests(LoadingTestCase):
    """Nobody may believe that something is on which is not."""

    def test_each(self) -> None:
        for section, path in REFUSALS.items():
            faults = self.faults(MINIMAL + section)
            self.assertEqual(list(faults), [path], section)
            self.assertIn("not supported by this version, and starting without", faults[path])
            self.assertIn("remove it to start", faults[path])

    def test_every_rule_is_tried(self) -> None:
        tried = " ".join(REFUSALS.values())
        for rule in REFUSED:
            self.assertIn(rule.pattern.split(".*")[0], tried)

    def test_beside_other_faults_of_the_section(self) -> None:
        section = "http: {workers: 0, tls: {letsencrypt: {email: a@b}, clientcas: 5}}\nauth: [a]\nproxy: 1"
        faults = self.faults(MINIMAL + section)
        self.assertEqual(
            sorted(faults), ["auth", "http.tls.clientcas", "http.tls.letsencrypt", "http.workers", "proxy"]
        )


class WarnedTests(LoadingTestCase):
    """What is accepted and has no effect yet."""

    def test_each(self) -> None:
        for section, path in WARNINGS.items():
            warnings = self.warnings(MINIMAL + section)
            self.assertEqual(list(warnings), [path], section)
            self.assertIn("has no effect", warnings[path])

    def test_every_rule_is_tried(self) -> None:
        tried = " ".join(WARNINGS.values())
        for rule in WARNED:
            self.assertIn(rule.pattern.split(".*")[0], tried)


class AcceptedTests(LoadingTestCase):
    """Empty and switched-off sections are fine."""

    def test_each(self) -> None:
        for section in ACCEPTED:
            self.config(MINIMAL + section)


class PatternTests(LoadingTestCase):
    """The tables speak of keys that exist."""

    def test_paths(self) -> None:
        for rule in (*REFUSED, *WARNED):
            type_: Any = Configuration
            for step in rule.pattern.split("."):
                section = section_class(type_)
                if section is not None:
                    self.assertIn(step, keys_of(section), rule.pattern)
                    type_ = keys_of(section)[step].type
                else:
                    self.assertEqual(step, "*", rule.pattern)
                    type_ = item_type(type_) or value_type(type_)
