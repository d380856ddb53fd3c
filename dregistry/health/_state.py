"""
What the web asks before each request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

REASON = "health check failed: please see /debug/health"
"""What distribution answers with."""
DRAINING = "the registry is shutting down"


class Health:
    """
    Of one process.

    :ivar failing: names of checks that fail, with what is wrong.
    :ivar draining: whether it takes no more connections.
    """

    def __init__(self) -> None:
        self.failing: dict[str, str] = {}
        self.draining = False
        self.names: list[str] = []
        self._tell: Callable[[Mapping[str, Any]], None] | None = None

    @property
    def unready(self) -> str | None:
        """Why no requests should come here; None if they should."""
        if self.draining:
            return DRAINING
        return REASON if self.failing else None

    def watch(self, tell: Callable[[Mapping[str, Any]], None]) -> None:
        """
        Hear of the state, now and whenever it changes.

        :param tell: is given ``draining``, and ``checks``: by name, what is wrong, or None.
        """
        self._tell = tell
        self._changed()

    def drain(self) -> None:
        """From now on this process is not ready."""
        self.draining = True
        self._changed()

    def update(self, name: str, fault: str | None) -> None:
        """
        Say how a check went.

        :param fault: None if it went well.
        """
        if self.failing.get(name) == fault:
            return
        if fault is None:
            del self.failing[name]
        else:
            self.failing[name] = fault
        self._changed()

    def _changed(self) -> None:
        if self._tell is not None:
            checks = {name: self.failing.get(name) for name in self.names}
            self._tell({"draining": self.draining, "checks": checks})
