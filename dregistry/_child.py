"""
What all processes that a supervisor starts have in common; see :mod:`dregistry.workers`.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from twisted.internet.protocol import Protocol
from twisted.logger import globalLogBeginner
from twisted.python.failure import Failure

from ._slot import READY
from .backends import Setup
from .logs import Logs, LogSettings, logs_of_child
from .workers import INSTANCE

_PR_SET_PDEATHSIG = 1


class _Supervisor(Protocol):
    """The other end of standard input. It says at most one thing more; its end is ours."""

    def __init__(self, replaced: Callable[[], object], end: Callable[[], object]) -> None:
        self._replaced = replaced
        self._end = end

    def dataReceived(self, data: bytes) -> None:
        self._replaced()
        self._end()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self._end()


def begin() -> tuple[Setup, Logs]:
    """
    What the supervisor says at the beginning of standard input: the setup, pickled, after its length in eight bytes.
    From here on the process logs as that says, and ends with the supervisor.
    """
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the supervisor tells what to do
    with open(0, "rb", buffering=0, closefd=False) as stream:
        length = int.from_bytes(_exactly(stream, 8), "big")
        found: Setup = pickle.loads(_exactly(stream, length))  # noqa: S301  from the process that started this one
    logs = logs_of_child(os.environ, LogSettings.of(found.config.log), os.environ.get(INSTANCE, ""))
    globalLogBeginner.beginLoggingTo([logs], redirectStandardIO=False)
    return found, logs


def _die_with_parent() -> None:
    """
    Have the kernel end this process when its supervisor is killed, so that the address is free for the next one at
    once. Where there is no such call, the end of standard input does it a little later.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.read(count - len(data))
        if not piece:
            sys.exit("the supervisor is gone")
        data += piece
    return data


def run(
    reactor: Any,
    start: Callable[[], object],
    stop: Callable[[], object],
    replaced: Callable[[], object] = lambda: None,
    hurry: Callable[[], object] = lambda: None,
) -> None:
    """
    Run the process to its end.

    :param start: called first; the supervisor hears when it has returned.
    :param stop: called at the end; what it returns is waited for.
    :param replaced: called before ``stop`` if another process has taken over.
    :param hurry: called at SIGTERM, also while ``stop`` is under way.
    """
    from twisted.internet.stdio import StandardIO

    stopping = False

    def end() -> None:
        nonlocal stopping
        if not stopping:
            stopping = True
            reactor.stop()

    def begin_stop() -> object:
        nonlocal stopping
        stopping = True
        return stop()

    def terminate() -> None:
        hurry()
        end()

    def ready() -> None:
        start()
        signal.signal(signal.SIGTERM, lambda *_: reactor.callFromThread(terminate))
        StandardIO(_Supervisor(replaced, end))
        os.write(READY, b"1")
        os.close(READY)

    reactor.callWhenRunning(ready)
    reactor.addSystemEventTrigger("before", "shutdown", begin_stop)
    reactor.run()
