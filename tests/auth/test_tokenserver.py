"""Tests of :mod:`dregistry.auth.tokenserver`, of the keys that it signs with, and of how users get its tokens."""

from __future__ import annotations

import json
import os
import stat
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from twisted.trial.unittest import TestCase

from dregistry.auth import (
    ANY,
    PULL,
    PUSH,
    REGISTRY,
    REPOSITORY,
    Access,
    AccessControl,
    AuthContext,
    Credential,
    Grant,
    Identity,
    InvalidCredential,
    OptionsInvalid,
    Policy,
    Refreshable,
    Rule,
    TokenAnswer,
    TokenDesk,
    TokenRequest,
    parse_scopes,
)
from dregistry.auth._signing import read_directory, renew
from dregistry.auth.htpasswd import Htpasswd, HtpasswdOptions
from dregistry.auth.tokenserver import TokenServer, TokenServerOptions, check
from dregistry.errors import BadRequest, Unauthorized, Unavailable
from dregistry.testing import AccessControllerSuite

from ..storage.support import temporary_directory
from .support import NOW, PULL_AB, PUSH_AB, AuthCase, basic, bearer, hashed, key, signed

DAY = 86400.0
ALICE = Identity("alice", frozenset({"team"}))


def said(token: str) -> dict[str, Any]:
    """The claims of a token."""
    payload = token.split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return found


class TokenServerTests(AccessControllerSuite, TestCase):
    user = "alice"

    async def make_controller(self, context: AuthContext) -> TokenServer:
        server = TokenServer(TokenServerOptions(os.path.join(temporary_directory(self), "keys")), context)
        server.start()
        self.issued = await server.issue(ALICE, (PULL_AB,))
        other = TokenServer(TokenServerOptions(os.path.join(temporary_directory(self), "keys")), context)
        other.start()
        self.foreign = await other.issue(ALICE, (PULL_AB,))
        self.refresh_token = await server.refresh_token(Refreshable(ALICE, "htpasswd", None))
        return server

    def good(self) -> Credential:
        return bearer(self.issued.token)

    def bad(self) -> Sequence[Credential]:
        assert self.refresh_token is not None
        return [
            bearer(self.issued.token[:-5]),
            bearer(self.foreign.token),
            bearer(self.refresh_token),  # gets tokens, and nothing else
        ]


class ServerCase(AuthCase):
    def serve(self, **options: Any) -> TokenServer:
        found = TokenServer(TokenServerOptions(self.path("keys"), **options), self.context)
        found.start()
        return found

    def ask(self, server: TokenServer, token: str) -> Grant:
        found = self.do(server.authenticate(bearer(token), ()))
        assert isinstance(found, Grant)
        return found

    def issue(self, server: TokenServer, *accesses: Access) -> str:
        return str(self.do(server.issue(ALICE, accesses or (PULL_AB, PUSH_AB))).token)


class IssueTests(ServerCase):
    def test_claims(self) -> None:
        server = self.serve(service="registry", issuer="me", lifetime=120.0)
        issued = self.do(server.issue(ALICE, (PULL_AB, PUSH_AB, Access(REGISTRY, "catalog", ANY))))
        claims = said(issued.token)
        self.assertEqual((issued.lifetime, issued.issued), (120.0, NOW))
        self.assertEqual(len(claims.pop("jti")), 36)
        self.assertEqual(
            claims,
            {
                "iss": "me", "sub": "alice", "aud": "registry", "iat": int(NOW), "nbf": int(NOW), "exp": int(NOW) + 120,
                "groups": ["team"],
                "access": [
                    {"type": "repository", "name": "a/b", "actions": ["pull", "push"]},
                    {"type": "registry", "name": "catalog", "actions": ["*"]},
                ],
            },
        )  # fmt: skip

    def test_grant(self) -> None:
        server = self.serve()
        grant = self.ask(server, self.issue(server, PULL_AB))
        assert grant.accesses is not None
        self.assertEqual(grant.identity, ALICE)
        self.assertTrue(PULL_AB in grant.accesses and PUSH_AB not in grant.accesses)

    def test_expires(self) -> None:
        server = self.serve()
        token = self.issue(server)
        self.clock.advance(304)
        self.ask(server, token)
        self.clock.advance(1)
        self.refused(InvalidCredential, server.authenticate(bearer(token), ()))

    def test_challenge(self) -> None:
        """Where the client came to, unless the configuration says otherwise."""
        credential = Credential(base_url=lambda: "https://r.example")
        challenge = self.serve(service="s").challenge(credential, (PULL_AB,), "")
        self.assertEqual(
            challenge, 'Bearer realm="https://r.example/auth/token",service="s",scope="repository:a/b:pull"'
        )
        self.assertIn('realm="https://r.example/t"', str(self.serve(path="/t").challenge(credential, (), "")))
        self.assertIn('realm="https://t/x"', str(self.serve(realm="https://t/x").challenge(credential, (), "")))


class RefreshTests(ServerCase):
    def test_redeemed(self) -> None:
        server = self.serve()
        for mark in ("m", None):
            made = Refreshable(ALICE, "htpasswd", mark)
            token = self.do(server.refresh_token(made))
            self.assertEqual(self.do(server.redeem(token)), made)
        self.clock.advance(30 * DAY - 1)
        self.assertEqual(self.do(server.redeem(token)), made)
        self.clock.advance(10)
        self.refused(InvalidCredential, server.redeem(token))

    def test_not_with_an_access_token(self) -> None:
        """Nor is one of another registry with the same keys."""
        server = self.serve()
        self.refused(InvalidCredential, server.redeem(self.issue(server)))
        other = self.do(self.serve(service="other").refresh_token(Refreshable(ALICE, "htpasswd", None)))
        self.refused(InvalidCredential, server.redeem(other))

    def test_none(self) -> None:
        self.assertIs(self.do(self.serve(refreshlifetime=0.0).refresh_token(Refreshable(ALICE, "x", None))), None)


class KeyTests(ServerCase):
    def names(self) -> list[str]:
        return sorted(name for name in os.listdir(self.path("keys")) if name.endswith(".pem"))

    def test_made(self) -> None:
        """For the owner only, and once."""
        self.serve()
        names = self.names()
        self.assertEqual(len(names), 1)
        self.assertEqual(stat.S_IMODE(os.stat(self.path("keys")).st_mode), 0o700)
        for name in os.listdir(self.path("keys")):
            self.assertEqual(stat.S_IMODE(os.stat(self.path(f"keys/{name}")).st_mode), 0o600, name)
        self.serve()
        self.assertEqual(self.names(), names)

    def test_whatever_the_umask(self) -> None:
        before = os.umask(0)
        try:
            self.serve()
        finally:
            os.umask(before)
        for name in self.names():
            self.assertEqual(stat.S_IMODE(os.stat(self.path(f"keys/{name}")).st_mode), 0o600)

    def test_shared(self) -> None:
        """Any process takes what another has signed, also by a key that was made a moment ago."""
        one, two = self.serve(), self.serve()
        self.ask(two, self.issue(one))
        self.clock.advance(30 * DAY)
        self.ask(two, self.issue(one))
        self.assertEqual(len(self.names()), 2)
        self.ask(one, self.issue(two))
        self.assertEqual(len(self.names()), 2)

    def test_made_a_moment_ago(self) -> None:
        """By another process, after this one has looked: it looks again for a token that names the key."""
        one, two = self.serve(), self.serve()
        self.ask(two, self.issue(one))
        os.unlink(self.path(f"keys/{self.names()[0]}"))
        self.clock.advance(0.5)
        three = self.serve()
        self.ask(two, self.issue(three))
        for kid in ("x", "A" * 43, "../keys"):
            hostile = signed(b'{"iss": "dregistry"}', key("P-256"), "ES256", {"kid": kid})
            self.refused(InvalidCredential, two.authenticate(bearer(hostile), ()))

    def test_rotation(self) -> None:
        """A key signs for a month, and verifies as long as something may be good that it has signed."""
        server = self.serve()
        refresh_token = self.do(server.refresh_token(Refreshable(ALICE, "htpasswd", None)))
        first = self.names()
        for _ in range(10):
            self.clock.advance(DAY * 2.9)
            self.issue(server)
        self.assertEqual(self.names(), first)
        self.do(server.redeem(refresh_token))
        self.clock.advance(DAY)
        self.issue(server)
        self.assertEqual(len(self.names()), 2)
        self.clock.advance(DAY * 29.9)
        self.assertIn(first[0], self.names())
        self.clock.advance(DAY * 0.2)
        self.issue(server)
        self.assertNotIn(first[0], self.names())
        self.assertEqual(len(self.names()), 2)

    def test_withdrawn(self) -> None:
        """A key that somebody deletes is gone, and with it all that it signed."""
        server = self.serve()
        token = self.issue(server)
        self.ask(server, token)
        os.unlink(self.path(f"keys/{self.names()[0]}"))
        self.clock.advance(1)
        self.refused(InvalidCredential, server.authenticate(bearer(token), ()))
        self.ask(server, self.issue(server))

    def test_others_could_read(self) -> None:
        """A key that is no secret is not used."""
        server = self.serve()
        [name] = self.names()
        for mode in (0o604, 0o602, 0o620, 0o666):
            os.chmod(self.path(f"keys/{name}"), mode)
            self.assertEqual(read_directory(self.path("keys")), [])
        os.chmod(self.path(f"keys/{name}"), 0o640)
        self.assertEqual(len(read_directory(self.path("keys"))), 1)
        os.chmod(self.path(f"keys/{name}"), 0o644)
        self.clock.advance(1)
        self.ask(server, self.issue(server))
        self.assertEqual(len(self.names()), 2)

    def test_other_files(self) -> None:
        """Left alone, whatever they are."""
        self.serve()
        [name] = self.names()
        with open(self.path(f"keys/{name}"), "rb") as file:
            content = file.read()
        other = f"1-{'A' * 43}.pem"
        for path, text in (
            ("README", b"hello"),
            (other, content),
            (f"2-{'B' * 43}.pem", b"no key"),
            ("x.pem", content),
        ):
            with open(self.path(f"keys/{path}"), "wb", opener=lambda each, flags: os.open(each, flags, 0o600)) as file:
                file.write(text)
        self.assertEqual([key.kid for key in read_directory(self.path("keys"))], [name.split("-", 1)[1][:-4]])
        server = self.serve()
        self.ask(server, self.issue(server))

    def test_no_directory(self) -> None:
        """503 until there is one."""
        self.write("keys", "a file")
        server = self.serve()
        self.refused(Unavailable, server.issue(ALICE, ()))
        self.refused(Unavailable, server.authenticate(bearer(self.issue(self.serve_elsewhere())), ()))
        os.unlink(self.path("keys"))
        self.clock.advance(1)
        self.ask(server, self.issue(server))

    def serve_elsewhere(self) -> TokenServer:
        found = TokenServer(TokenServerOptions(self.path("elsewhere")), self.context)
        found.start()
        return found

    def test_check(self) -> None:
        """Changes nothing."""
        check(TokenServerOptions(self.path("keys")))
        self.assertFalse(os.path.exists(self.path("keys")))
        for path, mode in (("file", None), ("open", 0o770), ("wide", 0o707)):
            if mode is None:
                self.write(path, "")
            else:
                os.mkdir(self.path(path))
                os.chmod(self.path(path), mode)
            error = self.assertRaises(OptionsInvalid, check, TokenServerOptions(self.path(path)))
            self.assertEqual(error.key, "keys")

    def test_many_processes_at_once(self) -> None:
        """One key comes of it."""
        with ProcessPoolExecutor(8) as pool:
            list(pool.map(renew, [self.path("keys")] * 8, [NOW] * 8, [DAY] * 8, [DAY] * 8))
        self.assertEqual(len(self.names()), 1)
        self.assertEqual([name for name in os.listdir(self.path("keys")) if name.endswith("~")], [])


class DeskCase(AuthCase):
    """Users of a file, a token server beside them, and a policy."""

    RULES: tuple[Rule, ...] | None = (
        Rule(("**", "public/**"), frozenset({"alice"}), actions=frozenset({ANY})),
        Rule(("public/**",), anonymous=True, actions=frozenset({PULL})),
        Rule(("public/**",), frozenset({"bob"}), actions=frozenset({PULL, PUSH})),
        Rule(("team/**",), frozenset(), frozenset({"team"}), actions=frozenset({PULL})),
    )

    def setUp(self) -> None:
        super().setUp()
        self.users(alice="secret", bob="hunter2")
        self.htpasswd = Htpasswd(HtpasswdOptions("realm", self.path("users")), self.context)
        self.server = TokenServer(TokenServerOptions(self.path("keys")), self.context)
        policy = None if self.RULES is None else Policy(self.RULES)
        self.control = AccessControl([self.htpasswd, self.server], policy, {"team": ["bob"]})
        self.control.start()
        self.desk = TokenDesk(self.control, self.server)

    def users(self, **passwords: str) -> None:
        self.write("users", "".join(f"{name}:{hashed(password)}\n" for name, password in passwords.items()))
        self.clock.advance(1)

    def get(self, credential: Credential, *scopes: str, **more: Any) -> TokenAnswer:
        found = self.do(self.desk.answer(TokenRequest(credential, accesses=parse_scopes(scopes), **more)))
        assert isinstance(found, TokenAnswer)
        return found

    def scope(self, credential: Credential, *scopes: str) -> list[str]:
        """What is granted; the token says the same."""
        answer = self.get(credential, *scopes)
        listed = [
            f"{each['type']}:{each['name']}:{action}"
            for each in said(answer.token.token)["access"]
            for action in each["actions"]
        ]
        self.assertEqual(listed, [f"{each.type}:{each.name}:{each.action}" for each in answer.accesses])
        return listed

    def refuse(self, credential: Credential, **more: Any) -> Unauthorized:
        found = self.refused(Unauthorized, self.desk.answer(TokenRequest(credential, **more)))
        assert isinstance(found, Unauthorized)
        return found


class DeskTests(DeskCase):
    def test_scopes(self) -> None:
        """Of what is asked for, what the policy grants. Less is no error."""
        alice, bob, nobody = basic("alice", "secret"), basic("bob", "hunter2"), Credential()
        everything = "repository:public/a:pull,push,delete"
        for credential, granted in ((alice, "pull push delete"), (bob, "pull push"), (nobody, "pull")):
            expected = [f"repository:public/a:{action}" for action in granted.split()]
            self.assertEqual(self.scope(credential, everything), expected)
            self.assertEqual(self.scope(credential, "repository:public/a:*"), expected)
        self.assertEqual(self.scope(bob, "repository:x:pull,push"), [])
        self.assertEqual(self.scope(bob, "repository:team/a:pull,push"), ["repository:team/a:pull"])
        self.assertEqual(self.scope(bob), [])
        self.assertEqual(self.scope(bob, "registry:catalog:*", "registry:events:*"), ["registry:catalog:*"])
        self.assertEqual(
            self.scope(alice, "repository:a:pull repository:b:push", "repository:c:delete"),
            ["repository:a:pull", "repository:b:push", "repository:c:delete"],
        )

    def test_token_in_use(self) -> None:
        """With it, and without a password, what it says may be done, and nothing else."""
        token = bearer(self.get(basic("bob", "hunter2"), "repository:public/a:pull,push").token.token)
        granted = [Access(REPOSITORY, "public/a", action) for action in (PULL, PUSH)]
        self.assertEqual(self.do(self.control.authorize(token, granted)).identity.name, "bob")
        self.refused(Unauthorized, self.control.authorize(token, [Access(REPOSITORY, "public/b", PULL)]))
        anonymous = bearer(self.get(Credential(), "repository:public/a:pull").token.token)
        self.do(self.control.authorize(anonymous, granted[:1]))
        self.refused(Unauthorized, self.control.authorize(anonymous, granted))

    def test_groups_of_the_configuration(self) -> None:
        """They are not in the token: whoever is taken out of one is out at once."""
        answer = self.get(basic("bob", "hunter2"), "repository:team/a:pull")
        self.assertNotIn("groups", said(answer.token.token))
        control = AccessControl([self.htpasswd, self.server], self.control.policy, {"team": ["carol"]})
        accesses = [Access(REPOSITORY, "team/a", PULL)]
        self.do(self.control.authorize(bearer(answer.token.token), accesses))
        self.assertIn("bob", str(self.failure(control, bearer(answer.token.token), accesses)))

    def failure(self, control: AccessControl, credential: Credential, accesses: Sequence[Access]) -> Exception:
        found: Exception = self.refused(Exception, control.authorize(credential, accesses))
        return found

    def test_refused(self) -> None:
        """By the challenge of what has the passwords: there is no token to be had without."""
        for credential in (basic("alice", "wrong"), basic("nobody", "secret"), Credential("basic", "?")):
            self.assertEqual(self.refuse(credential).challenges, ['Basic realm="realm"'])

    def test_no_tokens_for_tokens(self) -> None:
        """A token cannot prolong itself."""
        token = self.get(basic("alice", "secret")).token.token
        self.refuse(bearer(token), offline=True)

    def test_another_service(self) -> None:
        self.get(basic("alice", "secret"), service="dregistry")
        self.refused(BadRequest, self.desk.answer(TokenRequest(basic("alice", "secret"), service="other")))

    def test_passwords_still_do(self) -> None:
        """``curl --user`` needs no token; what is asked for is a token."""
        self.do(self.control.authorize(basic("alice", "secret"), [PULL_AB]))
        error = self.refused(Unauthorized, self.control.authorize(Credential(), [PULL_AB]))
        [challenge] = error.challenges
        self.assertTrue(challenge.startswith("Bearer "))


class RefreshTokenTests(DeskCase):
    def refresh(self, token: str | None, *scopes: str) -> TokenAnswer:
        assert token is not None
        return self.get(Credential(), *scopes, refresh_token=token)

    def test_only_if_wanted(self) -> None:
        self.assertIs(self.get(basic("alice", "secret")).refresh_token, None)
        self.assertIsNot(self.get(basic("alice", "secret"), offline=True).refresh_token, None)
        self.assertIs(self.get(Credential(), offline=True).refresh_token, None)

    def test_refreshed(self) -> None:
        token = self.get(basic("bob", "hunter2"), offline=True).refresh_token
        self.clock.advance(DAY)
        answer = self.refresh(token, "repository:public/a:pull,push,delete")
        self.assertEqual([each.action for each in answer.accesses], [PULL, PUSH])
        self.assertEqual(answer.refresh_token, token)
        self.assertEqual(said(answer.token.token)["sub"], "bob")

    def test_changed_password(self) -> None:
        """A stolen refresh token is worth nothing once the password is another."""
        token = self.get(basic("alice", "secret"), offline=True).refresh_token
        self.users(alice="other", bob="hunter2")
        self.refuse(Credential(), refresh_token=token)

    def test_user_is_gone(self) -> None:
        token = self.get(basic("alice", "secret"), offline=True).refresh_token
        self.users(bob="hunter2")
        self.refuse(Credential(), refresh_token=token)

    def test_nonsense(self) -> None:
        for token in ("x", "a.b.c", self.get(basic("alice", "secret")).token.token):
            self.refuse(Credential(), refresh_token=token)

    def test_controller_is_gone(self) -> None:
        token = self.do(self.server.refresh_token(Refreshable(Identity("alice"), "ldap", None)))
        self.refuse(Credential(), refresh_token=token)


class WithoutPolicyTests(DeskCase):
    RULES = None

    def test_everything_for_users(self) -> None:
        self.assertEqual(
            self.scope(basic("bob", "hunter2"), "repository:a:*", "registry:catalog:*"),
            ["repository:a:pull", "repository:a:push", "repository:a:delete", "registry:catalog:*"],
        )

    def test_nothing_for_others(self) -> None:
        self.assertEqual(self.refuse(Credential()).challenges, ['Basic realm="realm"'])


class ScopeTests(AuthCase):
    def test_parsed(self) -> None:
        for scope, expected in (
            ("repository:a/b:pull", ["a/b pull"]),
            ("repository:a/b:push,pull", ["a/b pull", "a/b push"]),
            ("repository(plugin):a/b:pull", ["a/b pull"]),
            ("repository:a/b:*", ["a/b pull", "a/b push", "a/b delete"]),
            ("repository:a:pull repository:b:pull", ["a pull", "b pull"]),
            ("repository:a:pull repository:a:pull,push", ["a pull", "a push"]),
            ("registry:catalog:*", ["catalog *"]),
            ("", []),
            ("repository:a:", []),
            ("repository:a:frobnicate", []),
            ("repository::pull", []),
            ("repository:A:pull", []),
            ("repository:a/../b:pull", []),
            ("repository:localhost:5000/a:pull", []),  # a name of this registry has no host
            ("repository:a", []),
            ("nonsense", []),
            ("Repository:a:pull", []),
        ):
            found = parse_scopes([scope])
            self.assertEqual([f"{access.name} {access.action}" for access in found], expected, scope)

    def test_bounded(self) -> None:
        self.assertEqual(len(parse_scopes([f"repository:a{number}:pull" for number in range(1000)])), 100)


class ClockTests(AuthCase):
    def test_key_from_the_future(self) -> None:
        """A replica whose clock is ahead does no harm."""
        os.makedirs(self.path("keys"), 0o700)
        renew(self.path("keys"), NOW + 5 * DAY, DAY, DAY)
        server = TokenServer(TokenServerOptions(self.path("keys")), self.context)
        server.start()
        self.do(server.issue(ALICE, ()))
        self.assertEqual(len(read_directory(self.path("keys"))), 1)
