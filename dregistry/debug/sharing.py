"""
What the processes of a registry have in common for the debug server, and who makes it.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence

from ..listen import listening_socket
from ..metrics._memory import SharedMemory
from ..metrics.families import MAINTENANCE_LAST, MAINTENANCE_RUNS, WORKER_EXITS
from ..metrics.recorder import Recorder
from . import MEMORY_VARIABLE

MEMORY = 5
"""The descriptor by which processes have the memory that they share."""
STARTED_VARIABLE = "DREGISTRY_STARTED"
"""The variable with the time at which the registry was started."""
COMMAND_VARIABLE = "DREGISTRY_COMMAND"
"""The variable with the command by which it was started, its arguments separated by ``\\x1f``."""


def listen_for_debug(address: str) -> socket.socket:
    """
    The debug server's socket.

    :raise SystemExit: if it cannot be had.
    """
    try:
        return listening_socket("tcp", address)
    except (OSError, ValueError) as error:
        sys.exit(f"http.debug.addr: cannot listen on {address!r}: {error}")


def shared_memory() -> SharedMemory:
    """In a process that the supervisor started: what it shares."""
    os.set_inheritable(MEMORY, False)
    return SharedMemory(MEMORY)


class DebugSharing:
    """
    The supervisor's side.

    :ivar environ: for the processes that it starts.
    :ivar descriptors: likewise.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        memory = SharedMemory.create()
        assert memory.descriptor is not None
        self.descriptors = {MEMORY: memory.descriptor}
        self.environ = {
            MEMORY_VARIABLE: "1",
            STARTED_VARIABLE: str(time.time()),
            COMMAND_VARIABLE: "\x1f".join(sys.argv),
        }
        self._memory = memory
        self._recorder: Recorder | None = None

    def listen(self) -> Sequence[socket.socket]:
        """
        The debug server's socket. From here on this is the process that supervises: twistd may have gone to the
        background before.

        :raise SystemExit: if it cannot be had.
        """
        self._recorder = Recorder(self._memory.sit_down())
        self._recorder.publish({"role": "supervisor"})
        self._recorder.counter(WORKER_EXITS)
        return [listen_for_debug(self._address)]

    def ended(self) -> None:
        """A process ended that was not told to."""
        if self._recorder is not None:
            self._recorder.counter(WORKER_EXITS).add()

    def maintained(self, task: str, well: bool) -> None:
        """A round of a task beside the registry ended."""
        if self._recorder is not None:
            count_round(self._recorder, task, well)


def count_round(recorder: Recorder, task: str, well: bool) -> None:
    """A round of a task beside the registry ended, well or not."""
    recorder.counter(MAINTENANCE_RUNS, task, "success" if well else "failure").add()
    if well:
        recorder.counter(MAINTENANCE_LAST, task).set(time.time())


def started(environ: Mapping[str, str]) -> tuple[list[str], float]:
    """The command by which the registry was started, and when."""
    return environ.get(COMMAND_VARIABLE, "").split("\x1f"), float(environ.get(STARTED_VARIABLE, 0.0))
