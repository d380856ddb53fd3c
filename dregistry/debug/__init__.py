"""The debug server: what operators, Prometheus and probes ask for, on an address of its own, without credentials."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from socket import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..backends import Setup
    from ..purging import UploadPurging
    from .process import OwnDebug, WorkerDebug
    from .sharing import DebugSharing

MEMORY_VARIABLE = "DREGISTRY_SHARED"
"""The variable that tells a process that it has memory in common with others."""


def own_debug(setup: Setup, reactor: Any, purging: UploadPurging | None) -> OwnDebug | None:
    """For a registry of one process; None without a debug server, for which nothing is imported either."""
    if not setup.config.http.debug.addr:
        return None
    from .process import OwnDebug

    debug = OwnDebug(setup, reactor)
    if purging is not None:
        purging.tell = debug.maintained
    return debug


def worker_debug() -> WorkerDebug | None:
    """In a process that a supervisor started; None without a debug server."""
    if MEMORY_VARIABLE not in os.environ:
        return None
    from .process import WorkerDebug
    from .sharing import shared_memory

    return WorkerDebug(shared_memory())


class NoDebug:
    """In place of :class:`.sharing.DebugSharing`."""

    environ: Mapping[str, str] = {}
    descriptors: Mapping[int, int] = {}

    def listen(self) -> Sequence[socket]:
        return []

    def ended(self) -> None:
        """Nobody counts."""


def shared_debug(address: str, purging: UploadPurging | None) -> DebugSharing | NoDebug:
    """For a supervisor; without an address there is no debug server."""
    if not address:
        return NoDebug()
    from .sharing import DebugSharing

    sharing = DebugSharing(address)
    if purging is not None:
        purging.tell = sharing.maintained
    return sharing
