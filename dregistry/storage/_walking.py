"""
What maintenance asks of a driver: to go through all of its content without a reactor, and to know who writes.

Garbage collection and its like run beside the registry, not in it. Their code blocks, and sees a driver as a
:class:`Tree`. Drivers of local files hand one out (:class:`IWalking`); for all others
:class:`dregistry.maintenance.DriverTree` makes one of the contract's own methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from attrs import frozen
from zope.interface import Interface

from ._abilities import ILock
from ._interfaces import FileInfo


@frozen
class Leftover:
    """
    What an interrupted write or removal has left, under a name that no path has.

    :ivar path: where; not a path of the contract.
    :ivar size: bytes in it.
    :ivar changed: when anything about it last changed, in seconds since the epoch.
    """

    path: str
    size: int
    changed: float


class Tree(Protocol):
    """
    A driver's content, by blocking calls, from any thread. Paths are those of the contract, and are not checked.

    Errors are the contract's (:exc:`dregistry.storage.StorageError`).
    """

    @property
    def concurrency(self) -> int:
        """How many calls at one time get the most done, where they wait for the storage."""

    def waits(self) -> int:
        """A number that is larger each time that a call from this thread has had to wait for the storage."""

    def names(self, path: str, holding: str = "") -> list[str]:
        """
        The names of what is directly below ``path``, in order; none if nothing is there.

        :param holding: only those below which there is that name. Where a directory cannot be without content, all.
        """

    def contents(self, paths: Sequence[str], largest: int | None = None) -> list[bytes | None]:
        """
        The bytes at each path, None where nothing is.

        :param largest: None also for what has more bytes.
        """

    def stats(self, paths: Sequence[str]) -> list[FileInfo | None]:
        """What is at each path, None where nothing is."""

    def pieces(self, path: str) -> Iterator[memoryview | bytes]:
        """
        The bytes at ``path`` in pieces of at most 1 MiB, each valid until the next is asked for.

        :raise PathNotFound:
        """

    def put(self, path: str, content: bytes) -> None:
        """Replace what is at ``path``, in one step; not necessarily durable."""

    def move(self, source: str, destination: str) -> None:
        """
        Move content in one step, durably.

        :raise PathNotFound:
        :raise WriterBusy:
        """

    def delete(self, paths: Sequence[str]) -> None:
        """Remove each path and all below it, in any order. What is not there is no error."""

    def prune(self, path: str) -> bool:
        """Remove the directory ``path`` if nothing is in it; whether it did."""

    def in_use(self, path: str) -> bool:
        """Whether a writer of any process has ``path`` open; False where that cannot be told."""

    def leftovers(self, path: str = "") -> Iterable[Leftover]:
        """
        Those that :meth:`names` came across and passed over.

        :param path: those in all of what is below it instead, however long that takes.
        """

    def discard(self, leftover: Leftover) -> None:
        """Remove it."""


class IWalking(Interface):
    """An ability of drivers whose content can be reached by blocking calls, without a reactor."""

    def tree() -> Tree:
        """The content of the driver."""


class IRenewing(Interface):
    """An ability of drivers that can make content young again."""

    def renew(path: str) -> None:
        """
        Make now the time that :class:`FileInfo` has as ``modified``. Does not block for long, and changes nothing if
        it may not, or if nothing is there.
        """


class IAttendance(Interface):
    """An ability of drivers whose processes can tell each other that they write."""

    def attend() -> ILock | None:
        """
        Say that this process may write anywhere, until the lock is released or the process ends; None if another
        process keeps all out. Does not block for long. Where it cannot be said, nothing is.
        """

    def keep_out() -> ILock | None:
        """Let no process attend until the lock is released; None if one attends now."""
