"""Tests of :mod:`dregistry.backends`: from the ``auth`` section to access control."""

from __future__ import annotations

import os
import pickle
from typing import Any

from twisted.internet.task import Clock

from dregistry.auth import PULL, REPOSITORY, Access, AccessControl, AuthContext, Identity, Policy, Slowdown
from dregistry.backends import AuthChoice, choose_auth
from dregistry.config import ConfigError, Problem
from dregistry.testing import InlineThreads

from .auth.support import hashed
from .config._loading import MINIMAL, LoadingTestCase
from .storage.support import temporary_directory

HTPASSWD = "htpasswd: {realm: r, path: FOLDER/users}"
TOKENSERVER = "tokenserver: {keys: FOLDER/keys}"
TOKEN = "token: {realm: 'https://t/', service: s, issuer: i, jwks: 'https://t/jwks'}"


class AuthCase(LoadingTestCase):
    def setUp(self) -> None:
        self.warned: list[Problem] = []
        self.folder = temporary_directory(self)
        with open(os.path.join(self.folder, "users"), "w") as file:
            file.write(f"alice:{hashed('secret')}\n")

    def choose(self, section: str) -> AuthChoice:
        """:param section: the members of ``auth``, a list of lines."""
        return choose_auth(self.config(MINIMAL + self.text(section)), "test.yml", self.warned.append)

    def text(self, section: str) -> str:
        lines = [f"  {line}" for line in section.replace("FOLDER", self.folder).splitlines()]
        return "\n".join(["auth:", *lines])

    def control(self, section: str) -> AccessControl:
        clock = Clock()
        found = self.choose(section).build_control(AuthContext(clock, InlineThreads(), Slowdown(clock)))
        assert found is not None
        return found

    def controllers(self, section: str) -> list[str]:
        return [controller.name for controller in self.control(section).controllers]

    def wrong(self, section: str) -> dict[str, str]:
        """The faults, by path."""
        error = self.assertRaises(ConfigError, self.choose, section)
        return {problem.path: problem.message for problem in error.problems}


class ControllerTests(AuthCase):
    def test_none(self) -> None:
        clock = Clock()
        context = AuthContext(clock, InlineThreads(), Slowdown(clock))
        for text in ("", "auth:", "auth: {}", "auth: none", "auth: {none: }", "auth: {groups: {a: [b]}}"):
            choice = choose_auth(self.config(MINIMAL + text), "test.yml", self.warned.append)
            self.assertIs(choice.build_control(context), None, text)
            self.assertFalse(choice.needs_tls)

    def test_each(self) -> None:
        for section, name in (
            ("silly: {realm: r, service: s}", "silly"),
            (HTPASSWD, "htpasswd"),
            (TOKEN, "token"),
            (TOKENSERVER, "tokenserver"),
            ("mtls:", "mtls"),
            ("mtls: {identity: [uri, commonname], pattern: 'spiffe://(.*)'}", "mtls"),
        ):
            self.assertEqual(self.controllers(section), [name])

    def test_several(self) -> None:
        """In the order of the list, the token server at the end."""
        self.assertEqual(
            self.controllers(f"controllers:\n  - mtls:\n  - {HTPASSWD}\n{TOKENSERVER}"),
            ["mtls", "htpasswd", "tokenserver"],
        )
        self.assertEqual(self.controllers(f"controllers:\n  - {TOKEN}\n  - {HTPASSWD}"), ["token", "htpasswd"])
        self.assertEqual(self.controllers(f"{HTPASSWD}\n{TOKENSERVER}"), ["htpasswd", "tokenserver"])

    def test_order_within_a_section_counts_for_nothing(self) -> None:
        self.assertEqual(self.controllers(f"{TOKENSERVER}\n{HTPASSWD}"), ["htpasswd", "tokenserver"])

    def test_faults(self) -> None:
        for section, path, message in (
            ("htpasswd: {path: FOLDER/users}", "auth.htpasswd.realm", "missing"),
            ("htpasswd: {realm: r}", "auth.htpasswd.path", "missing"),
            ("htpasswd: {realm: r, path: FOLDER/none}", "auth.htpasswd.path", "cannot be read"),
            ("htpasswd: {realm: \"a\\nb\", path: FOLDER/users}", "auth.htpasswd.realm", "printable"),
            ("silly: {realm: r}", "auth.silly.service", "missing"),
            ("ldap: {url: x}", "auth.ldap", "named 'ldap'; found: htpasswd, mtls, silly, token, tokenserver"),
            (TOKEN.replace("https://t/jwks", "http://t/jwks"), "auth.token.jwks", "https://"),
            (TOKEN.replace("jwks: 'https://t/jwks'", "leeway: soon"), "auth.token.leeway", "duration"),
            (TOKEN.replace("}", ", signingalgorithms: [none]}"), "auth.token.signingalgorithms", "none"),
            ("tokenserver: {keys: FOLDER/users}", "auth.tokenserver.keys", "cannot be used"),
            ("tokenserver: {keys: FOLDER/k, lifetime: 5s}", "auth.tokenserver.lifetime", "at least 60s"),
            ("tokenserver: {keys: FOLDER/k, path: /v2/x}", "auth.tokenserver.path", "not below /v2"),
            ("tokenserver: {keys: FOLDER/k, path: '/<x>'}", "auth.tokenserver.path", "such as /auth/token"),
            ("mtls: {identity: []}", "auth.mtls.identity", "at least one"),
            ("mtls: {identity: [surname]}", "auth.mtls.identity[0]", "must be one of"),
            ("mtls: {pattern: '('}", "auth.mtls.pattern", "regular expression"),
            ("controllers: [{}]", "auth.controllers[0]", "one controller"),
            ("controllers: [{mtls: , silly: }]", "auth.controllers[0]", "one controller"),
            ("controllers: [{mtls: 5}]", "auth.controllers[0].mtls", "mapping"),
            ("controllers: [{mtls: }, {silly: {realm: r}}]", "auth.controllers[1].silly.service", "missing"),
            (f"{HTPASSWD}\ncontrollers: [{{mtls: }}]", "auth.controllers", "put that into the list"),
        ):  # fmt: skip
            faults = self.wrong(section)
            self.assertEqual(list(faults), [path], section)
            self.assertIn(message, faults[path])

    def test_tls(self) -> None:
        """Only for keys that are fetched is it loaded."""
        self.assertTrue(self.choose(TOKEN).needs_tls)
        self.assertFalse(self.choose(f"{HTPASSWD}\n{TOKENSERVER}").needs_tls)

    def test_check_makes_nothing(self) -> None:
        """To look at a configuration is not to change anything."""
        self.choose(f"{HTPASSWD.replace('users}', 'new, provision: true}')}\n{TOKENSERVER}")
        self.assertEqual(os.listdir(self.folder), ["users"])

    def test_all_faults(self) -> None:
        """Of all controllers, and of the policy."""
        faults = self.wrong(
            "controllers:\n  - silly: {realm: r}\n  - ldap:\n  - htpasswd: {realm: r, path: FOLDER/none}\n"
            "tokenserver: {keys: FOLDER/users}\npolicy: [{repositories: [A], users: [a], actions: [pull]}]"
        )
        self.assertEqual(
            list(faults),
            [
                "auth.controllers[0].silly.service",
                "auth.controllers[1].ldap",
                "auth.controllers[2].htpasswd.path",
                "auth.tokenserver.keys",
                "auth.policy[0].repositories[0]",
            ],
        )

    def test_unknown_options(self) -> None:
        self.choose("silly: {realm: r, service: s, servise: t}")
        self.assertEqual(
            {warning.path: warning.message for warning in self.warned},
            {"auth.silly.servise": "unknown key, ignored; did you mean service?"},
        )

    def test_pickled(self) -> None:
        """Workers are handed what was read once."""
        choice = self.choose(
            f"{HTPASSWD}\n{TOKENSERVER}\ngroups: {{g: [alice]}}\n"
            "policy: [{repositories: ['a/**'], groups: [g], actions: [pull]}]"
        )
        copy = pickle.loads(pickle.dumps(choice))
        clock = Clock()
        control = copy.build_control(AuthContext(clock, InlineThreads(), Slowdown(clock)))
        self.assertEqual([controller.name for controller in control.controllers], ["htpasswd", "tokenserver"])
        alice = control.with_groups(Identity("alice"))
        for name, granted in (("a/b", True), ("b", False)):
            self.assertEqual(control.policy.allows(alice, Access(REPOSITORY, name, PULL)), granted)
        self.assertFalse(copy.needs_tls)


class PolicyTests(AuthCase):
    def policy(self, section: str) -> Policy | None:
        return self.choose(section).policy

    def test_none(self) -> None:
        self.assertIs(self.policy(HTPASSWD), None)
        self.assertIs(self.policy(f"{HTPASSWD}\npolicy:"), None)

    def test_empty(self) -> None:
        """It stands, and grants nothing."""
        found = self.policy("policy: []")
        assert found is not None
        self.assertEqual(found.rules, ())

    def test_rules(self) -> None:
        found: Any = self.policy(
            "policy:\n"
            "  - {repositories: ['public/**'], anonymous: true, actions: [pull]}\n"
            "  - {repositories: [a, 'b/*'], users: [alice, '*'], groups: [g], actions: [Pull, push, delete, '*']}\n"
            "  - {repositories: [closed], actions: []}\n"
        )
        self.assertEqual([rule.repositories for rule in found.rules], [("public/**",), ("a", "b/*"), ("closed",)])
        self.assertEqual([rule.anonymous for rule in found.rules], [True, False, False])
        self.assertEqual(found.rules[1].users, {"alice", "*"})
        self.assertEqual(found.rules[1].groups, {"g"})
        self.assertEqual(found.rules[1].actions, {"pull", "push", "delete", "*"})

    def test_groups(self) -> None:
        control = self.control(f"{HTPASSWD}\ngroups: {{team: [alice, bob], more: [alice]}}")
        self.assertEqual(control.with_groups(Identity("alice")).groups, {"team", "more"})
        self.assertEqual(control.with_groups(Identity("carol")).groups, frozenset())

    def test_policy_alone(self) -> None:
        control = self.control("policy: [{repositories: ['**'], anonymous: true, actions: [pull]}]")
        self.assertEqual(list(control.controllers), [])

    def test_all_faults(self) -> None:
        faults = self.wrong(
            "policy:\n"
            "  - {repositories: [Upper, good, 'a//b'], users: [a], actions: [pull]}\n"
            "  - {repositories: [], users: [a], actions: [pull]}\n"
            "  - {repositories: [a], actions: [pull]}\n"
        )
        self.assertEqual(
            list(faults),
            [
                "auth.policy[0].repositories[0]",
                "auth.policy[0].repositories[2]",
                "auth.policy[1].repositories",
                "auth.policy[2]",
            ],
        )

    def test_faults_of_the_model(self) -> None:
        faults = self.faults(
            MINIMAL + "auth:\n  policy:\n    - {repositories: [a], users: [b]}\n    - {users: x, actions: [read]}\n"
        )
        self.assertEqual(
            sorted(faults),
            [
                "auth.policy[0].actions",
                "auth.policy[1].actions[0]",
                "auth.policy[1].repositories",
                "auth.policy[1].users",
            ],
        )
