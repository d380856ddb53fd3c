"""
``dregistry scrub``: verify every blob.
"""

from __future__ import annotations

import os
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import Any

from ..config import Configuration
from ..digest import Digest
from ..errors import DigestInvalid
from ..maintenance.scrub import Options, Scrub, restore, scrub
from ..storage import PathNotFound, Tree
from ._output import Json, Output, Text
from ._progress import sized
from ._storage import fail, with_storage

_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KMG]i?)?B?", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}


def configure(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--quarantine", action="store_true", help="move blobs that are corrupt aside, so that they are pushed anew")
    add("--restore", metavar="DIGEST", type=_digest, help="put that blob back, if it has its digest again; no more")
    add("--rate", type=_rate, help="the most bytes to read in a second, as 50MB or 20MiB")
    add("--threads", type=int, default=len(os.sched_getaffinity(0)), help="how many read and hash at one time")
    add("--resume", action="store_true", help="go on where the last scrub with this flag was interrupted")
    add("-q", "--quiet", action="store_true", help="print nothing but what is wrong")
    add("--json", action="store_true", help="print an object a line for each blob that is corrupt")
    add("config", nargs="?", metavar="CONFIG", help="the configuration file; else REGISTRY_CONFIGURATION_PATH names it")


def run(arguments: Namespace) -> int:
    """:return: 0; 1 if a blob is corrupt or cannot be read, or nothing could be done; 2 for wrong usage."""
    options = Options(arguments.quarantine, arguments.rate, max(1, arguments.threads), arguments.resume)
    output = Output() if arguments.quiet else Json() if arguments.json else Text()

    def work(config: Configuration, driver: Any, tree: Tree) -> int:
        if arguments.restore is not None:
            return _restore(tree, arguments.restore)
        done = scrub(tree, options, output)
        output.summary(done, _summary(done))
        return 1 if done.corrupt or done.unreadable else 0

    return with_storage(arguments.config, work)


def _restore(tree: Tree, digest: Digest) -> int:
    try:
        if restore(tree, digest):
            return 0
    except PathNotFound:
        return fail(f"{digest} is not in the quarantine")
    return fail(f"{digest} stays in the quarantine: it is still corrupt")


def _summary(done: Scrub) -> str:
    text = f"{done.blobs} blobs ({sized(done.size)}) verified: {done.corrupt} corrupt, {done.quarantined} quarantined"
    if done.unreadable:
        text += f", {done.unreadable} cannot be read"
    if done.unverifiable:
        text += f", {done.unverifiable} have digests that cannot be computed here"
    return text


def _rate(text: str) -> float:
    match = _RATE.fullmatch(text)
    if match is None or float(match[1]) == 0:
        raise ArgumentTypeError("not a number of bytes such as 50MB or 20MiB")
    return float(match[1]) * _UNITS[(match[2] or "").lower()]


def _digest(text: str) -> Digest:
    try:
        return Digest.parse(text)
    except DigestInvalid as error:
        raise ArgumentTypeError(error.reason) from None
