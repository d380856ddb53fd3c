"""
``dregistry policy check``: whether the policy of a configuration lets somebody do something, and which rule says so.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..auth import DELETE, PULL, PUSH, Identity, Policy
from ..auth.section import make_policy
from ..config import ConfigError, load_file
from ..errors import NameInvalid
from ..reference import parse_name

_NOBODY = "-"


def configure(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    check = commands.add_parser("check", help="say whether something is allowed, and what decides it")
    check.add_argument("user", metavar="USER", help=f"the name of a user, or {_NOBODY} for who is not signed in")
    check.add_argument("action", metavar="ACTION", choices=(PULL, PUSH, DELETE), help="pull, push or delete")
    check.add_argument("repository", metavar="REPOSITORY", help="the name of a repository, existing or not")
    check.add_argument(
        "--group", action="append", default=[], help="a group that the user's credential names; may be repeated"
    )
    check.add_argument(
        "-c",
        "--config",
        default=os.environ.get("REGISTRY_CONFIGURATION_PATH"),
        help="the configuration file; else REGISTRY_CONFIGURATION_PATH names it",
    )
    check.epilog = "The exit status is 0 if it is allowed, 1 if it is denied, and 2 if that cannot be told."


def run(arguments: argparse.Namespace) -> int:
    if not arguments.config:
        return _fail("name a configuration file: --config FILE")
    try:
        name = parse_name(arguments.repository)
        config = load_file(arguments.config, os.environ).config
        policy = make_policy(config.auth.policy, arguments.config)
    except (ConfigError, NameInvalid) as error:
        return _fail(str(error))
    user = "" if arguments.user == _NOBODY else arguments.user
    groups = {group for group, users in config.auth.groups.items() if user in users}
    identity = Identity(user, frozenset({*groups, *arguments.group} if user else ()))
    granted, reason = _judge(policy, identity, arguments.action, name)
    sys.stdout.write(f"{'allowed' if granted else 'denied'}: {reason}\n")
    return 0 if granted else 1


def main(arguments: Sequence[str]) -> int:
    """:return: the exit status."""
    parser = argparse.ArgumentParser(prog="dregistry policy", description="What the policy of a registry says.")
    configure(parser)
    return run(parser.parse_args(arguments))


def _judge(policy: Policy | None, identity: Identity, action: str, name: str) -> tuple[bool, str]:
    if policy is None:
        return bool(
            identity.name
        ), "there is no auth.policy, so whoever is signed in may do everything, and nobody else"
    verdict = policy.verdict(identity, action, name)
    if verdict.pattern is None:
        return False, "no pattern of auth.policy matches the repository"
    if verdict.is_granted:
        return True, f"{_listed(verdict.granting)}, pattern {verdict.pattern}"
    return False, f"{_listed(verdict.deciding)}, pattern {verdict.pattern}, which is the longest, does not grant it"


def _listed(rules: Sequence[int]) -> str:
    return " and ".join(f"auth.policy[{index}]" for index in rules)


def _fail(message: str) -> int:
    sys.stderr.write(f"dregistry policy: {message}\n")
    return 2
