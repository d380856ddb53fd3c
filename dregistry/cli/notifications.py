"""
``dregistry notifications``: how delivery stands, and events sent again. It works on the outbox itself, so on the
machine that has it, whether or not the registry runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ..backends import Setup, read_setup
from ..config import ConfigError, parse_duration
from ..notifications.outbox import Database, OutboxError, Tables
from ..notifications.statistics import describe_all

_NANOSECONDS = 10**9


def configure(parser: argparse.ArgumentParser) -> None:
    config = argparse.ArgumentParser(add_help=False)
    config.add_argument(
        "--config",
        "-c",
        default=os.environ.get("REGISTRY_CONFIGURATION_PATH"),
        help="the configuration file; else REGISTRY_CONFIGURATION_PATH names it",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    status = commands.add_parser("status", parents=[config], help="what each endpoint got, and what waits for it")
    status.add_argument("--json", action="store_true", help="print JSON, as GET /v2/_dregistry/notifications answers")
    status.set_defaults(act=_status)
    replay = commands.add_parser("replay", parents=[config], help="send an endpoint events again")
    replay.add_argument("--endpoint", required=True, help="its name, as status shows it")
    replay.add_argument(
        "--since",
        required=True,
        type=_time,
        metavar="TIME",
        help="the first event to send: 2026-11-24T12:00:00+01:00, 2026-11-24 (of this machine's zone), or 2h for "
        "two hours ago",
    )
    replay.set_defaults(act=_replay)


def run(arguments: argparse.Namespace) -> int:
    if not arguments.config:
        sys.stderr.write("dregistry notifications: name a configuration file: --config FILE\n")
        return 2
    act: Callable[[argparse.Namespace, Setup, Tables], int] = arguments.act
    try:
        setup = read_setup(os.path.abspath(arguments.config), lambda warning: None)
        folder = setup.outbox_folder if setup.records_events else None
        if folder is None or not Database.exists(folder):
            place = "on the disk with this configuration" if folder is None else f"in {folder}: nothing happened yet"
            sys.stderr.write(f"dregistry notifications: there is no outbox {place}\n")
            return 1
        return act(arguments, setup, Tables(folder))
    except (ConfigError, OutboxError) as error:
        sys.stderr.write(f"dregistry notifications: {error}\n")
        return 1


def _time(text: str) -> int:
    """Nanoseconds since the epoch."""
    try:
        return time.time_ns() - int(parse_duration(text) * _NANOSECONDS)
    except ValueError:
        pass
    try:
        return int(datetime.fromisoformat(text).astimezone().timestamp() * _NANOSECONDS)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither a time nor a duration") from None


def _status(arguments: argparse.Namespace, setup: Setup, tables: Tables) -> int:
    described = describe_all(setup.sinks, tables.positions.counts)
    if arguments.json:
        document = {"registry": {"notifications": {"endpoints": described}}}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.write("".join(map(_line, described)) or "no endpoints\n")
    return 0


def _line(endpoint: dict[str, Any]) -> str:
    metrics = endpoint["Metrics"]
    answers = ", ".join(f"{status}: {count}" for status, count in sorted(metrics["Statuses"].items()))
    return (
        f"{endpoint['name']}: {metrics['Successes']} delivered, {metrics['Pending']} pending, "
        f"{metrics['Failures']} times refused, {metrics['Errors']} times not reached, "
        f"{metrics['DeadLetters']} given up{f' ({answers})' if answers else ''}\n"
    )


def _replay(arguments: argparse.Namespace, setup: Setup, tables: Tables) -> int:
    names = [each.settings.name for each in setup.sinks]
    if arguments.endpoint not in names:
        known = ", ".join(names) or "none"
        sys.stderr.write(f"dregistry notifications: no endpoint is named {arguments.endpoint!r}; there are: {known}\n")
        return 1
    position = tables.positions.rewind(arguments.endpoint, tables.events.last_before(arguments.since))
    first, last = tables.events.bounds()
    sys.stdout.write(f"{arguments.endpoint}: events {position + 1} to {last} will be delivered")
    sys.stdout.write(f"; events before {first} are not kept any more\n" if position + 1 == first > 1 else "\n")
    return 0
