"""
The open connections of a site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

SWEEP = 1.0
"""Seconds between looks for connections that are idle for too long."""


class Channel(Protocol):
    def is_overdue(self, now: float) -> bool:
        """Whether nothing came for longer than its idle timeout allows."""

    def time_out(self) -> None:
        """Close the connection for that."""

    def announce_end(self) -> None:
        """Close the connection when the answer that is under way is complete; if none is, that to the next request."""

    def finish_up(self) -> None:
        """Close the connection when the answer that is under way is complete; now, if none is."""

    def abort(self) -> None:
        """Close the connection whatever is under way."""


def _ignore(count: int) -> None:
    pass


class Connections:
    """
    Channels; all their idle timeouts are one timer.

    :ivar changed: called with their number when it has changed.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._channels: set[Channel] = set()
        self.changed: Callable[[int], None] = _ignore
        self._sweep = LoopingCall(self._close_overdue)
        self._sweep.clock = clock

    def __len__(self) -> int:
        return len(self._channels)

    def __iter__(self) -> Iterator[Channel]:
        return iter(list(self._channels))

    def add(self, channel: Channel) -> None:
        self._channels.add(channel)
        self.changed(len(self._channels))
        if not self._sweep.running:
            self._sweep.start(SWEEP, now=False)

    def discard(self, channel: Channel) -> None:
        self._channels.discard(channel)
        self.changed(len(self._channels))
        if not self._channels and self._sweep.running:
            self._sweep.stop()

    def _close_overdue(self) -> None:
        now = self._sweep.clock.seconds()
        for channel in self:
            if channel.is_overdue(now):
                channel.time_out()
