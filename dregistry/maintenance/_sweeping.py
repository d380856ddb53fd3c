"""
Sweeping: what goes after :mod:`dregistry.maintenance._marking`.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from itertools import chain
from typing import TypeAlias

from attrs import frozen

from ..storage import Tree, paths
from ._ahead import ahead
from ._digests import DigestSet, Keyed, key_of, unchecked
from ._repositories import Place, digests_below, repositories
from .report import BLOB, LEFTOVER, LINK, MANIFEST, Item, Watcher

GRACE = 3600.0
"""Seconds since their last change after which leftovers belong to nobody who is still at work."""

Doomed: TypeAlias = dict[str, dict[str, str]]
"""The manifests that go: name of the repository, to digest, to the digest of the subject or an empty text."""


@frozen
class Folder:
    """
    Blobs below one directory that go.

    :ivar digests: separated by spaces: there may be millions, and as a list they would take twice the memory.
    """

    path: str
    digests: str
    sizes: array[int]


@frozen(eq=False)
class Sweep:
    """
    :ivar selects: tells by its name whether what a repository holds may go.
    """

    _tree: Tree
    _watcher: Watcher
    _selects: Callable[[str], bool]
    _dry_run: bool
    _marks: DigestSet

    def blobs_to_go(self, only_of: Doomed | None) -> list[Folder]:
        """
        All blobs that are not marked, by the directories that they are in.

        :param only_of: if not None, only those that a selected repository holds, as a blob or as one of these.
        """
        tree = self._tree
        held = None if only_of is None else self._held(only_of)
        places = [
            (algorithm, f"{paths.BLOBS}/{algorithm}/{prefix}")
            for algorithm in tree.names(paths.BLOBS)
            for prefix in tree.names(f"{paths.BLOBS}/{algorithm}")
        ]
        self._watcher.phase("looking at blobs", len(places))
        found = []
        for folder in ahead(tree, lambda place: self._folder(*place, held), places):
            if folder.sizes:
                found.append(folder)
            self._watcher.step()
        return found

    def _folder(self, algorithm: str, path: str, held: DigestSet | None) -> Folder:
        marks = self._marks
        unmarked = []
        for name in self._tree.names(path):
            key = key_of(f"{algorithm}:{name}")
            if key is not None and key not in marks and (held is None or key in held):
                unmarked.append(name)
        infos = self._tree.stats([f"{path}/{name}/data" for name in unmarked]) if unmarked else []
        present = []
        sizes = array("Q")
        for name, info in zip(unmarked, infos, strict=True):
            if info is not None:
                present.append(f"{algorithm}:{name}")
                sizes.append(info.size)
            elif not self._dry_run:
                self._tree.prune(f"{path}/{name}")
        return Folder(path, " ".join(present), sizes)

    def _held(self, doomed: Doomed) -> DigestSet:
        held = DigestSet()
        keys = (key for _, links in self._links_of_all() for key in links.values())
        manifests = (key_of(digest) for digests in doomed.values() for digest in digests)
        for key in chain(keys, filter(None, manifests)):
            held.add(key)
        return held

    def manifests(self, doomed: Doomed) -> None:
        self._watcher.phase("removing manifests", len(doomed))
        for name, digests in doomed.items():
            if not self._dry_run:
                self._forget(name, digests)
                self._tree.delete([paths.revision(name, unchecked(digest)) for digest in digests])
            for digest in digests:
                reason = "no tag points at it, no index that stays lists it, and no subject of it stays"
                self._watcher.item(Item(MANIFEST, digest, reason, not self._dry_run, name))
            self._watcher.step()

    def _forget(self, name: str, doomed: dict[str, str]) -> None:
        """What a repository says elsewhere of manifests: it goes before they do, or nobody would look for it."""
        tree = self._tree
        entries = [
            paths.referrer_descriptor(name, unchecked(subject), unchecked(digest))
            for digest, subject in doomed.items()
            if subject
        ]
        for tag in tree.names(paths.tags(name)):
            history = digests_below(tree, paths.tag_index(name, tag))
            entries += [paths.tag_index_entry(name, tag, unchecked(each)) for each in history if each in doomed]
        tree.delete(entries)
        [scanned] = tree.contents([paths.referrers_scanned(name)])
        looked_at = (scanned or b"").decode("ascii", "replace").split("\n")
        remaining = [each for each in looked_at if each not in doomed]
        if remaining != looked_at:
            tree.put(paths.referrers_scanned(name), "\n".join(remaining).encode("ascii", "replace"))

    def _links_of_all(self) -> Iterator[tuple[str, Keyed]]:
        """The selected repositories, and the digests of the blobs that they link."""
        tree = self._tree

        def links(place: Place) -> tuple[str, Keyed]:
            return place.name, digests_below(tree, paths.layers(place.name))

        places = (place for place in repositories(tree) if self._selects(place.name))
        return ahead(tree, links, places)

    def links(self) -> int:
        """Those to blobs that are not marked, whether or not these are there; how many."""
        self._watcher.phase("removing links")
        count = 0
        for name, digests in self._links_of_all():
            unmarked = [digest for digest, key in digests.items() if key not in self._marks]
            count += len(unmarked)
            if not self._dry_run:
                self._tree.delete([paths.layer(name, unchecked(digest)) for digest in unmarked])
            for digest in unmarked:
                self._watcher.item(Item(LINK, digest, "no manifest needs its blob", not self._dry_run, name))
            self._watcher.step()
        return count

    def blobs(self, folders: list[Folder]) -> None:
        self._watcher.phase("removing blobs", len(folders))
        for folder in folders:
            digests = folder.digests.split(" ")
            if not self._dry_run:
                self._tree.delete([f"{folder.path}/{digest.partition(':')[2]}" for digest in digests])
            for digest, size in zip(digests, folder.sizes, strict=True):
                self._watcher.item(Item(BLOB, digest, "no manifest needs it", not self._dry_run, size=size))
            self._watcher.step()

    def leftovers(self, now: float, everywhere: bool) -> tuple[int, int]:
        """
        What interrupted writes and removals have left; how many, and of how many bytes.

        :param everywhere: look into every directory, not only into those that were looked into.
        """
        self._watcher.phase("removing leftovers")
        count = size = 0
        for leftover in self._tree.leftovers(paths.ROOT if everywhere else ""):
            if now - leftover.changed > GRACE:
                if not self._dry_run:
                    self._tree.discard(leftover)
                count += 1
                size += leftover.size
                reason = "an interrupted write or removal left it"
                self._watcher.item(Item(LEFTOVER, leftover.path, reason, not self._dry_run, size=leftover.size))
            self._watcher.step()
        return count, size
