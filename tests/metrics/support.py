"""Reading what was counted."""

from __future__ import annotations

from collections.abc import Iterable

from dregistry.metrics._memory import Reading, Series, SharedMemory
from dregistry.metrics.families import Family
from dregistry.metrics.recorder import Recorder


class Counted:
    """
    A recorder of this process, and what it has.

    :ivar recorder: to be handed to who counts.
    """

    def __init__(self) -> None:
        self.memory = SharedMemory()
        self.recorder = Recorder(self.memory.sit_down())

    def values(self, family: Family) -> dict[tuple[str, ...], list[float]]:
        """The numbers of each time series of a family, by its labels."""
        return {each.labels: list(each.values) for each in self.series() if each.family is family}

    def value(self, family: Family, *labels: str) -> float:
        """The only number of a time series; of a histogram, how much it has observed."""
        values = self.values(family).get(labels, [0.0])
        return sum(values[:-1]) if family.kind == "histogram" else values[0]

    def series(self) -> Iterable[Series]:
        readings: list[Reading] = self.memory.read()
        return [each for reading in readings for each in reading.series]
