"""
Scrubbing: whether every blob still has its digest.

What has not can be moved aside: below ``_dregistry/quarantine`` nothing is served, so clients that have the blob push
it anew. It can be put back from there, once it is whole again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from attrs import define, field, frozen

from ..digest import Digest
from ..storage import PathNotFound, Tree, WriterBusy, paths
from ._ahead import together
from ._digests import key_of, unchecked
from ._verifying import Outcome, Pace, verify
from .report import BLOB, Fault, Item, Watcher

_TOGETHER = 32
"""Blobs that a thread verifies in one go."""
_SAVE_EVERY = 10.0


@frozen
class Options:
    """
    :ivar quarantine: move what is corrupt aside.
    :ivar rate: the most bytes a second that are read; None for no bound.
    :ivar threads: how many read and hash at one time.
    :ivar resume: go on where the last scrub stopped that was to be resumed, and note how far this one comes.
    """

    quarantine: bool = False
    rate: float | None = None
    threads: int = 1
    resume: bool = False


@define
class Scrub:
    """
    What came of it.

    :ivar blobs: that were read; ``size`` is their bytes.
    :ivar corrupt: of those, how many do not have their digest.
    :ivar quarantined: how many of these were moved aside.
    :ivar unreadable: blobs that could not be read to their end.
    :ivar unverifiable: blobs by digests that cannot be computed here.
    """

    blobs: int = 0
    size: int = 0
    corrupt: int = 0
    quarantined: int = 0
    unreadable: int = 0
    unverifiable: int = 0


def scrub(
    tree: Tree,
    options: Options,
    watcher: Watcher,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Scrub:
    """
    Read every blob.

    :raise StorageError: if blobs cannot be listed or be moved aside. That one cannot be read is only reported.
    """
    return _Scrubber(tree, options, watcher, Pace(options.rate, clock, sleep), clock).run()


@define(eq=False)
class _Scrubber:
    _tree: Tree
    _options: Options
    _watcher: Watcher
    _pace: Pace
    _clock: Callable[[], float]
    _done: Scrub = field(factory=Scrub)
    _passed: str = ""
    _saved_at: float = 0.0

    def run(self) -> Scrub:
        places = self._places()
        self._watcher.phase("verifying", len(places))
        self._saved_at = self._clock()
        try:
            self._verify(places)
        except BaseException:
            self._save()
            raise
        if self._options.resume:
            self._tree.delete([paths.SCRUB])
        return self._done

    def _verify(self, places: Sequence[str]) -> None:
        for place, is_last, outcomes in together(self._verify_some, self._batches(places), self._options.threads):
            for outcome in outcomes:
                self._judge(outcome)
            if is_last:
                self._passed = place
                self._watcher.step()
                if self._clock() - self._saved_at > _SAVE_EVERY:
                    self._save()

    def _save(self) -> None:
        """Note how far this came, to the directory."""
        self._saved_at = self._clock()
        if self._options.resume and self._passed:
            self._tree.put(paths.SCRUB, self._passed.encode("ascii"))

    def _places(self) -> list[str]:
        """The directories of blobs, ``<algorithm>/<two digits>``, that are to be looked into."""
        tree = self._tree
        found = [
            f"{algorithm}/{prefix}"
            for algorithm in tree.names(paths.BLOBS)
            for prefix in tree.names(f"{paths.BLOBS}/{algorithm}")
        ]
        if self._options.resume:
            [position] = tree.contents([paths.SCRUB])
            done = (position or b"").decode("ascii", "replace")
            found = [place for place in found if place > done]
        return found

    def _batches(self, places: Sequence[str]) -> Iterator[tuple[str, bool, list[str]]]:
        """Place, whether this is its last batch, and digests."""
        for place in places:
            algorithm = place.partition("/")[0]
            names = self._tree.names(f"{paths.BLOBS}/{place}")
            digests = [digest for name in names if key_of(digest := f"{algorithm}:{name}")]
            for start in range(0, max(1, len(digests)), _TOGETHER):
                yield place, start + _TOGETHER >= len(digests), digests[start : start + _TOGETHER]

    def _verify_some(self, batch: tuple[str, bool, list[str]]) -> tuple[str, bool, list[Outcome]]:
        place, is_last, digests = batch
        found = [verify(self._tree, paths.blob_data(unchecked(each)), each, self._pace) for each in digests]
        return place, is_last, [outcome for outcome in found if outcome is not None]

    def _judge(self, outcome: Outcome) -> None:
        done = self._done
        if outcome.fault:
            done.unreadable += 1
            self._watcher.fault(Fault(outcome.digest, outcome.fault))
            return
        done.blobs += 1
        done.size += outcome.size
        if not outcome.actual:
            done.unverifiable += 1
        elif outcome.actual != outcome.digest:
            self._corrupt(outcome)
        self._watcher.read(outcome.size)

    def _corrupt(self, outcome: Outcome) -> None:
        """Read it once more: it may have been replaced meanwhile, and memory may fail, too."""
        digest = unchecked(outcome.digest)
        again = verify(self._tree, paths.blob_data(digest), outcome.digest, self._pace)
        if again is None or again.actual == outcome.digest:
            return
        self._done.corrupt += 1
        moved = self._options.quarantine and self._set_aside(digest)
        self._done.quarantined += moved
        reason = f"it is corrupt: its content has the digest {outcome.actual}"
        self._watcher.item(Item(BLOB, outcome.digest, reason, moved, size=outcome.size))

    def _set_aside(self, digest: Digest) -> bool:
        try:
            self._tree.move(paths.blob_data(digest), paths.quarantined(digest))
        except (PathNotFound, WriterBusy):  # it is being replaced
            return False
        return True


def restore(tree: Tree, digest: Digest) -> bool:
    """
    Put a blob from the quarantine back where it is served, if it has its digest (again); whether it has.

    :raise PathNotFound: if the quarantine does not hold it.
    :raise StorageError: if the storage fails.
    """
    place = paths.quarantined(digest)
    outcome = verify(tree, place, str(digest))
    if outcome is None:
        raise PathNotFound(place)
    if outcome.actual != str(digest):
        return False
    tree.move(place, paths.blob_data(digest))
    return True
