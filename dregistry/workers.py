"""
Several processes that serve one address.

The process that twistd starts supervises: it makes the sockets, starts a worker for each, restarts those that end,
and tells them to drain when it stops. It serves nothing itself. Workers share nothing but the storage. If there are
events to deliver, one more process does that.

A socket stays open here while its worker is replaced, so that connections wait in its queue meanwhile. A worker whose
supervisor is gone sees the end of its standard input, and ends too.
"""

from __future__ import annotations

import signal
import socket
import sys
from typing import Any
from uuid import uuid4

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._memory import settle
from ._plan import Plan, PlanError, module_environment, read_plan_later
from .debug import shared_debug
from .listen import listening_sockets
from .purging import UploadPurging

LISTENING = 3
"""The descriptor by which a worker has its socket."""
READY = 4
"""The descriptor on which a worker says, by one byte, that it serves."""
INSTANCE = "DREGISTRY_INSTANCE"
"""The variable by which workers know that they are one registry."""
WORKER = "dregistry.worker"
DELIVERER = "dregistry.deliverer"
MONITOR = "dregistry.monitor"
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 30.0
_STABLE = 60.0
"""Seconds after which a worker that ends is not taken for one that cannot start."""
_GRACE = 35.0
"""Seconds beyond the drain timeout after which a worker is killed: it may have uploads to leave in order."""

_log = Logger()


def log_plan(what: str, plan: Plan) -> None:
    """What there is to say of it: whoever reads it for us has no log."""
    for path, message in plan.warnings:
        _log.warn("{path}: {message}", path=path, message=message)
    _log.info("{what}: {enabled}", what=what, enabled=plan.enabled)


class Supervisor(Service):
    """
    :param path: of the configuration file, which is read again when the process gets SIGHUP.
    :param inherit_output: whether workers write to this process's output; else what they write is logged here.
    :param purging: runs beside them, once for all.
    """

    def __init__(
        self,
        path: str,
        plan: Plan,
        reactor: Any,
        inherit_output: bool,
        purging: UploadPurging | None = None,
    ) -> None:
        self._path = path
        self._plan = plan
        self._delivery: _Slot | None = None
        self._environ = {**module_environment(), INSTANCE: str(uuid4())}
        self._reactor = reactor
        self._inherit_output = inherit_output
        self._purging = purging
        self._slots: list[_Slot] = []
        self._reading = False
        self._read_again = False
        self.debug = shared_debug(plan.debug_addr, purging)
        self._environ.update(self.debug.environ)
        self._monitors: list[_Slot] = []

    def privilegedStartService(self) -> None:
        """Make the sockets, while the process may still use ports below 1024."""
        try:
            sockets = listening_sockets(self._plan.net, self._plan.addr, self._plan.workers)
        except (OSError, ValueError) as error:
            sys.exit(f"http.addr: cannot listen on {self._plan.addr!r}: {error}")
        self._monitors = [_Slot(self, "debug server", MONITOR, each) for each in self.debug.listen()]
        self._slots = [_Slot(self, f"worker {number}", WORKER, each) for number, each in enumerate(sockets)]

    def startService(self) -> None:
        super().startService()
        settle()
        for slot in (*self._slots, *self._monitors):
            slot.start()
        if self._purging is not None:
            self._purging.startService()
        self._deliver_or_not()
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))
        _log.info("{count} workers serve {address}", count=len(self._slots), address=self._plan.addr)

    def reload(self) -> None:
        """
        Read the configuration anew, and replace every worker by one that goes by it; no connection is lost. With a
        configuration that has faults nothing changes. The number of workers and the address stay.
        """
        if self._reading:
            self._read_again = True  # what is being read may be from before
            return
        self._reading = True
        reading = Deferred.fromCoroutine(self._reload())
        reading.addErrback(lambda failure: _log.failure("not reloaded", failure))

    async def _reload(self) -> None:
        try:
            plan = await read_plan_later(self._path, self._reactor)
        except PlanError as error:
            _log.error("not reloaded: {error}", error=error)
        else:
            if self.running and not self._read_again:
                self._go_by(plan)
        finally:
            self._reading = False
            if self._read_again:
                self._read_again = False
                self.reload()

    def _go_by(self, plan: Plan) -> None:
        log_plan("reloaded", plan)
        self._plan = plan
        if self._purging is not None:
            self._purging.reload(plan.purge_interval)
        for slot in (*self._slots, *self._monitors):
            slot.replace()
        if self._delivery is not None and plan.records_events:
            self._delivery.replace()
        self._deliver_or_not()

    def _deliver_or_not(self) -> None:
        if self._plan.records_events and self._delivery is None:
            self._delivery = _Slot(self, "delivery", DELIVERER)
            self._delivery.start()
        elif not self._plan.records_events and self._delivery is not None:
            self._delivery.stop(_GRACE)
            self._delivery = None

    def stopService(self) -> Deferred[None]:
        """Fires when all workers have drained and ended, and then delivery has."""
        super().stopService()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        ending = [slot.stop(self._plan.drain_timeout + _GRACE) for slot in self._slots]
        if self._purging is not None:
            ending.append(self._purging.stopService())
        await DeferredList(ending)
        if self._delivery is not None:
            await self._delivery.stop(_GRACE)
        await DeferredList([each.stop(_GRACE) for each in self._monitors])

    def spawn(self, worker: _Worker, module: str, listening: socket.socket | None) -> None:
        """Start the process of a worker."""
        worker.setup = self._plan.setup
        output: int | str
        output = 1 if self._inherit_output else "r"
        descriptors: dict[int, int | str] = {0: "w", 1: output, 2: output, READY: "r", **self.debug.descriptors}
        if listening is not None:
            descriptors[LISTENING] = listening.fileno()
        arguments = [sys.executable, "-m", module]
        self._reactor.spawnProcess(worker, sys.executable, arguments, env=self._environ, childFDs=descriptors)

    def call_later(self, delay: float, call: Any) -> IDelayedCall:
        later: IDelayedCall = self._reactor.callLater(delay, call)
        return later

    def seconds(self) -> float:
        return float(self._reactor.seconds())


class _Slot:
    """A socket (or none), and the worker that serves it; for a moment, when one replaces another, two."""

    def __init__(self, supervisor: Supervisor, title: str, module: str, listening: socket.socket | None = None) -> None:
        self.title = title
        self.supervisor = supervisor
        self._module = module
        self._listening = listening
        self._workers: set[_Worker] = set()
        self._current: _Worker | None = None
        self._delay = _FIRST_DELAY
        self._replace_again = False
        self._restart: IDelayedCall | None = None
        self._stopping: Deferred[None] | None = None

    def start(self) -> None:
        self._restart = None
        self._current = _Worker(self)
        self._workers.add(self._current)
        self.supervisor.spawn(self._current, self._module, self._listening)

    def replace(self) -> None:
        """Start another worker; the present one drains when the new one serves."""
        if self._stopping is not None or self._current is None:
            return
        if self._current.is_ready:
            self.start()
        else:
            self._replace_again = True  # it goes by the configuration from before

    def ready(self, worker: _Worker) -> None:
        for other in self._workers - {worker}:
            other.tell_to_end()
        if self._replace_again:
            self._replace_again = False
            self.replace()

    def ended(self, worker: _Worker, how: str) -> None:
        self._workers.discard(worker)
        if self._stopping is not None:
            if not self._workers:
                self._stopping.callback(None)
            return
        if worker.told_to_end:
            return
        _log.error("{title} ended: {how}", title=self.title, how=how)
        self.supervisor.debug.ended()
        if worker is not self._current:
            return
        self._current = next(iter(self._workers), None)
        if self._current is None:
            stable = self.supervisor.seconds() - worker.started > _STABLE
            self._delay = _FIRST_DELAY if stable else min(self._delay * 2, _LONGEST_DELAY)
            self._restart = self.supervisor.call_later(self._delay, self.start)

    def stop(self, timeout: float) -> Deferred[None]:
        """Fires when its workers have ended; what has not by then is killed."""
        if self._restart is not None:
            self._restart.cancel()
        if self._listening is not None:
            self._listening.close()
        self._stopping = Deferred()
        stopping = self._stopping
        if not self._workers:
            stopping.callback(None)
        for worker in self._workers:
            worker.tell_to_end()
        kill = self.supervisor.call_later(timeout, self._kill)
        return stopping.addCallback(lambda _: kill.cancel() if kill.active() else None)

    def _kill(self) -> None:
        for worker in self._workers:
            worker.signal("KILL")


class _Worker(ProcessProtocol):
    def __init__(self, slot: _Slot) -> None:
        self.started = slot.supervisor.seconds()
        self.is_ready = False
        self.told_to_end = False
        self.setup = b""
        self._slot = slot

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(len(self.setup).to_bytes(8, "big") + self.setup)

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        if childFD == READY:
            self.is_ready = True
            self._slot.ready(self)
            return
        for line in data.decode("utf-8", "replace").splitlines():
            _log.info("{title}: {line}", title=self._slot.title, line=line)

    def processEnded(self, reason: Failure) -> None:
        self._slot.ended(self, reason.getErrorMessage())

    def tell_to_end(self) -> None:
        if not self.told_to_end:
            self.told_to_end = True
            self.signal("TERM")

    def signal(self, name: str) -> None:
        try:
            if self.transport is not None:
                self.transport.signalProcess(name)
        except ProcessExitedAlready:
            pass
