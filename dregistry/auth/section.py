"""
The ``auth`` section of a configuration, read for what it means.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from ..config import AccessRule, Auth, ConfigError, Problem
from .policy import Policy, Rule, pattern_fault


@frozen
class NamedController:
    """
    :ivar parameters: its options, as the file has them.
    :ivar path: of the options.
    """

    name: str
    parameters: Mapping[str, object]
    path: str


def named_controllers(section: Auth, source: str) -> Sequence[NamedController]:
    """
    The controllers in the order in which they are asked, the token server last: it knows nobody but by the others.

    :raise ConfigError: if the section does not say clearly which.
    """
    found: list[NamedController] = []
    if section.driver and section.driver.lower() != "none":
        if section.controllers:
            problem = Problem("auth.controllers", f"of no use beside auth.{section.driver}: put that into the list")
            raise ConfigError([problem], source=source)
        found.append(NamedController(section.driver, section.parameters, f"auth.{section.driver}"))
    for index, entry in enumerate(section.controllers):
        path = f"auth.controllers[{index}]"
        if len(entry) != 1:
            raise ConfigError([Problem(path, "must be one controller's name and its options")], source=source)
        [(name, options)] = entry.items()
        if not (options is None or isinstance(options, dict)):
            raise ConfigError([Problem(f"{path}.{name}", "must be a mapping of options")], source=source)
        found.append(NamedController(name, options or {}, f"{path}.{name}"))
    if section.tokenserver is not None:
        found.append(NamedController("tokenserver", section.tokenserver, "auth.tokenserver"))
    return found


def make_policy(rules: Sequence[AccessRule] | None, source: str) -> Policy | None:
    """
    None without a policy, which is not the same as one without rules.

    :raise ConfigError: with all faults of all rules.
    """
    if rules is None:
        return None
    problems = [
        Problem(f"auth.policy[{index}]{where}", message)
        for index, rule in enumerate(rules)
        for where, message in _faults(rule)
    ]
    if problems:
        raise ConfigError(problems, source=source)
    return Policy(
        tuple(
            Rule(
                rule.repositories,
                frozenset(rule.users),
                frozenset(rule.groups),
                rule.anonymous,
                frozenset(rule.actions),
            )
            for rule in rules
        )
    )


def _faults(rule: AccessRule) -> Iterator[tuple[str, str]]:
    if not rule.repositories:
        yield ".repositories", "names no repository"
    for index, pattern in enumerate(rule.repositories):
        fault = pattern_fault(pattern)
        if fault is not None:
            yield f".repositories[{index}]", fault
    if rule.actions and not (rule.users or rule.groups or rule.anonymous):
        yield "", "is for nobody: give users or groups, or anonymous: true"
