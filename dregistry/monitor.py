"""
The process that serves the debug address for several that serve requests: ``python -m dregistry.monitor``, started by
:mod:`dregistry.workers` only.

It is apart from the supervisor because of what it imports (the Prometheus client, TLS with it, the outbox), and so that
a scrape of much delays nobody. It goes on until all workers have drained.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.threadpool import ThreadPool

from ._child import begin, run
from ._memory import settle
from ._threads import PooledThreads
from ._tls import without_tls
from .backends import Setup
from .config import ConfigError
from .debug.sharing import shared_memory, started
from .workers import LISTENING

_LAST_ANSWERS = 0.5
"""Seconds for whoever has just connected."""


class Monitor:
    """
    The debug server in a process of its own.

    :param listening: the socket to serve.
    :raise ConfigError: if the outbox cannot be opened.
    """

    def __init__(self, setup: Setup, reactor: Any, listening: socket.socket) -> None:
        from .debug.overview import Overview
        from .debug.site import DebugSite

        self._reactor = reactor
        self._listening = listening
        self._pool = ThreadPool(0, 1, "outbox reading")
        self._outbox: Any = None
        if setup.records_events:
            from .events import read_only_outbox

            self._outbox = read_only_outbox(setup, PooledThreads(reactor, self._pool), reactor)
        memory = shared_memory()
        self._site = DebugSite(
            Overview(setup, memory, self._outbox, *started(os.environ)), setup.config.http.debug, reactor
        )
        self._port: Any = None

    def start(self) -> None:
        self._pool.start()
        self._port = self._reactor.adoptStreamPort(self._listening.fileno(), self._listening.family, self._site)
        self._listening.close()
        settle()

    async def stop(self) -> None:
        if self._port is not None:
            await self._port.stopListening()
            await deferLater(self._reactor, _LAST_ANSWERS)
        if self._outbox is not None:
            await self._outbox.close()
        self._pool.stop()


def main() -> None:
    setup, _ = begin()
    if setup.config.http.debug.prometheus.enabled:
        import prometheus_client  # noqa: F401  # it wants ssl, of which nothing else here has any need
    with without_tls():
        from twisted.internet import reactor as imported

        reactor: Any = imported
        listening = socket.socket(fileno=os.dup(LISTENING))
        os.close(LISTENING)
        try:
            monitor = Monitor(setup, reactor, listening)
        except ConfigError as error:
            sys.exit(str(error))
    run(reactor, monitor.start, lambda: Deferred.fromCoroutine(monitor.stop()))


if __name__ == "__main__":
    main()
