"""
One of several processes that serve an address: ``python -m dregistry.worker``, started by :mod:`dregistry.workers`
only. Its standard input begins with a :class:`dregistry.backends.Setup`, pickled, after its length in eight bytes.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import socket
import sys
from contextlib import suppress
from typing import Any, BinaryIO

from twisted.internet.protocol import Protocol
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure

from ._tls import tls_if
from .backends import Setup
from .config import ConfigError
from .workers import LISTENING, READY

_PR_SET_PDEATHSIG = 1


class _Supervisor(Protocol):
    """The other end of standard input. It says nothing more; its end is ours."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        if self._reactor.running:
            self._reactor.stop()


def _die_with_parent() -> None:
    """
    Have the kernel end this process when its supervisor is killed, so that the address is free for the next one at
    once. Where there is no such call, the end of standard input does it a little later.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _setup() -> Setup:
    with open(0, "rb", buffering=0, closefd=False) as stream:
        length = int.from_bytes(_exactly(stream, 8), "big")
        found: Setup = pickle.loads(_exactly(stream, length))  # noqa: S301  from the process that started this one
    return found


def _exactly(stream: BinaryIO, count: int) -> bytes:
    data = b""
    while len(data) < count:
        piece = stream.read(count - len(data))
        if not piece:
            sys.exit("the supervisor is gone")
        data += piece
    return data


def main() -> None:
    _die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the supervisor tells what to do

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    setup = _setup()
    with tls_if(setup.needs_tls):
        from twisted.internet import reactor as imported
        from twisted.internet.stdio import StandardIO

        from .server import RegistryService
    reactor: Any = imported
    listening = socket.socket(fileno=os.dup(LISTENING))
    os.close(LISTENING)
    try:
        service = RegistryService(setup, reactor, listening)
        service.attend()
    except ConfigError as error:
        sys.exit(str(error))

    def serve() -> None:
        service.startService()
        StandardIO(_Supervisor(reactor))
        os.write(READY, b"1")
        os.close(READY)

    reactor.callWhenRunning(serve)
    reactor.addSystemEventTrigger("before", "shutdown", service.stopService)
    reactor.run()


if __name__ == "__main__":
    main()
