"""
A process that a supervisor keeps running.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from .workers import Supervisor

READY = 4
"""The descriptor on which a worker says, by one byte, that it serves."""
_FIRST_DELAY = 0.1
_LONGEST_DELAY = 30.0
_STABLE = 60.0
"""Seconds after which a worker that ends is not taken for one that cannot start."""

_log = Logger()


class HasFileno(Protocol):
    def fileno(self) -> int: ...


_NOTHING: Mapping[int, HasFileno] = {}


def _ignore() -> None:
    pass


class Slot:
    """
    A process that is started again when it ends; for a moment, when one replaces another, two.

    :param title: for the log.
    :param module: of Python, that is run.
    :param files: that it is to have open, by their descriptors there.
    :param arguments: of the command line.
    :param gone: called when there is none any more, before another one is started.
    """

    def __init__(
        self,
        supervisor: Supervisor,
        title: str,
        module: str,
        files: Mapping[int, HasFileno] = _NOTHING,
        arguments: Sequence[str] = (),
        gone: Callable[[], None] = _ignore,
    ) -> None:
        self.title = title
        self.supervisor = supervisor
        self._command = [module, *arguments]
        self._files = files
        self._gone = gone
        self._workers: set[Worker] = set()
        self._current: Worker | None = None
        self._delay = _FIRST_DELAY
        self._replace_again = False
        self._restart: IDelayedCall | None = None
        self._stopping: Deferred[None] | None = None

    def start(self) -> None:
        self._restart = None
        self._current = Worker(self)
        self._workers.add(self._current)
        descriptors = {there: file.fileno() for there, file in self._files.items()}
        self.supervisor.spawn(self._current, self._command, descriptors)

    def replace(self) -> None:
        """Start another worker; the present one drains when the new one serves."""
        if self._stopping is not None or self._current is None:
            return
        if self._current.is_ready:
            self.start()
        else:
            self._replace_again = True  # it goes by the configuration from before

    def ready(self, worker: Worker) -> None:
        for other in self._workers - {worker}:
            other.tell_replaced()
        if self._replace_again:
            self._replace_again = False
            self.replace()
        self.supervisor.served()

    @property
    def is_served(self) -> bool:
        """Whether a process does its work that need not be replaced."""
        return self._current is not None and self._current.is_ready

    def ended(self, worker: Worker, how: str) -> None:
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
            self._gone()
            stable = self.supervisor.seconds() - worker.started > _STABLE
            self._delay = _FIRST_DELAY if stable else min(self._delay * 2, _LONGEST_DELAY)
            self._restart = self.supervisor.call_later(self._delay, self.start)
        self.supervisor.served()

    def stop(self, timeout: float) -> Deferred[None]:
        """Fires when its workers have ended; what has not by then is killed."""
        if self._restart is not None:
            self._restart.cancel()
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


class Worker(ProcessProtocol):
    def __init__(self, slot: Slot) -> None:
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

    def tell_replaced(self) -> None:
        """Another serves; this one may take the time that it needs."""
        if not self.told_to_end:
            self.told_to_end = True
            assert self.transport is not None
            self.transport.write(b"\n")

    def tell_to_end(self) -> None:
        self.told_to_end = True
        self.signal("TERM")

    def signal(self, name: str) -> None:
        try:
            if self.transport is not None:
                self.transport.signalProcess(name)
        except ProcessExitedAlready:
            pass
