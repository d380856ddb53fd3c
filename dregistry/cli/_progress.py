"""
Progress on a terminal. One line that is written over and over needs no library.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

_EVERY = 0.1
_BAR = 24


def sized(count: float) -> str:
    """Bytes for people: ``1.4 MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


class Progress:
    """
    Shows nothing if ``stream`` is no terminal.

    :param clock: seconds, from any moment.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._shows = stream.isatty()
        self._name, self._total = "", 0
        self._steps = self._size = 0
        self._began = self._next = 0.0

    def phase(self, name: str, total: int | None) -> None:
        self._name, self._total = name, total or 0
        self._steps = self._size = 0
        self._began, self._next = self._clock(), 0.0

    def step(self) -> None:
        self._steps += 1
        self._show()

    def read(self, size: int) -> None:
        self._size += size
        self._show()

    def _show(self) -> None:
        if not self._shows or (now := self._clock()) < self._next:
            return
        self._next = now + _EVERY
        text = f"{self._name} {self._steps}"
        if self._total:
            full = _BAR * self._steps // self._total
            text = f"{self._name} [{'#' * full}{'-' * (_BAR - full)}] {100 * self._steps // self._total}%"
        if self._size:
            text += f"  {sized(self._size)}, {sized(self._size / max(now - self._began, _EVERY))}/s"
        self._stream.write(f"\r{text}\x1b[K")
        self._stream.flush()

    def clear(self) -> None:
        """Take the line away, for other output."""
        if self._shows:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
