"""
``dregistry garbage-collect``: distribution's command, its flags and its lines of output.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from ..config import Configuration
from ..maintenance import Item
from ..maintenance.gc import Collection, Options, collect
from ..maintenance.report import BLOB, LEFTOVER, LINK, MANIFEST
from ..storage import IAttendance, Tree
from ._output import Json, Output, Text
from ._progress import sized
from ._storage import fail, with_storage

_SERVED = (
    "a registry serves this storage and takes writes, or another collection is running: stop it, or let it serve"
    " read-only (storage.maintenance.readonly.enabled: true, then SIGHUP)"
)
_LINES = {
    BLOB: "blob eligible for deletion: {}",
    MANIFEST: "manifest eligible for deletion: {}",
    LINK: "{}: layer link eligible for deletion: {}",
    LEFTOVER: "leftover eligible for deletion: {}",
}


class _Text(Text):
    """As distribution prints it."""

    def repository(self, name: str) -> None:
        self.line(name)

    def marking_manifest(self, repository: str, digest: str) -> None:
        self.line(f"{repository}: marking manifest {digest} ")

    def marking_blob(self, repository: str, digest: str) -> None:
        self.line(f"{repository}: marking blob {digest}")

    def marked(self, marked: int, blobs: int, manifests: int) -> None:
        self.line(f"\n{marked} blobs marked, {blobs} blobs and {manifests} manifests eligible for deletion")

    def item(self, item: Item) -> None:
        names = (item.repository, item.name) if item.kind == LINK else (item.name,)
        self.line(_LINES[item.kind].format(*names))


def configure(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("-d", "--dry-run", action="store_true", help="only tell what would be removed")
    add("-m", "--delete-untagged", action="store_true", help="remove manifests, too, that no tag leads to")
    add("-q", "--quiet", action="store_true", help="print nothing but what is wrong")
    add("--json", action="store_true", help="print an object a line for each item, with its reason and bytes")
    add("--repo", metavar="GLOB", action="append", default=[], help="remove only what such repositories hold")
    add("--all-leftovers", action="store_true", help="look for leftovers of interrupted writes in every directory")
    add("config", nargs="?", metavar="CONFIG", help="the configuration file; else REGISTRY_CONFIGURATION_PATH names it")


def run(arguments: Namespace) -> int:
    """:return: 0; 1 if a manifest could not be read, or nothing could be done; 2 for wrong usage."""
    options = Options(arguments.dry_run, arguments.delete_untagged, arguments.all_leftovers, tuple(arguments.repo))
    output = Output() if arguments.quiet else Json() if arguments.json else _Text()

    def work(config: Configuration, driver: Any, tree: Tree) -> int:
        if options.dry_run or not IAttendance.providedBy(driver):
            return _collect(tree, options, output)
        lock = driver.keep_out()
        if lock is None:
            return fail(_SERVED)
        try:
            return _collect(tree, options, output)
        finally:
            lock.release()

    return with_storage(arguments.config, work)


def _collect(tree: Tree, options: Options, output: Output) -> int:
    done = collect(tree, options, output)
    output.summary(done, _summary(done, options.dry_run))
    return 1 if done.faults else 0


def _summary(done: Collection, dry_run: bool) -> str:
    text = f"{'would free' if dry_run else 'freed'} {sized(done.size + done.leftover_size)}"
    if done.faults:
        text += f"; {done.faults} manifests cannot be read, so all that their repositories hold stays"
    return text
