"""
One of several processes that serve an address: ``python -m dregistry.worker CONFIG``, started by
:mod:`dregistry.workers` only.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from twisted.internet.protocol import Protocol
from twisted.logger import globalLogBeginner, textFileLogObserver
from twisted.python.failure import Failure

from ._tls import without_tls
from .config import ConfigError
from .service import RegistryService, load
from .workers import LISTENING, READY

_PR_SET_PDEATHSIG = 1


class _Supervisor(Protocol):
    """The other end of standard input. It says nothing; its end is ours."""

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


def main() -> None:
    _die_with_parent()
    with without_tls():
        from twisted.internet import reactor as imported
        from twisted.internet.stdio import StandardIO
    reactor: Any = imported
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the supervisor tells what to do

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)], redirectStandardIO=False)
    listening = socket.socket(fileno=os.dup(LISTENING))
    os.close(LISTENING)
    try:
        service = RegistryService(*load(sys.argv[1]), reactor, listening)
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
