"""The effective configuration as text."""

from dregistry.config import load, render
from tests.config._loading import MINIMAL, LoadingTestCase
from tests.config.test_load import REGISTRY_2, REGISTRY_3

SECRETS = """
version: 0.1
storage:
  s3:
    accesskey: hidden-1
    secretkey: hidden-2
    region: shown-1
    keyid: shown-2
    nested: [{password: hidden-3}]
    accountkey: hidden-4
    connectionstring: hidden-5
    credentials: {type: hidden-6, private_key: [hidden-7], port: 999999}
    secure: true
    sessiontoken: 888888
    secret:
log:
  fields: {team: shown-3, api-token: hidden-8}
  hooks: [{disabled: true, options: {smtp: {username: shown-4, password: hidden-9}}}]
http:
  secret: hidden-10
  headers: {Set-Cookie: [hidden-11], X-Shown: [shown-5]}
redis: {password: hidden-12, sentinelpassword: hidden-13, username: shown-6}
proxy: {username: shown-7, password: hidden-14}
notifications:
  endpoints:
    - disabled: true
      url: https://shown-8:hidden-15@shown-9/?a=shown-10&token=hidden-16
      headers: {Authorization: [Bearer hidden-17], x-api-secret: [hidden-18]}
middleware:
  storage: [{name: shown-11, disabled: true, options: {privatekey: hidden-19, at: [shown-12]}}]
health:
  http: [{uri: http://shown-13/, headers: {authorization: [Basic hidden-20]}, timeout: 3s}]
auth:
  controllers:
    - token: {realm: https://shown-14:hidden-23@x/, service: shown-15, clientsecret: hidden-24}
    - ldap: {bindpassword: hidden-25, token: hidden-26}
  tokenserver: {keys: /shown-16}
reporting: {newrelic: {licensekey: hidden-21}, bugsnag: {apikey: hidden-22}}
"""


class SecretTests(LoadingTestCase):
    """What is masked, and what is not."""

    def test_masked(self) -> None:
        shown = render(self.load(SECRETS).config)
        self.assertNotIn("hidden", shown)
        self.assertNotIn("999999", shown)
        self.assertNotIn("888888", shown)
        for number in range(1, 17):
            self.assertIn(f"shown-{number}", shown)
        self.assertIn("secure: true", shown)

    def test_empty_stays_empty(self) -> None:
        self.assertIn("secret: ''", render(self.config(MINIMAL)))

    def test_no_secret_in_the_report(self) -> None:
        faults = self.faults(MINIMAL + "http: {secret: [hidden]}\nproxy: {password: {hidden: hidden}}")
        self.assertNotIn("hidden", str(faults))


class ReadBackTests(LoadingTestCase):
    """The text is a configuration: the same one, where it holds no secrets."""

    def test_reads_back(self) -> None:
        full = MINIMAL + (
            "http: {draintimeout: 1.5s, headers: {A: [b]}}\nvalidation: {manifests: {urls: {allow: [a+]}}}\n"
            "proxy: {ttl: 0, exec: {command: a}}\nlog: {fields: {at: 2001-01-01, n: 1.5}}\n"
            "middleware: {storage: [{disabled: true, options: {a: [1]}}]}\n"
            "notifications: {endpoints: [{disabled: true, timeout: 5ms}]}\n"
            "auth: {htpasswd: {realm: a}, tokenserver: {keys: /k}, groups: {g: [a, b]},"
            " policy: [{repositories: ['**'], users: [a], actions: ['*', pull]}]}\n"
        )
        for text in (REGISTRY_2, REGISTRY_3, MINIMAL, full, "version: 0.1\nstorage: {s3: {a: {b: }}}"):
            config = self.load(text).config
            again = load(render(config), source="rendered", environ={})
            self.assertEqual(again.config, config)
