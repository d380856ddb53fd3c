"""
Who may do what: rules over the names of repositories, for whatever controller says who somebody is.

Of all patterns that match a repository, the longest decides: an access is granted by any rule that has that pattern,
names the user, and lists the action. Nothing else is granted. Wildcards do not count as length; of patterns that are
equally long, those with the fewest ``**``, then with the fewest other wildcards decide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from attrs import field, frozen

from ._interfaces import ANY, PULL, REPOSITORY, Access, Identity

ANYBODY = "*"
"""As a user: whoever is signed in."""
_REMEMBERED = 4096
_WILDCARD = re.compile(r"\*\*|\*|\?")
_PATTERN = re.compile(r"[a-z0-9._/*?-]+")
_MOST_PREFIXES = 64


def pattern_fault(pattern: str) -> str | None:
    """What is wrong with a pattern; None if nothing is."""
    if _PATTERN.fullmatch(pattern) is None:
        return (
            "matches no repository: names are of lower-case letters, digits and . _ - /;"
            " a pattern may have * (within a component), ** (anything) and ? (one character)"
        )
    if pattern.startswith("/") or pattern.endswith("/") or "//" in pattern:
        return "matches no repository: there is no empty component in a name"
    return None


def length(pattern: str) -> tuple[int, int, int]:
    """What patterns are compared by, the larger decides."""
    wildcards = _WILDCARD.findall(pattern)
    wide = wildcards.count("**")
    return len(pattern) - sum(map(len, wildcards)), -wide, wide - len(wildcards)


def _compiled(pattern: str) -> re.Pattern[str]:
    """``*`` and ``?`` stay within a component, ``**`` does not."""
    meanings = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = []
    start = 0
    for match in _WILDCARD.finditer(pattern):
        found += [re.escape(pattern[start : match.start()]), meanings[match[0]]]
        start = match.end()
    return re.compile("".join([*found, re.escape(pattern[start:])]), re.DOTALL)


@frozen
class Rule:
    """
    :ivar repositories: patterns.
    :ivar users: names, or ANYBODY for all who are signed in.
    :ivar groups: names.
    :ivar anonymous: for everybody, signed in or not.
    :ivar actions: PULL, PUSH, DELETE, or ANY for all of them.
    """

    repositories: tuple[str, ...]
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    anonymous: bool = False
    actions: frozenset[str] = frozenset()

    def names(self, identity: Identity) -> bool:
        if self.anonymous:
            return True
        signed_in = bool(identity.name)
        return signed_in and (
            identity.name in self.users or ANYBODY in self.users or not self.groups.isdisjoint(identity.groups)
        )

    def lists(self, action: str) -> bool:
        return action in self.actions or ANY in self.actions


@frozen
class Verdict:
    """
    :ivar pattern: the longest that matches, the first if there are several; None if none does.
    :ivar deciding: indexes of the rules that have one as long, in their order.
    :ivar granting: those of them that grant what was asked for.
    """

    pattern: str | None
    deciding: tuple[int, ...]
    granting: tuple[int, ...] = ()

    @property
    def is_granted(self) -> bool:
        return bool(self.granting)


@frozen(eq=False)
class Selection:
    """
    The repositories that somebody may pull.

    :ivar prefixes: each of them begins with one of these, none of which begins with another; in order.
    """

    prefixes: Sequence[str]
    _policy: Policy
    _identity: Identity

    def __contains__(self, name: str) -> bool:
        return self._policy.allows(self._identity, Access(REPOSITORY, name, PULL))


@frozen(eq=False)
class Policy:
    """:ivar rules: all of them; without any, nothing is granted."""

    rules: tuple[Rule, ...]
    _patterns: tuple[tuple[int, str, re.Pattern[str]], ...] = field(init=False)
    _known: dict[str, tuple[str | None, tuple[int, ...]]] = field(init=False, factory=dict)

    @_patterns.default
    def _compile(self) -> tuple[tuple[int, str, re.Pattern[str]], ...]:
        return tuple(
            (index, pattern, _compiled(pattern))
            for index, rule in enumerate(self.rules)
            for pattern in rule.repositories
        )

    def allows(self, identity: Identity, access: Access) -> bool:
        """
        Of what is no repository, the catalog is for whoever may pull something, and for all who are signed in (they see
        what they may pull); the rest is for those who may do everything everywhere.
        """
        if access.type == REPOSITORY:
            for index in self._longest(access.name)[1]:
                rule = self.rules[index]
                if rule.lists(access.action) and rule.names(identity):
                    return True
            return False
        if access.name == "catalog":
            return bool(identity.name) or bool(self.selection(identity).prefixes)
        return any(
            "**" in rule.repositories and ANY in rule.actions and not rule.anonymous and rule.names(identity)
            for rule in self.rules
        )

    def verdict(self, identity: Identity, action: str, name: str) -> Verdict:
        """Whether an action on a repository is granted, and by what."""
        pattern, deciding = self._longest(name)
        granting = tuple(
            index for index in deciding if self.rules[index].lists(action) and self.rules[index].names(identity)
        )
        return Verdict(pattern, deciding, granting)

    def _longest(self, name: str) -> tuple[str | None, tuple[int, ...]]:
        """The pattern and the rules that decide on a repository."""
        known = self._known.get(name)
        if known is not None:
            return known
        matching = [(index, pattern) for index, pattern, compiled in self._patterns if compiled.fullmatch(name)]
        longest = max((length(pattern) for _, pattern in matching), default=None)
        best = [(index, pattern) for index, pattern in matching if length(pattern) == longest]
        found = best[0][1] if best else None, tuple(dict.fromkeys(index for index, _ in best))
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[name] = found
        return found

    def selection(self, identity: Identity) -> Selection:
        prefixes = {
            _WILDCARD.split(pattern)[0]
            for rule in self.rules
            if rule.lists(PULL) and rule.names(identity)
            for pattern in rule.repositories
        }
        return Selection(_reduced(prefixes), self, identity)


def _reduced(prefixes: Iterable[str]) -> Sequence[str]:
    found: list[str] = []
    for prefix in sorted(prefixes):
        if not found or not prefix.startswith(found[-1]):
            found.append(prefix)
    return found if len(found) <= _MOST_PREFIXES else [""]
