"""
The process that delivers events for several that serve: ``python -m dregistry.deliverer``, started by
:mod:`dregistry.workers` only.

It is apart from the supervisor because it loads TLS and may fail: then the supervisor starts it again, as it does with
workers.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.internet.defer import Deferred

from ._child import begin, run
from ._memory import settle
from ._tls import tls_if
from .config import ConfigError

NICENESS = 15
"""Requests come first: events are kept, clients wait."""


def main() -> None:
    setup, _ = begin()
    os.nice(NICENESS)
    with tls_if(bool(setup.sinks)):
        from twisted.internet import reactor as imported

        from .events import DeliveryService
    reactor: Any = imported
    try:
        service = DeliveryService(setup, reactor)
    except ConfigError as error:
        sys.exit(str(error))

    def start() -> None:
        service.start()
        settle()

    run(reactor, start, lambda: Deferred.fromCoroutine(service.stop()))


if __name__ == "__main__":
    main()
