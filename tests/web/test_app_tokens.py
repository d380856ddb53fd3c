"""Tests of ``/auth/token``: distribution's protocol, as clients speak it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

from twisted.internet.task import Clock

from dregistry.auth import AccessControl, AuthContext, Policy, Rule, Slowdown, TokenDesk
from dregistry.auth.htpasswd import Htpasswd, HtpasswdOptions
from dregistry.auth.tokenserver import TokenServer, TokenServerOptions
from dregistry.testing import InlineThreads

from ..auth.support import NOW, basic, hashed
from ..storage.support import temporary_directory
from .app import Answer, AppCase

PATH = "/auth/token"
FORM = "application/x-www-form-urlencoded"
ALICE = f"Basic {basic('alice', 'secret').parameter}"


class TokenCase(AppCase):
    def setUp(self) -> None:
        super().setUp()
        folder = temporary_directory(self)
        with open(f"{folder}/users", "w") as file:
            file.write(f"alice:{hashed('secret')}\n")
        clock = Clock()
        clock.advance(NOW)
        context = AuthContext(clock, InlineThreads(), Slowdown(clock))
        htpasswd = Htpasswd(HtpasswdOptions("realm", f"{folder}/users"), context)
        server = TokenServer(TokenServerOptions(f"{folder}/keys"), context)
        rules = (
            Rule(("**",), frozenset({"alice"}), actions=frozenset({"*"})),
            Rule(("public/**",), anonymous=True, actions=frozenset({"pull"})),
        )
        control = AccessControl([htpasswd, server], Policy(rules))
        control.start()
        self.serve(access=control, tokens=TokenDesk(control, server))

    def get(self, status: int = 200, headers: dict[str, str] | None = None, **query: Any) -> Answer:
        found = self.ask("GET", f"{PATH}?{urlencode(query, doseq=True)}", status, **(headers or {}))
        if status == 200:
            self.assertEqual(found.headers["cache-control"], "no-store")
            self.assertEqual(found.headers["content-type"], "application/json")
        return found

    def post(self, status: int = 200, **fields: str) -> Answer:
        return self.ask("POST", PATH, status, urlencode(fields).encode(), content_type=FORM)


class GetTests(TokenCase):
    def test_members(self) -> None:
        found = self.get(service="dregistry", headers={"authorization": ALICE}).json
        self.assertEqual(found["token"], found["access_token"])
        self.assertEqual((found["expires_in"], found["issued_at"]), (300, "2027-01-15T08:00:00Z"))
        self.assertNotIn("refresh_token", found)

    def test_round(self) -> None:
        """From the challenge to the content."""
        found = self.refuse("GET", "/v2/a/b/tags/list", 401, "UNAUTHORIZED", host="localhost:5000")
        self.assertEqual(
            found.headers["www-authenticate"],
            'Bearer realm="http://localhost:5000/auth/token",service="dregistry",scope="repository:a/b:pull"',
        )
        token = self.get(scope="repository:a/b:pull", headers={"authorization": ALICE}).json["token"]
        self.refuse("GET", "/v2/a/b/tags/list", 404, "NAME_UNKNOWN", authorization=f"Bearer {token}")
        self.refuse("GET", "/v2/", 401, "UNAUTHORIZED")
        self.ask("GET", "/v2/", 200, authorization=f"Bearer {token}")

    def test_several_scopes(self) -> None:
        scopes = ["repository:a/b:pull,push", "repository:c:pull"]
        token = self.get(scope=scopes, headers={"authorization": ALICE}).json["token"]
        for name in ("a/b", "c"):
            self.refuse("GET", f"/v2/{name}/tags/list", 404, "NAME_UNKNOWN", authorization=f"Bearer {token}")

    def test_nobody(self) -> None:
        token = self.get(scope="repository:public/a:pull,push").json["token"]
        self.refuse("GET", "/v2/public/a/tags/list", 404, "NAME_UNKNOWN", authorization=f"Bearer {token}")
        self.refuse("POST", "/v2/public/a/blobs/uploads/", 401, "UNAUTHORIZED", authorization=f"Bearer {token}")

    def test_wrong(self) -> None:
        for header in (f"Basic {basic('alice', 'wrong').parameter}", "Basic ?", "Bearer x"):
            found = self.refuse("GET", PATH, 401, "UNAUTHORIZED", authorization=header)
            self.assertEqual(found.headers["www-authenticate"], 'Basic realm="realm"')

    def test_another_service(self) -> None:
        self.refuse("GET", f"{PATH}?service=other", 400, "UNSUPPORTED", authorization=ALICE)

    def test_offline(self) -> None:
        for value, given in (("true", True), ("false", False), ("", False)):
            found = self.get(offline_token=value, headers={"authorization": ALICE}).json
            self.assertEqual("refresh_token" in found, given)

    def test_methods(self) -> None:
        found = self.refuse("DELETE", PATH, 405, "UNSUPPORTED")
        self.assertEqual(found.headers["allow"], "GET, HEAD, POST")
        self.ask("OPTIONS", PATH, 200)

    def test_only_with_a_server(self) -> None:
        self.serve()
        self.refuse("GET", PATH, 404, "UNSUPPORTED")


class PostTests(TokenCase):
    def test_password(self) -> None:
        found = self.post(
            grant_type="password", username="alice", password="secret", service="dregistry", client_id="docker",
            access_type="offline", scope="repository:a/b:pull,push repository:c:pull",
        ).json  # fmt: skip
        self.assertEqual(found["scope"], "repository:a/b:pull repository:a/b:push repository:c:pull")
        self.assertEqual(found["expires_in"], 300)
        self.assertEqual(set(found), {"access_token", "expires_in", "issued_at", "refresh_token", "scope"})

    def test_refresh(self) -> None:
        token = self.post(grant_type="password", username="alice", password="secret", access_type="offline").json
        found = self.post(
            grant_type="refresh_token", refresh_token=token["refresh_token"], scope="repository:a/b:pull"
        ).json
        self.assertEqual((found["refresh_token"], found["scope"]), (token["refresh_token"], "repository:a/b:pull"))
        self.refuse("GET", "/v2/a/b/tags/list", 404, "NAME_UNKNOWN", authorization=f"Bearer {found['access_token']}")

    def test_refused(self) -> None:
        for fields in (
            {"grant_type": "password", "username": "alice", "password": "wrong"},
            {"grant_type": "password", "username": "nobody", "password": "secret"},
            {"grant_type": "password", "username": "alice"},
            {"grant_type": "password", "username": "al:ice", "password": "secret"},
            {"grant_type": "refresh_token", "refresh_token": "nonsense"},
        ):
            self.assertEqual(self.post(401, **fields).codes, ["UNAUTHORIZED"], fields)

    def test_malformed(self) -> None:
        for fields in ({}, {"grant_type": "authorization_code"}, {"grant_type": "refresh_token"}):
            self.assertEqual(self.post(400, **fields).codes, ["UNSUPPORTED"], fields)
        for body, media_type in (
            (b"grant_type=password&username=%FF", FORM),
            (b"grant_type=\xff", FORM),
            (b"&".join(b"a=b" for _ in range(1000)), FORM),
            (b"a" * 100_000, FORM),
            (json.dumps({"grant_type": "password"}).encode(), "application/json"),
        ):
            self.refuse("POST", PATH, 400, "UNSUPPORTED", body, content_type=media_type)

    def test_no_password_in_the_url(self) -> None:
        """Where it would be in the access log: it is not looked at there."""
        query = urlencode({"grant_type": "password", "username": "alice", "password": "secret"})
        self.refuse("POST", f"{PATH}?{query}", 400, "UNSUPPORTED", b"", content_type=FORM)

    def test_header_does_not_count(self) -> None:
        """A form says itself whose it is."""
        fields = urlencode({"grant_type": "password", "username": "alice", "password": "wrong"}).encode()
        self.refuse("POST", PATH, 401, "UNAUTHORIZED", fields, content_type=FORM, authorization=ALICE)
