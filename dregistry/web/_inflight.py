"""
The requests whose handlers are at work.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred

_T = TypeVar("_T")


class InFlight:
    """Counts handlers, those included whose clients are gone already."""

    def __init__(self) -> None:
        self.count = 0

    def track(self, work: Deferred[_T]) -> Deferred[_T]:
        """Count ``work`` until it ends."""
        self.count += 1
        return work.addBoth(self._ended)

    def _ended(self, outcome: _T) -> _T:
        self.count -= 1
        return outcome
