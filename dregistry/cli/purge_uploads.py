"""
``dregistry purge-uploads``: remove uploads that nobody has finished, as a running registry does now and then.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from ..config import Configuration, Seconds, parse_duration
from ..maintenance.purge import purge_uploads
from ..storage import Tree
from ._output import Json, Output, Text
from ._progress import sized
from ._storage import with_storage


def configure(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--age", type=_duration, help="how long ago they began; by default storage.maintenance.uploadpurging.age")
    add("-d", "--dry-run", action="store_true", help="only tell what would be removed")
    add("-q", "--quiet", action="store_true", help="print nothing but what is wrong")
    add("--json", action="store_true", help="print an object a line for each upload")
    add(
        "--scheduled", action="store_true", help="do as storage.maintenance.uploadpurging says, and nothing if disabled"
    )
    add("config", nargs="?", metavar="CONFIG", help="the configuration file; else REGISTRY_CONFIGURATION_PATH names it")


def run(arguments: Namespace) -> int:
    """:return: 0; 1 if nothing could be done; 2 for wrong usage."""
    output = Output() if arguments.quiet else Json() if arguments.json else Text()

    def work(config: Configuration, driver: Any, tree: Tree) -> int:
        rules = config.storage.maintenance.uploadpurging
        if arguments.scheduled and not rules.enabled:
            return 0
        age = rules.age if arguments.age is None else arguments.age
        dry_run = arguments.dry_run or (arguments.scheduled and rules.dryrun)
        done = purge_uploads(tree, age, dry_run, output, time.time())
        what = "would be purged" if dry_run else "purged"
        output.summary(done, f"{done.sessions} uploads {what} ({sized(done.size)}), {done.remaining} remain")
        return 0

    return with_storage(arguments.config, work)


def _duration(text: str) -> Seconds:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
