"""Tests of :mod:`dregistry.auth.policy`."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.auth import ANY, DELETE, PULL, PUSH, REGISTRY, REPOSITORY, Access, Identity, Policy, Rule
from dregistry.auth import policy as module
from dregistry.auth.policy import pattern_fault
from dregistry.errors import NameInvalid
from dregistry.reference import parse_name

ACTIONS = (PULL, PUSH, DELETE)
ALICE = Identity("alice", frozenset({"team"}))
BOB = Identity("bob")
NOBODY = Identity()


def rule(*repositories: str, actions: str = ANY, users: str = "", groups: str = "", anonymous: bool = False) -> Rule:
    """Words in a string for several."""
    return Rule(
        repositories, frozenset(users.split()), frozenset(groups.split()), anonymous, frozenset(actions.split())
    )


def may(policy: Policy, identity: Identity, name: str) -> str:
    """The actions that are granted."""
    return " ".join(action for action in ACTIONS if policy.allows(identity, Access(REPOSITORY, name, action)))


class RuleTests(SynchronousTestCase):
    def test_default_deny(self) -> None:
        self.assertEqual(may(Policy(()), ALICE, "a"), "")
        self.assertEqual(may(Policy((rule("b", users="alice"),)), ALICE, "a"), "")

    def test_who(self) -> None:
        for granted, to in (
            (rule("a", users="alice"), (ALICE,)),
            (rule("a", users="carol bob"), (BOB,)),
            (rule("a", users="*"), (ALICE, BOB)),
            (rule("a", groups="team"), (ALICE,)),
            (rule("a", groups="other"), ()),
            (rule("a", anonymous=True), (ALICE, BOB, NOBODY)),
            (rule("a", users="carol", groups="other"), ()),
            (rule("a"), ()),
        ):
            for identity in (ALICE, BOB, NOBODY):
                expected = "pull push delete" if identity in to else ""
                self.assertEqual(may(Policy((granted,)), identity, "a"), expected, (granted, identity))

    def test_nobody_is_no_user(self) -> None:
        """The empty name of whoever is not signed in cannot be granted anything."""
        policy = Policy((Rule(("a",), frozenset({"", "*"}), actions=frozenset({ANY})),))
        self.assertEqual(may(policy, NOBODY, "a"), "")
        self.assertEqual(may(policy, Identity("", frozenset({"team"})), "a"), "")

    def test_actions(self) -> None:
        for actions, granted in (("pull", "pull"), ("pull push", "pull push"), ("*", "pull push delete"), ("", "")):
            self.assertEqual(may(Policy((rule("a", users="alice", actions=actions),)), ALICE, "a"), granted)

    def test_the_longest_decides(self) -> None:
        """Alone, whoever is in the shorter ones."""
        policy = Policy(
            (
                rule("**", users="alice", actions="*"),
                rule("team/**", groups="team", actions="pull push"),
                rule("team/secret", users="bob", actions="pull"),
                rule("team/closed/**", actions=""),
            )
        )
        self.assertEqual(may(policy, ALICE, "other"), "pull push delete")
        self.assertEqual(may(policy, ALICE, "team/a"), "pull push")
        self.assertEqual(may(policy, ALICE, "team/secret"), "")
        self.assertEqual(may(policy, BOB, "team/secret"), "pull")
        self.assertEqual(may(policy, ALICE, "team/closed/a"), "")
        self.assertEqual(policy.verdict(BOB, PUSH, "team/secret"), module.Verdict("team/secret", (2,)))
        self.assertEqual(policy.verdict(ALICE, PULL, "x"), module.Verdict("**", (0,), (0,)))

    def test_all_rules_with_the_longest(self) -> None:
        """One pattern may be in several rules: for some this, for others that."""
        policy = Policy(
            (
                rule("public/**", anonymous=True, actions="pull"),
                rule("team/**", "public/**", users="alice", actions="pull push"),
            )
        )
        self.assertEqual(may(policy, NOBODY, "public/a"), "pull")
        self.assertEqual(may(policy, ALICE, "public/a"), "pull push")
        self.assertEqual(policy.verdict(ALICE, PUSH, "public/a"), module.Verdict("public/**", (0, 1), (1,)))

    def test_order_of_length(self) -> None:
        """What is written out counts; then the fewest wildcards, and the narrower."""
        name = "team/app"
        ordered = ("team/app", "team/app*", "team/ap?", "team/a**", "team/*", "team/**", "**/a*", "*/**", "**")
        for longer, shorter in pairwise(ordered):
            for policy in (
                Policy((rule(longer, users="alice"), rule(shorter, users="bob"))),
                Policy((rule(shorter, users="bob"), rule(longer, users="alice"))),
            ):
                self.assertEqual(
                    (may(policy, ALICE, name) != "", may(policy, BOB, name)), (True, ""), (longer, shorter)
                )


class PatternTests(SynchronousTestCase):
    def test_matches(self) -> None:
        for pattern, yes, no in (
            ("a", "a", "b aa a/b b/a"),
            ("a.b", "a.b", "axb"),
            ("*", "a ab a-b", "a/b"),
            ("**", "a a/b a/b/c", ""),
            ("a/*", "a/b a/bcd", "a a/b/c b/a"),
            ("a/**", "a/b a/b/c", "a ab b/a"),
            ("**/a", "b/a c/b/a", "a a/b ba"),
            ("**a", "a ba b/a", "ab"),
            ("a/**/b", "a/x/b a/x/y/b", "a/b ab"),
            ("a?", "ab a1", "a abc a/"),
            ("a/?", "a/b", "a/ a/bc"),
            ("a*b", "ab axb axxb", "a/b axbc"),
            ("a***b", "ab a/b a/x/b", "a"),
            ("team-*/app", "team-a/app team-/app", "team-a/b/app team/app"),
        ):
            policy = Policy((rule(pattern, anonymous=True),))
            for name in yes.split():
                self.assertEqual(may(policy, NOBODY, name), "pull push delete", (pattern, name))
            for name in no.split():
                self.assertEqual(may(policy, NOBODY, name), "", (pattern, name))

    def test_faults(self) -> None:
        """A pattern that can match nothing is a mistake: the rule is not what its author thinks it is."""
        for pattern in (
            "",
            "A",
            "Team/**",
            "/a",
            "a/",
            "a//b",
            "a b",
            "[ab]",
            "{a,b}",
            "a\\b",
            "^a$",
            "a|b",
            "\u00e4",
            "a:b",
        ):
            self.assertIsNot(pattern_fault(pattern), None, pattern)
        for pattern in ("a", "a/b", "*", "**", "a?b", "a.b_c-d/e**"):
            self.assertIs(pattern_fault(pattern), None, pattern)


class RegistryAccessTests(SynchronousTestCase):
    POLICY = Policy(
        (
            rule("**", users="root"),
            rule("a/**", users="alice"),
            rule("public/**", anonymous=True, actions="pull"),
        )
    )

    def test_catalog(self) -> None:
        """Who is signed in may ask, and who may pull something; what is shown is another question."""
        catalog = Access(REGISTRY, "catalog", ANY)
        for identity in (Identity("root"), ALICE, BOB, NOBODY):
            self.assertTrue(self.POLICY.allows(identity, catalog))
        closed = Policy((rule("a", users="alice"), rule("b", anonymous=True, actions="push")))
        self.assertTrue(closed.allows(BOB, catalog))
        self.assertFalse(closed.allows(NOBODY, catalog))

    def test_the_rest(self) -> None:
        """For those who may do everything everywhere."""
        events = Access(REGISTRY, "events", ANY)
        self.assertTrue(self.POLICY.allows(Identity("root"), events))
        for identity in (ALICE, BOB, NOBODY):
            self.assertFalse(self.POLICY.allows(identity, events))
        for open_to_all in (
            rule("**", anonymous=True),
            rule("**", users="alice", actions="pull"),
            rule("*", users="alice"),
        ):
            self.assertFalse(Policy((open_to_all,)).allows(ALICE, events))


class SelectionTests(SynchronousTestCase):
    def test_prefixes(self) -> None:
        """What everything that may be pulled begins with, without repetition."""
        for patterns, prefixes in (
            ((), []),
            (("a",), ["a"]),
            (("a", "b/**"), ["a", "b/"]),
            (("b/**", "a/x*", "a/**"), ["a/", "b/"]),
            (("a/**", "**"), [""]),
            (("**/a",), [""]),
            (tuple(f"team-{number}/**" for number in range(1000)), [""]),
        ):
            policy = Policy(
                (rule(*patterns, users="alice", actions="pull push"), rule("zzz", users="alice", actions="push"))
            )
            self.assertEqual(list(policy.selection(ALICE).prefixes), prefixes)
            self.assertEqual(list(policy.selection(BOB).prefixes), [])

    def test_contents(self) -> None:
        policy = Policy((rule("a/**", users="alice"), rule("a/secret", users="bob")))
        selection = policy.selection(ALICE)
        self.assertTrue("a/b" in selection)
        self.assertFalse("a/secret" in selection or "b" in selection)


class MemoryTests(SynchronousTestCase):
    def test_bounded(self) -> None:
        self.patch(module, "_REMEMBERED", 10)
        policy = Policy((rule("a*", users="alice"),))
        for number in range(100):
            self.assertEqual(may(policy, ALICE, f"a{number}"), "pull push delete")
            self.assertEqual(may(policy, ALICE, f"b{number}"), "")
            self.assertLessEqual(len(policy._known), 10)


# The model: the definition again, as short as it gets, with wildcards spelled out by recursion.


def matches(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern.startswith("**"):
        return matches(pattern[2:], name) or (bool(name) and matches(pattern, name[1:]))
    if pattern[0] == "*":
        return matches(pattern[1:], name) or (name[:1] not in ("", "/") and matches(pattern, name[1:]))
    return (
        bool(name)
        and (pattern[0] == name[0] or (pattern[0] == "?" and name[0] != "/"))
        and matches(pattern[1:], name[1:])
    )


def size(pattern: str) -> tuple[int, int, int]:
    wide = pattern.count("**")
    narrow = pattern.replace("**", "").count("*") + pattern.count("?")
    return len(pattern.replace("*", "").replace("?", "")), -wide, -narrow


def model(rules: tuple[Rule, ...], identity: Identity, name: str, action: str) -> bool:
    sizes = [size(pattern) for each in rules for pattern in each.repositories if matches(pattern, name)]
    for each in rules:
        decides = any(matches(pattern, name) and size(pattern) == max(sizes) for pattern in each.repositories)
        named = identity.name in each.users or "*" in each.users or bool(each.groups & identity.groups)
        if decides and {action, "*"} & each.actions and (each.anonymous or (identity.name != "" and named)):
            return True
    return False


patterns = st.text("ab/*?", min_size=1, max_size=6)
names = st.text("ab/", min_size=1, max_size=6)
few = st.sampled_from(("alice", "bob"))
rules = st.builds(
    Rule,
    st.lists(patterns, min_size=1, max_size=3).map(tuple),
    st.frozensets(st.sampled_from(("alice", "bob", "*", "")), max_size=2),
    st.frozensets(st.sampled_from(("g", "h")), max_size=2),
    st.booleans(),
    st.frozensets(st.sampled_from((PULL, PUSH, DELETE, ANY)), max_size=3),
)
identities = st.builds(
    Identity, st.sampled_from(("", "alice", "bob", "carol")), st.frozensets(st.sampled_from(("g", "h")), max_size=2)
)


class ModelTests(SynchronousTestCase):
    @given(st.lists(rules, max_size=5).map(tuple), identities, names, st.sampled_from(ACTIONS))
    def test_the_same(self, rules: tuple[Rule, ...], identity: Identity, name: str, action: str) -> None:
        policy = Policy(rules)
        for _ in range(2):
            self.assertEqual(
                policy.allows(identity, Access(REPOSITORY, name, action)), model(rules, identity, name, action)
            )
        verdict = policy.verdict(identity, action, name)
        self.assertEqual(verdict.is_granted, model(rules, identity, name, action))
        self.assertEqual(verdict.pattern is None, not any(matches(p, name) for r in rules for p in r.repositories))

    @given(st.lists(rules, max_size=5).map(tuple), identities, names)
    def test_selections(self, rules: tuple[Rule, ...], identity: Identity, name: str) -> None:
        """Nothing that may be pulled begins with none of the prefixes."""
        selection = Policy(rules).selection(identity)
        allowed = model(rules, identity, name, PULL)
        self.assertEqual(name in selection, allowed)
        if allowed:
            self.assertEqual(sum(name.startswith(prefix) for prefix in selection.prefixes), 1)

    @given(st.lists(rules, max_size=5).map(tuple), identities, st.text(max_size=8))
    def test_only_names(self, rules: tuple[Rule, ...], identity: Identity, text: str) -> None:
        """What is no name never gets here; if it did, nothing but what matches it would decide."""
        try:
            parse_name(text)
        except NameInvalid:
            allowed = Policy(rules).allows(identity, Access(REPOSITORY, text, PULL))
            self.assertEqual(allowed, model(rules, identity, text, PULL))
