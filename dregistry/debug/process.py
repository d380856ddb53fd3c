"""
The debug server, as a process that serves requests has to do with it.
"""

from __future__ import annotations

import socket
import sys
import time
from typing import TYPE_CHECKING, Any, Protocol

from ..backends import Setup
from ..metrics._memory import SharedMemory
from ..metrics.outbox import Readable
from ..metrics.recorder import Recorder
from .sharing import count_round, listen_for_debug

if TYPE_CHECKING:
    from .overview import Overview


class ProcessDebug(Protocol):
    """
    :ivar recorder: counts, and says what there is to be known of the process.
    """

    recorder: Recorder

    def listen(self) -> None:
        """
        While the process may still use ports below 1024.

        :raise SystemExit: if the address cannot be had.
        """

    def start(self, outbox: Readable | None) -> None: ...

    def go_by(self, setup: Setup, outbox: Readable | None) -> None:
        """The configuration was replaced. The address stays."""

    async def stop(self) -> None: ...


class WorkerDebug:
    """Of one of several processes: another one serves the address."""

    def __init__(self, memory: SharedMemory) -> None:
        self.recorder = Recorder(memory.sit_down())

    def listen(self) -> None:
        """Nothing: see above, and so for the others."""

    def start(self, outbox: Readable | None) -> None:
        pass

    def go_by(self, setup: Setup, outbox: Readable | None) -> None:
        pass

    async def stop(self) -> None:
        pass


class OwnDebug:
    """Of the only process: it serves the address itself."""

    def __init__(self, setup: Setup, reactor: Any) -> None:
        self._setup = setup
        self._reactor = reactor
        self._memory = SharedMemory()
        self._listening: socket.socket | None = None
        self._port: Any = None
        self._overview: Overview | None = None
        self._started = time.time()
        self.recorder = Recorder(self._memory.sit_down())

    def maintained(self, task: str, well: bool) -> None:
        """A round of a task beside the registry ended."""
        count_round(self.recorder, task, well)

    def listen(self) -> None:
        self._listening = listen_for_debug(self._setup.config.http.debug.addr)

    def start(self, outbox: Readable | None) -> None:
        from .overview import Overview
        from .site import DebugSite

        self._overview = Overview(self._setup, self._memory, outbox, sys.argv, self._started)
        site = DebugSite(self._overview, self._setup.config.http.debug, self._reactor)
        listening, self._listening = self._listening, None
        assert listening is not None
        self._port = self._reactor.adoptStreamPort(listening.fileno(), listening.family, site)
        listening.close()

    def go_by(self, setup: Setup, outbox: Readable | None) -> None:
        assert self._overview is not None
        self._overview.setup, self._overview.outbox = setup, outbox

    async def stop(self) -> None:
        if self._port is not None:
            await self._port.stopListening()
