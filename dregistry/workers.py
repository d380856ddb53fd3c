"""
Several processes that serve one address.

The process that twistd starts supervises: it makes the socket, starts the workers, restarts those that end, and tells
them to drain when it stops. It serves nothing itself. Workers share nothing but the storage. If there are
events to deliver, one more process does that.

All accept from the one socket (:mod:`dregistry._balance`), which stays open here: connections wait in its queue while
there is no worker. A worker whose supervisor is gone sees the end of its standard input, and ends too.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from ._balance import Loads
from ._memory import settle
from ._notify import NOBODY, ServiceNotices
from ._plan import Plan, module_environment
from ._slot import READY, Slot, Worker
from .debug import shared_debug
from .logs import FILE, LoggingService
from .purging import UploadPurging
from .reloading import Reloading, log_plan
from .sockets import Listening, listen

LISTENING = 3
"""The descriptor by which a worker has the socket."""
LOADS = 6
"""The descriptor of what :class:`dregistry._balance.Loads` is in."""
INSTANCE = "DREGISTRY_INSTANCE"
"""The variable by which workers know that they are one registry."""
WORKER = "dregistry.worker"
DELIVERER = "dregistry.deliverer"
MONITOR = "dregistry.monitor"
_GRACE = 35.0
"""Seconds beyond the drain timeout after which a worker is killed: it may have uploads to leave in order."""

_log = Logger()


class Supervisor(LoggingService):
    """
    :param path: of the configuration file, which is read again when the process gets SIGHUP.
    :param inherit_output: whether workers write to this process's output; else what they write is logged here.
    :param log_file: what they log to; None for their output.
    :param purging: runs beside them, once for all.
    """

    def __init__(
        self,
        path: str,
        plan: Plan,
        reactor: Any,
        inherit_output: bool,
        purging: UploadPurging | None = None,
        log_file: str | None = None,
        notices: ServiceNotices = NOBODY,
    ) -> None:
        self._plan = plan
        self._delivery: Slot | None = None
        self._environ = dict(module_environment())
        if log_file is not None:
            self._environ[FILE] = log_file
        self._reactor = reactor
        self._inherit_output = inherit_output
        self._purging = purging
        self._slots: list[Slot] = []
        self._listening: Listening | None = None
        self._loads = Loads.create(plan.workers)
        self._notices = notices
        self._reloading = Reloading(path, plan, self._go_by, reactor, notices)
        self._starting = True
        self.debug = shared_debug(plan.debug_addr, purging)
        self._environ.update(self.debug.environ)
        self._monitors: list[Slot] = []

    def privilegedStartService(self) -> None:
        """Make the socket, while the process may still use ports below 1024."""
        self._listening = listen(self._plan.net, self._plan.addr, self._plan.endpoint, self._reactor)
        self._slots = [self._worker_slot(number, self._listening.socket) for number in range(self._plan.workers)]
        self._monitors = [Slot(self, "debug server", MONITOR, {LISTENING: each}) for each in self.debug.listen()]

    def _worker_slot(self, number: int, listening: socket.socket) -> Slot:
        return Slot(
            self,
            f"worker {number}",
            WORKER,
            {LISTENING: listening, LOADS: self._loads},
            [str(number)],
            lambda: self._loads.leave(number),
        )

    def startService(self) -> None:
        super().startService()
        settle()
        for slot in (*self._slots, *self._monitors):
            slot.start()
        if self._purging is not None:
            self._purging.startService()
        self._deliver_or_not()
        self._reloading.start()
        assert self._listening is not None
        _log.info("{count} workers serve {place}", count=len(self._slots), place=self._listening.place)

    def _go_by(self, plan: Plan) -> None:
        """Replace every worker by one that goes by another configuration; no connection is lost."""
        if self.logs is not None:
            self.logs.go_by(plan.log)
        log_plan("reloaded", plan)
        self._plan = plan
        self._starting = True
        if self._purging is not None:
            self._purging.reload(plan.purge_interval)
        for slot in (*self._slots, *self._monitors):
            slot.replace()
        if self._delivery is not None and plan.records_events:
            self._delivery.replace()
        self._deliver_or_not()

    def served(self) -> None:
        """A worker has begun to serve, or goes on although another should have replaced it."""
        if self._starting and all(slot.is_served for slot in self._slots):
            self._starting = False
            self._notices.ready(f"{len(self._slots)} workers serve {self._plan.addr}")

    def _deliver_or_not(self) -> None:
        if self._plan.records_events and self._delivery is None:
            self._delivery = Slot(self, "delivery", DELIVERER)
            self._delivery.start()
        elif not self._plan.records_events and self._delivery is not None:
            self._delivery.stop(_GRACE)
            self._delivery = None

    def stopService(self) -> Deferred[None]:
        """Fires when all workers have drained and ended, and then delivery has."""
        super().stopService()
        self._reloading.stop()
        self._notices.stopping()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        assert self._listening is not None
        await self._listening.close()
        ending = [slot.stop(self._plan.drain_timeout + _GRACE) for slot in self._slots]
        if self._purging is not None:
            ending.append(self._purging.stopService())
        await DeferredList(ending)
        if self._delivery is not None:
            await self._delivery.stop(_GRACE)
        await DeferredList([each.stop(_GRACE) for each in self._monitors])

    def spawn(self, worker: Worker, command: Sequence[str], descriptors: Mapping[int, int]) -> None:
        """
        Start a process.

        :param command: a module of Python, and its arguments.
        :param descriptors: which of those here it is to have, by what they are there.
        """
        worker.setup = self._plan.setup
        output: int | str
        output = 1 if self._inherit_output else "r"
        streams: dict[int, int | str] = {0: "w", 1: output, 2: output, READY: "r"}
        self._reactor.spawnProcess(
            worker,
            sys.executable,
            [sys.executable, "-m", *command],
            env=self._environ,
            childFDs={**streams, **self.debug.descriptors, **descriptors},
        )

    def call_later(self, delay: float, call: Any) -> IDelayedCall:
        later: IDelayedCall = self._reactor.callLater(delay, call)
        return later

    def seconds(self) -> float:
        return float(self._reactor.seconds())
