"""
What all processes that a supervisor starts have in common; see :mod:`dregistry.workers`.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, BinaryIO

from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.internet.protocol import Protocol
from twisted.logger import Logger, globalLogBeginner
from twisted.python.failure import Failure

from ._slot import READY
from .backends import Setup
from .logs import Logs, LogSettings, logs_of_child
from .workers import INSTANCE

_PR_SET_PDEATHSIG = 1
_log = Logger()


class _Supervisor(Protocol):
    """The other end of standard input. It says nothing more; its end is ours."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        if self._reactor.running:
            self._reactor.stop()


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
    retire: Callable[[], Coroutine[Any, Any, None]] | None = None,
) -> None:
    """
    Run the process to its end.

    :param start: called first; the supervisor hears when it has returned.
    :param stop: called at the end; what it returns is waited for.
    :param retire: called when the supervisor has another process for the same (SIGHUP); its end is that of this one.
    """
    from twisted.internet.stdio import StandardIO

    def end(_: object) -> None:
        with suppress(ReactorNotRunning):
            reactor.stop()

    def hung_up() -> None:
        assert retire is not None
        ended = Deferred.fromCoroutine(retire())
        ended.addErrback(lambda failure: _log.failure("cannot retire", failure)).addBoth(end)

    def ready() -> None:
        start()
        if retire is not None:
            signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(hung_up))
        StandardIO(_Supervisor(reactor))
        os.write(READY, b"1")
        os.close(READY)

    reactor.callWhenRunning(ready)
    reactor.addSystemEventTrigger("before", "shutdown", stop)
    reactor.run()
