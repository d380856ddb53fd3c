"""
What is known of all processes of a registry.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from attrs import define

from .. import __version__
from ..backends import Setup
from ..metrics._memory import Reading, SharedMemory
from ..metrics.families import BUILD, CHECK_FAILING, OPEN_FDS, RESIDENT, START_TIME, WORKERS
from ..metrics.outbox import Found, OutboxFigures, Readable, read_figures

WORKER = "worker"
"""The ``role`` of processes that take requests."""
NOBODY = {"workers": "none takes requests"}


@define
class Overview:
    """
    :ivar memory: what processes say of themselves.
    :ivar outbox: None if no events are recorded.
    :ivar command: how the registry was started.
    :ivar started: when, in seconds since the epoch.
    """

    setup: Setup
    memory: SharedMemory
    outbox: Readable | None
    command: Sequence[str]
    started: float

    def failing(self) -> dict[str, str]:
        """Checks that fail in any process that takes requests, with what is wrong; empty if all is well."""
        workers = self._workers(self.memory.read())
        if not workers:
            return dict(NOBODY)
        return {
            name: fault for state in workers for name, fault in state.get("checks", {}).items() if fault is not None
        }

    def is_ready(self) -> bool:
        """Whether any process takes requests and has no check that fails."""
        workers = self._workers(self.memory.read())
        return any(not any(state.get("checks", {}).values()) for state in workers)

    @staticmethod
    def _workers(readings: Sequence[Reading]) -> list[Mapping[str, Any]]:
        states = [reading.state for reading in readings if reading.state.get("role") == WORKER]
        return [state for state in states if not state.get("draining")]

    async def figures(self) -> OutboxFigures | None:
        """
        Of the outbox; None if no events are recorded.

        :raise OutboxError:
        """
        return None if self.outbox is None else await read_figures(self.outbox, self.setup.sinks)

    async def variables(self) -> dict[str, Any]:
        """As distribution's ``/debug/vars``, but for what it tells of Go; passwords, tokens and headers are hidden."""
        figures = await self.figures()
        processes = [{"pid": reading.pid, **reading.state} for reading in self.memory.read() if reading.pid is not None]
        endpoints = figures.describe() if figures is not None and figures.endpoints else None
        return {
            "cmdline": list(self.command),
            "registry": {"notifications": {"endpoints": endpoints}},
            "dregistry": {"version": __version__, "started": self.started, "processes": processes},
        }

    async def series(self, readings: Sequence[Reading]) -> list[Found]:
        """What metrics show besides what processes counted."""
        figures = await self.figures()
        return [*self._states(readings), *self._processes(readings), *(figures.series() if figures else ())]

    def _states(self, readings: Sequence[Reading]) -> Iterator[Found]:
        workers = self._workers(readings)
        yield BUILD, (__version__,), 1.0
        yield START_TIME, (), self.started
        yield WORKERS, (), len(workers)
        failing: dict[str, float] = {}
        for state in workers:
            for name, fault in state.get("checks", {}).items():
                failing[name] = max(failing.get(name, 0.0), float(fault is not None))
        for name, value in failing.items():
            yield CHECK_FAILING, (name,), value

    @staticmethod
    def _processes(readings: Sequence[Reading]) -> Iterator[Found]:
        resident = descriptors = 0
        for pid in {os.getpid(), *(reading.pid for reading in readings if reading.pid is not None)}:
            with suppress(OSError):  # it has ended, or there is no /proc
                with open(f"/proc/{pid}/statm", encoding="ascii") as file:
                    resident += int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                descriptors += len(os.listdir(f"/proc/{pid}/fd"))
        yield RESIDENT, (), resident
        yield OPEN_FDS, (), descriptors
