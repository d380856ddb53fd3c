"""Access control of the same configuration, by registry:2 and by dregistry: the same challenges, errors and tokens."""

from __future__ import annotations

import http.client
import os
import re
import tempfile
import time
from base64 import b64encode
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from dregistry.auth._keys import certificate_kids

from ..auth.support import certificate, hashed, key, pem, token, x5c
from .docker_registry import DockerRegistry
from .server import RunningRegistry

REQUESTS = (
    ("GET", "/v2/", None),
    ("GET", "/v2/a/b/tags/list", None),
    ("HEAD", "/v2/a/b/manifests/v1", None),
    ("PUT", "/v2/a/b/manifests/v1", None),
    ("DELETE", "/v2/a/b/manifests/v1", None),
    ("POST", "/v2/a/b/blobs/uploads/", None),
    ("POST", f"/v2/a/b/blobs/uploads/?mount=sha256:{'0' * 64}&from=c/d", None),
    ("GET", "/v2/_catalog", None),
    ("GET", "/v2/a/b/tags/list", "Basic YTpi"),
    ("GET", "/v2/a/b/tags/list", "Basic ???"),
    ("GET", "/v2/a/b/tags/list", "Basic " + b64encode(b"alice:secret").decode()),
    ("GET", "/v2/a/b/tags/list", "Bearer x"),
    ("GET", "/v2/a/b/tags/list", "Bearer a.b.c"),
    ("GET", "/v2/a/b/tags/list", "Negotiate YTpi"),
    ("GET", "/v2/a/b/tags/list", ""),
)
Seen = tuple[int, list[str], bytes]


class InteropCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def write(self, name: str, content: bytes) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def both(self, section: dict[str, Any]) -> list[RunningRegistry]:
        """registry:2 and dregistry, running."""
        old = DockerRegistry(os.path.join(self.folder, "data"))
        with open(old._config, encoding="utf-8") as file:
            config = yaml.safe_load(file)
        with open(old._config, "w", encoding="utf-8") as file:
            yaml.safe_dump({**config, "auth": section}, file)
        return [self.enterContext(old), self.enterContext(RunningRegistry({"auth": section}))]

    def ask(self, registry: RunningRegistry, method: str, path: str, authorization: str | None) -> Seen:
        connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=30)
        try:
            headers = {} if authorization is None else {"Authorization": authorization}
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            challenges = answer.headers.get_all("WWW-Authenticate") or []
            return answer.status, [ordered(challenge) for challenge in challenges], answer.read()
        finally:
            connection.close()

    def assert_the_same(self, section: dict[str, Any]) -> None:
        old, new = self.both(section)
        for request in REQUESTS:
            self.assertEqual(self.ask(new, *request), self.ask(old, *request), request)


def ordered(challenge: str) -> str:
    """registry:2 lists resources and actions in no order."""

    def put_in_order(match: re.Match[str]) -> str:
        scopes = []
        for scope in match[1].split(" "):
            resource, _, actions = scope.rpartition(":")
            scopes.append(f"{resource}:{','.join(sorted(actions.split(',')))}")
        return f'scope="{" ".join(sorted(scopes))}"'

    return re.sub('scope="([^"]*)"', put_in_order, challenge)


def access(*actions: str) -> list[dict[str, Any]]:
    return [{"type": "repository", "name": "a/b", "actions": list(actions)}]


class ChallengeTests(InteropCase):
    def test_silly(self) -> None:
        self.assert_the_same({"silly": {"realm": "http://t.example/", "service": "s"}})

    def test_htpasswd(self) -> None:
        path = self.write("users", f"alice:{hashed('secret')}\n".encode())
        self.assert_the_same({"htpasswd": {"realm": 'a "good" realm', "path": path}})

    def test_token(self) -> None:
        bundle = self.write("bundle", pem(certificate("P-256")))
        self.assert_the_same(
            {"token": {"realm": "http://t.example/x", "service": "s", "issuer": "i", "rootcertbundle": bundle}}
        )


class TokenTests(InteropCase):
    def test_the_same_tokens(self) -> None:
        """By the name that libtrust gives the key, and with the certificate in the token."""
        root = certificate("P-256", starts=-1000, days=2000, authority=True)
        leaf = certificate("P-256-2", ("P-256", "P-256"), starts=-1000, days=2000)
        bundle = self.write("bundle", pem(root))
        old, new = self.both({"token": {"realm": "http://t/", "service": "s", "issuer": "i", "rootcertbundle": bundle}})
        *_, libtrust = certificate_kids(key("P-256").public_key())
        now = int(time.time())
        stranger = certificate("P-256-3", starts=-1000, days=2000)
        good = {"iss": "i", "aud": "s", "exp": now + 300, "nbf": now, "iat": now}
        for status, text in (
            (404, token(headers={"kid": libtrust}, **good)),
            (404, token("P-256-2", headers={"kid": None, "x5c": x5c(leaf)}, **good)),
            (404, token(headers={"kid": libtrust}, **{**good, "exp": now - 30})),
            (404, token(headers={"kid": libtrust}, access=access("*"), **good)),
            (401, token(headers={"kid": libtrust}, **{**good, "exp": now - 90})),
            (401, token(headers={"kid": libtrust}, **{**good, "nbf": now + 90})),
            (401, token(headers={"kid": libtrust}, **{**good, "aud": "other"})),
            (401, token(headers={"kid": libtrust}, **{**good, "iss": "other"})),
            (401, token("P-256-2", headers={"kid": libtrust}, **good)),
            (401, token("P-256-3", headers={"kid": None, "x5c": x5c(stranger)}, **good)),
            (401, token(headers={"kid": libtrust}, access=[], **good)),
            (401, token(headers={"kid": libtrust}, access=access("push"), **good)),
        ):
            request = ("GET", "/v2/a/b/tags/list", f"Bearer {text}")
            self.assertEqual(self.ask(old, *request)[0], status)
            self.assertEqual(self.ask(new, *request), self.ask(old, *request))
