"""
What the process that twistd starts knows of a configuration.

It has that read by another process, :mod:`dregistry.planning`: what it takes to read YAML, to check it and to find
plugins would else stay in a process that only watches others.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from attrs import field, frozen
from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.failure import Failure

from .logs import LogSettings


class PlanError(Exception):
    """The configuration has faults: the report of them."""


@frozen
class Plan:
    """
    :ivar workers: how many processes are to serve.
    :ivar net: see :func:`dregistry.sockets.listen`, as for ``addr`` and ``endpoint``.
    :ivar debug_addr: of the debug server; empty for none.
    :ivar drain_timeout: seconds.
    :ivar shared: whether several processes can have the storage.
    :ivar needs_tls: whether a process that does everything loads OpenSSL.
    :ivar records_events: whether somebody is to know what happens.
    :ivar purge_interval: seconds from the end of a round to the next; None for none.
    :ivar log: how to log.
    :ivar enabled: what is enabled, and whose it is, for the log.
    :ivar warnings: paths of the configuration, and what is to be said of them.
    :ivar setup: a :class:`dregistry.backends.Setup`, pickled.
    """

    workers: int
    net: str
    addr: str
    endpoint: str
    debug_addr: str
    drain_timeout: float
    shared: bool
    needs_tls: bool
    records_events: bool
    purge_interval: float | None
    log: LogSettings
    enabled: str
    warnings: tuple[tuple[str, str], ...]
    setup: bytes = field(repr=False)


def module_environment() -> Mapping[str, str]:
    """The environment of a process that is to find the modules that this one finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def read_plan(path: str) -> Plan:
    """
    The plan of a configuration file, and of the environment.

    :raise PlanError:
    """
    command = [sys.executable, *_arguments(path)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=module_environment(), check=False)  # noqa: S603
    return _plan(done.stdout, done.stderr, done.returncode)


async def read_plan_later(path: str, reactor: Any) -> Plan:
    """The same while the reactor runs."""
    started = getProcessOutputAndValue(sys.executable, _arguments(path), module_environment(), None, reactor)
    output, said, status = await started.addErrback(_killed)
    return _plan(output, said, status)


def _killed(failure: Failure) -> tuple[bytes, bytes, int]:
    """The failure has the output, and the signal that ended the process."""
    found: Any = failure.value
    output, said, signal = found
    return output, said, -signal


def _arguments(path: str) -> list[str]:
    return ["-m", "dregistry.planning", path]


def _plan(output: bytes, said: bytes, status: int) -> Plan:
    if status != 0:
        raise PlanError(said.decode("utf-8", "replace").strip() or f"reading the configuration ended with {status}")
    sys.stderr.write(said.decode("utf-8", "replace"))  # as by plugins
    found: Plan = pickle.loads(output)  # noqa: S301  from a process that this one started
    return found
