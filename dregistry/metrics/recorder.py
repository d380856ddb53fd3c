"""
What parts of the registry are handed to count by. One thread of a process does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any

from ._memory import Seat
from .families import Family


class Counter:
    """A number that only grows; as a gauge, one that goes up and down."""

    def __init__(self, cells: memoryview[float], index: int) -> None:
        self._cells = cells
        self._index = index

    def add(self, amount: float = 1.0) -> None:
        self._cells[self._index] += amount

    def set(self, value: float) -> None:
        """Of a gauge."""
        self._cells[self._index] = value


class Histogram:
    def __init__(self, cells: memoryview[float], index: int, bounds: tuple[float, ...]) -> None:
        self._cells = cells
        self._index = index
        self._sum = index + len(bounds) + 1
        self._bounds = bounds
        self._first = bounds[0]

    def observe(self, value: float) -> None:
        cells = self._cells
        cells[self._index + (bisect_left(self._bounds, value) if value > self._first else 0)] += 1.0
        cells[self._sum] += value


class Recorder:
    """:param seat: of this process."""

    def __init__(self, seat: Seat) -> None:
        self._seat = seat
        self.cells = seat.cells

    def place(self, family: Family, *labels: str) -> int:
        """The index of the first of :attr:`cells` of a time series, for who cannot afford the calls of the others."""
        return self._seat.place(family, labels)

    def counter(self, family: Family, *labels: str) -> Counter:
        """Of a counter, or of a gauge."""
        return Counter(self.cells, self.place(family, *labels))

    def histogram(self, family: Family, *labels: str) -> Histogram:
        return Histogram(self.cells, self.place(family, *labels), family.bounds)

    def publish(self, state: Mapping[str, Any]) -> None:
        """Say something of this process, in place of what was said before."""
        self._seat.publish(state)
