"""
Numbers that several processes write, and one reads.

The supervisor makes a file in memory, without a name, which all its processes have open. It is divided into *seats*.
A process takes a free one for as long as it lives, by a lock that the kernel gives up with the process, and goes on
with the numbers that an earlier one left there. So counters never go backwards, whichever process is killed, nothing is
to be gathered from the dead, and nothing is left behind on a disk. Gauges count while somebody has the seat.

A seat has, in this order: a head of four integers, the state of its process as JSON, the keys of the time series in the
order of their cells, and the cells.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import frozen

from .._memory import memory_file
from .families import COUNTED, Family

SEATS = 64
_STATE = 64
_KEYS = 1 << 14
_CELLS = 1 << 17
_SIZE = 1 << 19
_SPARE = (_SIZE - _CELLS) // 8 - max(family.cells for family in COUNTED)
_LAYOUT, _PID, _STATE_LENGTH, _KEYS_LENGTH = range(4)
_FAMILIES = {family.name: family for family in COUNTED}
VERSION = zlib.crc32(repr(COUNTED).encode()) | 1
"""Of the layout: a process of another version of this program, started meanwhile, begins anew."""


@frozen
class Series:
    """
    One time series of one process.

    :ivar values: as many as :attr:`.Family.cells`.
    """

    family: Family
    labels: tuple[str, ...]
    values: Sequence[float]


@frozen
class Reading:
    """
    What is in a seat.

    :ivar pid: of the process that has the seat; None if it has ended.
    :ivar state: what it said of itself; empty if it has ended.
    """

    pid: int | None
    state: Mapping[str, Any]
    series: Sequence[Series]


class Seat:
    """
    :param memory: of the size of a seat.
    :ivar cells: the numbers; whoever has the index of some adds to them.
    """

    def __init__(self, memory: memoryview) -> None:
        self._head = memory[:_STATE].cast("Q")
        self._state = memory[_STATE:_KEYS]
        self._keys = memory[_KEYS:_CELLS]
        self.cells = memory[_CELLS:_SIZE].cast("d")
        self._used = 0
        self._index: dict[tuple[str, tuple[str, ...]], int] = {}

    @property
    def is_blank(self) -> bool:
        return self._head[_LAYOUT] == 0

    def sit_down(self) -> None:
        """Go on where an earlier process ended."""
        self._head[_STATE_LENGTH] = 0
        if self._head[_LAYOUT] != VERSION:
            self._head[_KEYS_LENGTH] = 0
            self.cells[:] = memoryview(bytes(self.cells.nbytes)).cast("d")
        for family, labels, index in self._placed():
            self._index[family.name, labels] = index
            self._used = index + family.cells
            if family.kind == "gauge":
                self.cells[index] = 0.0
        self._head[_PID] = os.getpid()
        self._head[_LAYOUT] = VERSION

    def place(self, family: Family, labels: tuple[str, ...]) -> int:
        """The index of the first cell of a time series. If there is no room, it is one that nobody reads."""
        key = (family.name, labels)
        index = self._index.get(key)
        if index is None:
            line = json.dumps([family.name, *labels]).encode() + b"\n"
            end = self._head[_KEYS_LENGTH] + len(line)
            if end > len(self._keys) or self._used + family.cells > _SPARE:
                return _SPARE
            index = self._index[key] = self._used
            self._used += family.cells
            self._keys[end - len(line) : end] = line
            self._head[_KEYS_LENGTH] = end
        return index

    def publish(self, state: Mapping[str, Any]) -> None:
        """Say something of this process, in place of what was said before."""
        content = json.dumps(state).encode()
        if len(content) <= len(self._state):
            self._head[_PID] = os.getpid()  # twistd may have gone to the background meanwhile
            self._head[_STATE_LENGTH] = 0
            self._state[: len(content)] = content
            self._head[_STATE_LENGTH] = len(content)

    def read(self, alive: bool) -> Reading:
        """
        What is there now.

        :param alive: whether a process has the seat.
        """
        if self._head[_LAYOUT] != VERSION:
            return Reading(None, {}, ())
        series = [
            Series(family, labels, self.cells[index : index + family.cells].tolist())
            for family, labels, index in self._placed()
            if alive or family.kind != "gauge"
        ]
        if not alive:
            return Reading(None, {}, series)
        state: Mapping[str, Any] = {}
        with suppress(ValueError):  # it is being written
            state = json.loads(bytes(self._state[: self._head[_STATE_LENGTH]]))
        return Reading(self._head[_PID], state, series)

    def _placed(self) -> Iterator[tuple[Family, tuple[str, ...], int]]:
        index = 0
        for line in bytes(self._keys[: self._head[_KEYS_LENGTH]]).splitlines():
            name, *labels = json.loads(line)
            yield _FAMILIES[name], tuple(labels), index
            index += _FAMILIES[name].cells


class SharedMemory:
    """
    :param descriptor: of the file; None for memory of this process only, with one seat.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = descriptor
        count = 1 if descriptor is None else SEATS
        whole = memoryview(mmap.mmap(-1 if descriptor is None else descriptor, count * _SIZE))
        self._seats = [Seat(whole[start : start + _SIZE]) for start in range(0, len(whole), _SIZE)]
        self._own: Seat | None = None

    @classmethod
    def create(cls) -> SharedMemory:
        """Memory of a new file; what is not used takes none."""
        return cls(memory_file("dregistry-metrics", SEATS * _SIZE))

    def sit_down(self) -> Seat:
        """
        A seat of this process until it ends: at one time in :data:`SEATS` processes. One that finds none counts, too,
        but nobody sees it.
        """
        number = next(filter(self._lock, range(len(self._seats))), None)
        seat = SharedMemory()._seats[0] if number is None else self._seats[number]
        seat.sit_down()
        self._own = seat
        return seat

    def read(self) -> list[Reading]:
        """What is in every seat that was ever taken."""
        found = []
        for number, seat in enumerate(self._seats):
            if seat.is_blank:
                break  # they are taken in order
            found.append(seat.read(seat is self._own or self._is_taken(number)))
        return found

    def _lock(self, number: int) -> bool:
        if self.descriptor is None:
            return True
        try:
            fcntl.lockf(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number * _SIZE)
        except (BlockingIOError, PermissionError):
            return False
        return True

    def _is_taken(self, number: int) -> bool:
        if not self._lock(number):
            return True
        if self.descriptor is not None:
            fcntl.lockf(self.descriptor, fcntl.LOCK_UN, 1, number * _SIZE)
        return False
