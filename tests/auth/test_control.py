"""Tests of :class:`dregistry.auth.AccessControl`: controllers in a row, and the policy over them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from dregistry.auth import (
    ANY,
    DELETE,
    INSUFFICIENT_SCOPE,
    INVALID_TOKEN,
    PULL,
    REGISTRY,
    REPOSITORY,
    Access,
    AccessControl,
    Credential,
    Grant,
    IAccessController,
    IDecoy,
    Identity,
    InvalidCredential,
    IStarting,
    NotRecognised,
    Policy,
    Rule,
)
from dregistry.errors import Denied, Unauthorized, Unavailable

from .support import PULL_AB, PUSH_AB, AuthCase, basic

CATALOG = Access(REGISTRY, "catalog", ANY)
OTHER = Access(REPOSITORY, "other", PULL)
ANYBODY = Credential()


@implementer(IAccessController)
class Known:
    """Knows some credentials by their parameter."""

    def __init__(self, name: str, **known: Grant | Exception | None) -> None:
        self.name = name
        self.known = known
        self.asked: list[str] = []

    async def authenticate(self, credential: Credential, accesses: Sequence[Access]) -> Grant | None:
        self.asked.append(credential.parameter)
        found = self.known.get(credential.parameter)
        if isinstance(found, Exception):
            raise found
        return found

    def challenge(self, credential: Credential, accesses: Sequence[Access], error: str) -> str | None:
        return f'{self.name} a="{len(accesses)}",error="{error}"'


class Silent(Known):
    def challenge(self, credential: Credential, accesses: Sequence[Access], error: str) -> str | None:
        return None


@implementer(IDecoy, IStarting)
class Careful(Known):
    def __init__(self, name: str, **known: Grant | Exception | None) -> None:
        super().__init__(name, **known)
        self.pretended: list[str] = []
        self.started = 0

    async def pretend(self, credential: Credential) -> None:
        self.pretended.append(credential.parameter)

    def start(self) -> None:
        self.started += 1


def grant(name: str, *groups: str, **more: Any) -> Grant:
    return Grant(Identity(name, frozenset(groups)), **more)


def secret(text: str) -> Credential:
    return Credential("bearer", text, address="192.0.2.1")


class ControlCase(AuthCase):
    def setUp(self) -> None:
        super().setUp()
        self.events: list[Any] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def serve(self, *controllers: Any, rules: Sequence[Rule] | None = None, **groups: Sequence[str]) -> None:
        self.control = AccessControl(controllers, None if rules is None else Policy(tuple(rules)), groups)

    def passes(self, credential: Credential, *accesses: Access, wished: Sequence[Access] = ()) -> Grant:
        found = self.do(self.control.authorize(credential, accesses, wished))
        assert isinstance(found, Grant)
        return found

    def unauthorized(self, credential: Credential, *accesses: Access, wished: Sequence[Access] = ()) -> Sequence[str]:
        error = self.refused(Unauthorized, self.control.authorize(credential, accesses, wished))
        self.assertEqual([entry["Name"] for entry in error.accesses], [each.name for each in (*accesses, *wished)])
        return list(error.challenges)

    def denied(self, credential: Credential, *accesses: Access) -> str:
        return str(self.refused(Denied, self.control.authorize(credential, accesses)).reason)

    def logged(self) -> list[str]:
        return [event["reason"] for event in self.events if "reason" in event]


class WithoutPolicyTests(ControlCase):
    def setUp(self) -> None:
        super().setUp()
        self.serve(Known("A", alice=grant("alice"), wrong=InvalidCredential("why")))

    def test_signed_in(self) -> None:
        for accesses in ((), (PULL_AB,), (PULL_AB, PUSH_AB), (CATALOG,)):
            self.assertEqual(self.passes(secret("alice"), *accesses).identity.name, "alice")

    def test_nobody(self) -> None:
        for accesses in ((), (PULL_AB,), (CATALOG,)):
            self.assertEqual(self.unauthorized(ANYBODY, *accesses), [f'A a="{len(accesses)}",error=""'])
        self.assertEqual(self.logged(), [])

    def test_an_empty_password(self) -> None:
        """As some clients send it that have none."""
        self.assertEqual(self.unauthorized(Credential("basic", "Og=="), PULL_AB), ['A a="1",error=""'])

    def test_wrong(self) -> None:
        self.assertEqual(self.unauthorized(secret("wrong"), PULL_AB), [f'A a="1",error="{INVALID_TOKEN}"'])
        self.assertEqual(self.logged(), ["why"])

    def test_unknown(self) -> None:
        self.assertEqual(self.unauthorized(secret("what"), PULL_AB), [f'A a="1",error="{INVALID_TOKEN}"'])
        self.assertEqual(self.logged(), ["nobody recognises it"])

    def test_detail(self) -> None:
        error = self.refused(Unauthorized, self.control.authorize(ANYBODY, (PULL_AB, PUSH_AB)))
        self.assertEqual(
            error.detail,
            [
                {"Type": "repository", "Class": "", "Name": "a/b", "Action": "pull"},
                {"Type": "repository", "Class": "", "Name": "a/b", "Action": "push"},
            ],
        )

    def test_limited_credential(self) -> None:
        self.serve(Known("A", alice=grant("alice", accesses=frozenset({PULL_AB}))))
        self.passes(secret("alice"), PULL_AB)
        for accesses in ((PUSH_AB,), (PULL_AB, PUSH_AB), (CATALOG,)):
            [challenge] = self.unauthorized(secret("alice"), *accesses)
            self.assertIn(INSUFFICIENT_SCOPE, challenge)
        self.assertEqual(self.logged(), [])

    def test_wishes(self) -> None:
        """The source of a mount: a token without it may be exchanged for one with it."""
        self.serve(Known("A", alice=grant("alice", accesses=frozenset({PULL_AB, PUSH_AB}))))
        [challenge] = self.unauthorized(secret("alice"), PULL_AB, PUSH_AB, wished=[OTHER])
        self.assertIn('a="3"', challenge)
        self.serve(Known("A", alice=grant("alice")))
        self.passes(secret("alice"), PULL_AB, wished=[OTHER])

    def test_allows(self) -> None:
        limited = grant("alice", accesses=frozenset({PULL_AB}))
        self.assertTrue(self.control.allows(limited, PULL_AB))
        self.assertFalse(self.control.allows(limited, OTHER))
        self.assertTrue(self.control.allows(grant("alice"), OTHER))
        self.assertIs(self.control.selection(grant("alice")), None)

    def test_a_controller_that_cannot_tell(self) -> None:
        """Nobody is let in, and nobody else is asked."""
        second = Known("B", alice=grant("alice"))
        self.serve(Known("A", alice=Unavailable("why")), second)
        self.refused(Unavailable, self.control.authorize(secret("alice"), (PULL_AB,)))
        self.assertEqual(second.asked, [])

    def test_a_controller_that_fails(self) -> None:
        self.serve(Known("A", alice=RuntimeError("oops")))
        self.refused(RuntimeError, self.control.authorize(secret("alice"), (PULL_AB,)))


class SeveralTests(ControlCase):
    def setUp(self) -> None:
        super().setUp()
        self.first = Careful(
            "A", alice=grant("alice"), both=grant("first"), wrong=InvalidCredential("a"), not_mine=NotRecognised("b")
        )
        self.second = Careful("B", bob=grant("bob"), both=grant("second"), wrong=grant("x"), not_mine=grant("carol"))
        self.serve(self.first, self.second)

    def test_the_first_that_recognises(self) -> None:
        for text, name in (("alice", "alice"), ("bob", "bob"), ("both", "first"), ("not_mine", "carol")):
            self.assertEqual(self.passes(secret(text), PULL_AB).identity.name, name)
        self.assertEqual(self.second.asked, ["bob", "not_mine"])

    def test_it_decides(self) -> None:
        """What it recognises and refuses, nobody else can let in."""
        self.unauthorized(secret("wrong"), PULL_AB)
        self.assertEqual((self.second.asked, self.logged()), ([], ["a"]))

    def test_challenges(self) -> None:
        """One of each, in their order."""
        self.assertEqual(self.unauthorized(ANYBODY), ['A a="0",error=""', 'B a="0",error=""'])

    def test_a_decoy(self) -> None:
        """Once, for what nobody recognises; never for what is recognised, or not there."""
        for text in ("alice", "bob", "wrong"):
            with contextlib.suppress(self.failureException):
                self.do(self.control.authorize(secret(text), (PULL_AB,)))
        self.unauthorized(ANYBODY, PULL_AB)
        self.assertEqual((self.first.pretended, self.second.pretended), ([], []))
        self.unauthorized(secret("nobody"), PULL_AB)
        self.assertEqual((self.first.pretended, self.second.pretended), (["nobody"], []))

    def test_the_reason(self) -> None:
        """The log has what a controller said of what it did not recognise."""
        self.serve(Known("A"), Known("B", x=NotRecognised("token of another issuer")), Known("C"))
        self.unauthorized(secret("x"))
        self.assertEqual(self.logged(), ["token of another issuer"])

    def test_start(self) -> None:
        self.serve(self.first, Known("B"), self.second)
        self.control.start()
        self.assertEqual((self.first.started, self.second.started), (1, 1))


class CertificatesOnlyTests(ControlCase):
    def test_nothing_to_ask_for(self) -> None:
        """401 needs a challenge; where there is none, it is 403."""
        self.serve(Silent("mtls", alice=grant("alice")))
        self.assertIn("certificate", self.denied(ANYBODY, PULL_AB))
        self.assertIn("certificate", self.denied(secret("what"), PULL_AB))
        self.passes(secret("alice"), PULL_AB)

    def test_beside_others(self) -> None:
        self.serve(Silent("mtls"), Known("A"))
        self.assertEqual(len(self.unauthorized(ANYBODY, PULL_AB)), 1)


class PolicyTests(ControlCase):
    RULES = (
        Rule(("public/**",), anonymous=True, actions=frozenset({PULL})),
        Rule(("a/b",), frozenset({"alice"}), actions=frozenset({ANY})),
        Rule(("other",), frozenset(), frozenset({"team"}), actions=frozenset({PULL})),
    )
    PUBLIC = Access(REPOSITORY, "public/x", PULL)

    def setUp(self) -> None:
        super().setUp()
        self.known = Known(
            "A",
            alice=grant("alice"),
            bob=grant("bob"),
            carol=grant("carol", "team"),
            dave=grant("dave"),
            limited=grant("alice", accesses=frozenset({PULL_AB})),
            nobody=grant("", accesses=frozenset({self.PUBLIC, PULL_AB})),
            wrong=InvalidCredential("why"),
        )
        self.serve(self.known, rules=self.RULES, team=["dave"])

    def test_who_may(self) -> None:
        self.passes(secret("alice"), PULL_AB, PUSH_AB)
        self.passes(secret("carol"), OTHER)
        self.passes(secret("dave"), OTHER)  # the configuration has him in the group

    def test_who_may_not(self) -> None:
        """No other credential of hers would help, so it is 403, and says what may not be done."""
        reason = self.denied(secret("bob"), PULL_AB, PUSH_AB)
        self.assertEqual(reason, "the policy of this registry does not let bob pull a/b")
        self.denied(secret("bob"), OTHER)
        self.denied(secret("alice"), Access(REPOSITORY, "public/x", DELETE))

    def test_anonymous(self) -> None:
        """What is for everybody needs no credential; for all else one is asked for."""
        self.assertEqual(self.passes(ANYBODY, self.PUBLIC).identity.name, "")
        self.passes(Credential("basic", "Og=="), self.PUBLIC)
        self.unauthorized(ANYBODY, PULL_AB)
        self.unauthorized(ANYBODY, self.PUBLIC, Access(REPOSITORY, "public/x", "push"))

    def test_signing_in(self) -> None:
        """``/v2/`` asks for a credential even where everybody may do something: clients decide by that answer."""
        self.unauthorized(ANYBODY)
        self.passes(secret("bob"))

    def test_a_wrong_credential_is_no_missing_one(self) -> None:
        self.unauthorized(secret("wrong"), self.PUBLIC)
        self.unauthorized(secret("unknown"), self.PUBLIC)

    def test_limits_and_policy(self) -> None:
        """Both must allow it: 403 if no token could, 401 if another one could."""
        self.passes(secret("limited"), PULL_AB)
        self.assertIn(INSUFFICIENT_SCOPE, self.unauthorized(secret("limited"), PUSH_AB)[0])
        self.denied(secret("limited"), OTHER)

    def test_a_token_of_nobody(self) -> None:
        self.passes(secret("nobody"), self.PUBLIC)
        self.passes(secret("nobody"))
        self.unauthorized(secret("nobody"), PULL_AB)  # its limits would allow that, the policy does not

    def test_wishes(self) -> None:
        """A mount from where one may not pull is no fault: the client uploads."""
        self.passes(secret("alice"), PULL_AB, PUSH_AB, wished=[OTHER])

    def test_selection(self) -> None:
        selection = self.control.selection(self.passes(secret("alice"), CATALOG))
        assert selection is not None
        self.assertTrue("a/b" in selection and "public/x" in selection)
        self.assertFalse("other" in selection)

    def test_groups_of_both(self) -> None:
        self.serve(Known("A", carol=grant("carol", "one")), rules=[], two=["carol", "dave"], three=["carol"])
        self.assertEqual(self.passes(secret("carol")).identity.groups, {"one", "two", "three"})


class WithoutControllersTests(ControlCase):
    def test_policy_alone(self) -> None:
        """Nobody can sign in: what is for everybody is all there is."""
        self.serve(rules=PolicyTests.RULES)
        self.passes(ANYBODY)
        self.passes(ANYBODY, PolicyTests.PUBLIC)
        self.assertIn("sign in", self.denied(ANYBODY, PULL_AB))


class CredentialTests(SynchronousTestCase):
    def test_header(self) -> None:
        for values, scheme, parameter in (
            ([], "", ""),
            ([""], "", ""),
            (["Basic YTpi"], "basic", "YTpi"),
            (["BASIC   YTpi  "], "basic", "YTpi"),
            (["Bearer a.b.c"], "bearer", "a.b.c"),
            (["Bearer"], "bearer", ""),
            (["Bearer a", "Bearer a"], "ambiguous", ""),
            (["", ""], "ambiguous", ""),
        ):
            found = Credential.of_headers(values)
            self.assertEqual((found.scheme, found.parameter), (scheme, parameter))

    def test_passwords(self) -> None:
        for user, password in (("a", b"b"), ("a", b""), ("a", b"b:c"), ("\u00e4", "\u00f6".encode()), ("a b", b"\xff")):
            self.assertEqual(basic(user, password).password(), (user, password))
        self.assertIs(Credential("bearer", "YTpi").password(), None)
        for malformed in ("", "YQ==", "OmI=", "YTpi!", "YTpi\n", "/zpi", "YQA6Yg==", "YQo6Yg==", "Og=="):
            self.assertRaises(InvalidCredential, Credential("basic", malformed).password)
        self.assertRaises(InvalidCredential, basic("a" * 256, "b").password)

    def test_absent(self) -> None:
        for scheme, parameter in (("", ""), ("basic", ""), ("basic", "Og==")):
            self.assertTrue(Credential(scheme, parameter).is_absent)
        for credential in (basic("", "a"), basic("a", ""), Credential("bearer", ""), Credential("ambiguous", "")):
            self.assertFalse(credential.is_absent)

    def test_repr(self) -> None:
        self.assertNotIn("hunter2", repr(Credential("bearer", "hunter2", certificate=b"hunter2")))
