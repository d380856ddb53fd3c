"""
One of several processes that serve an address: ``python -m dregistry.worker NUMBER``, started by
:mod:`dregistry.workers` only.
"""

from __future__ import annotations

import os
import socket
import sys

from ._balance import Loads
from ._child import begin, run
from ._tls import tls_if
from .config import ConfigError
from .debug import worker_debug
from .workers import LISTENING, LOADS


def main() -> None:
    setup, logs = begin()
    with tls_if(setup.needs_tls):
        import twisted.internet.stdio  # noqa: F401
        from twisted.internet import reactor

        from .server import RegistryService
    listening = socket.socket(fileno=os.dup(LISTENING))
    os.close(LISTENING)
    try:
        turn = Loads(LOADS), int(sys.argv[1])
        service = RegistryService(
            setup, reactor, listening, turn=turn, debug=worker_debug(), write_line=logs.write_line
        )
        service.attend()
    except ConfigError as error:
        sys.exit(str(error))
    run(reactor, service.startService, service.stopService, service.servers.replaced, service.servers.hurry)


if __name__ == "__main__":
    main()
