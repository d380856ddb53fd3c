"""
Collection of garbage: what no manifest needs is removed.

First all repositories are marked (:mod:`dregistry.maintenance._marking`); until that is done nothing changes. Then go,
in this order, untagged manifests (if asked for) with their entries in the history of tags and among referrers, links
to blobs that nobody needs, and the blobs (:mod:`dregistry.maintenance._sweeping`). So at whatever moment it ends, what
can be found is whole, and what remains is garbage for the next collection.

Nobody may write meanwhile: a blob that is being pushed belongs to no manifest yet. docs/design/online-gc.md says what
will make that unnecessary.
"""

from __future__ import annotations

import time
from fnmatch import fnmatchcase

from attrs import define, frozen

from ..storage import Tree
from ._ahead import ahead
from ._marking import Marking, Survey, survey
from ._repositories import Place, repositories
from ._sweeping import Doomed, Sweep
from .report import Watcher


@frozen
class Options:
    """
    :ivar dry_run: only tell what would go.
    :ivar untagged_go: whether manifests go that no tag points at, that no index which stays lists, and whose subject
        does not stay.
    :ivar all_leftovers: look for leftovers of interrupted writes in every directory, not only where large ones may be.
    :ivar repositories: patterns (``fnmatch``) of names. If there are any, only what those repositories hold goes. The
        untagged manifests of others stay, and so does what belongs to no repository any more.
    """

    dry_run: bool = False
    untagged_go: bool = False
    all_leftovers: bool = False
    repositories: tuple[str, ...] = ()

    def selects(self, name: str) -> bool:
        return not self.repositories or any(fnmatchcase(name, pattern) for pattern in self.repositories)


@define
class Collection:
    """
    What came of it: counts, and sizes in bytes. In a dry run, what would have.

    :ivar repositories: that were looked at.
    :ivar marked: digests that are needed.
    :ivar faults: manifests that cannot be read.
    """

    repositories: int = 0
    marked: int = 0
    manifests: int = 0
    links: int = 0
    blobs: int = 0
    size: int = 0
    leftovers: int = 0
    leftover_size: int = 0
    faults: int = 0


def collect(tree: Tree, options: Options, watcher: Watcher, now: float | None = None) -> Collection:
    """
    Remove what is not needed, or tell what would be.

    :param now: seconds since the epoch.
    :raise StorageError: if the storage fails; what was not removed by then is found again by the next collection.
    """
    done = Collection()
    marking = Marking(tree, watcher)
    manifests = _mark(tree, options, watcher, marking, done)
    sweep = Sweep(tree, watcher, options.selects, options.dry_run, marking.marks)
    folders = sweep.blobs_to_go(manifests if options.repositories else None)
    done.faults, done.marked = marking.faults, len(marking.marks)
    done.manifests = sum(map(len, manifests.values()))
    done.blobs = sum(len(folder.sizes) for folder in folders)
    done.size = sum(sum(folder.sizes) for folder in folders)
    watcher.marked(done.marked, done.blobs, done.manifests)
    sweep.manifests(manifests)
    done.links = sweep.links()
    sweep.blobs(folders)
    now = time.time() if now is None else now
    done.leftovers, done.leftover_size = sweep.leftovers(now, options.all_leftovers)
    return done


def _mark(tree: Tree, options: Options, watcher: Watcher, marking: Marking, done: Collection) -> Doomed:
    """Mark everything. The manifests that go."""

    def look(place: Place) -> Survey:
        return survey(tree, place, options.untagged_go and options.selects(place.name), marking.done)

    watcher.phase("marking")
    doomed: Doomed = {}
    for found in ahead(tree, look, repositories(tree)):
        done.repositories += 1
        if going := marking.repository(found):
            doomed[found.place.name] = going
        watcher.step()
    return doomed
