"""
Reading a blob to see whether it has its digest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import Lock

from attrs import frozen

from ..storage import PathNotFound, StorageError, Tree


class Pace:
    """
    Holds readers back, so that together they read no more than ``rate`` bytes a second.

    :param clock: seconds, from any moment.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._lock = Lock()
        self._free_at = clock()

    def spend(self, size: int) -> None:
        """Wait until ``size`` more bytes may be read."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            begin = max(self._free_at, now)
            self._free_at = begin + size / self._rate
        if begin > now:
            self._sleep(begin - now)


@frozen
class Outcome:
    """
    :ivar digest: that it is stored by.
    :ivar size: bytes that were read.
    :ivar actual: of what is there; empty if it could not be computed.
    :ivar fault: why it could not be read; empty if it could.
    """

    digest: str
    size: int = 0
    actual: str = ""
    fault: str = ""


def verify(tree: Tree, path: str, digest: str, pace: Pace | None = None) -> Outcome | None:
    """What is at ``path``; None if nothing is. Blocks; hashing lets other threads run."""
    algorithm = digest.partition(":")[0]
    if algorithm not in hashlib.algorithms_guaranteed:
        return Outcome(digest)
    running = hashlib.new(algorithm)
    size = 0
    try:
        for piece in tree.pieces(path):
            if pace is not None:
                pace.spend(len(piece))
            running.update(piece)
            size += len(piece)
    except PathNotFound:
        return None
    except StorageError as error:
        return Outcome(digest, size, fault=f"it cannot be read: {error!r}")
    return Outcome(digest, size, f"{algorithm}:{running.hexdigest()}")
