"""
What must not take for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field

_TICK = 1.0
"""Seconds between two looks; one timer for all costs less than one for each."""


@define(eq=False)
class Deadline:
    at: float
    expire: Callable[[], None]


@define(eq=False)
class Deadlines:
    """Calls what has waited for too long, up to a second late."""

    _clock: Any
    _waiting: set[Deadline] = field(factory=set, init=False)
    _timer: Any = field(default=None, init=False)

    def start(self, seconds: float, expire: Callable[[], None]) -> Deadline:
        deadline = Deadline(self._clock.seconds() + seconds, expire)
        self._waiting.add(deadline)
        if self._timer is None:
            self._timer = self._clock.callLater(_TICK, self._look)
        return deadline

    def extend(self, deadline: Deadline, seconds: float) -> None:
        deadline.at = self._clock.seconds() + seconds

    def end(self, deadline: Deadline) -> None:
        self._waiting.discard(deadline)

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        now = self._clock.seconds()
        late = [deadline for deadline in self._waiting if deadline.at <= now]
        self._waiting.difference_update(late)
        self._timer = self._clock.callLater(_TICK, self._look) if self._waiting else None
        for deadline in late:
            deadline.expire()
