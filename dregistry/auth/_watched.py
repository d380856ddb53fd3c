"""
Files that are read again when they change.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from .._stamp import Stamp, file_stamp
from ..storage import Threads

LOOK_EVERY = 1.0
"""Seconds for which a file is taken to be as it was."""

_log = Logger()
_T = TypeVar("_T")


class Unreadable(Exception):
    """The file is not there, or is not what it should be. The message may be shown to operators only."""


class WatchedFile(Generic[_T]):
    """
    :param read: makes a value of a path, in a thread. Raises ``OSError`` or ``ValueError``.
    :param keep: whether the last value stands in for one that cannot be read.
    """

    def __init__(
        self, path: str, read: Callable[[str], _T], reactor: Any, threads: Threads, keep: bool = False
    ) -> None:
        self.path = path
        self.changes = 0
        self._read = read
        self._seconds: Callable[[], float] = reactor.seconds
        self._threads = threads
        self._keep = keep
        self._value: _T | None = None
        self._stamp: Stamp | None = None
        self._failed = False
        self._look_at = float("-inf")
        self._waiting: list[Deferred[None]] | None = None

    async def get(self) -> _T:
        """
        What the file says now, or said a moment ago.

        :raise Unreadable:
        """
        now = self._seconds()
        if now >= self._look_at:
            await self._look(now)
        if self._value is None:
            raise Unreadable(self.path)
        return self._value

    def distrust(self) -> None:
        """Have the file read again when it is asked for next, even if it seems to be as it was."""
        self._look_at = float("-inf")
        self._stamp = None

    async def _look(self, now: float) -> None:
        """Read the file if it has changed; those who ask meanwhile wait."""
        if self._waiting is not None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
            return
        self._waiting = []
        try:
            stamp = file_stamp(self.path)
            if stamp is None or stamp != self._stamp:
                await self._update(stamp)
            self._look_at = now + LOOK_EVERY
        finally:
            waiters, self._waiting = self._waiting, None
            for each in waiters:
                each.callback(None)

    async def _update(self, stamp: Stamp | None) -> None:
        try:
            value = await self._threads.run(self._read, self.path)
        except (OSError, ValueError) as error:
            if not self._failed or stamp != self._stamp:
                _log.error("{path} cannot be used: {error}", path=self.path, error=describe(error))
            self._stamp, self._failed = stamp, True
            if not self._keep:
                self._value = None
            return
        self._value, self._stamp, self._failed = value, stamp, False
        self.changes += 1


def describe(error: Exception) -> str:
    """What to tell an operator."""
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
