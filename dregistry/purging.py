"""
Upload purging, now and then, beside a registry that serves.

Each round is a process of its own, ``dregistry purge-uploads --scheduled``, which reads the configuration anew: the
process that supervises needs none of what that takes, and nothing waits for a slow storage.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

_LATEST_START = 3600.0
"""Seconds within which the first round begins, at random, as in distribution: registries that are started together, on
one storage, do not all begin at once."""

_log = Logger()


class UploadPurging(Service):
    """
    :param path: of the configuration file.
    :param interval: seconds from the end of a round to the next; None for none. What each round does it reads itself.
    :param first: gives the seconds to the first round.
    """

    def __init__(
        self,
        path: str,
        interval: float | None,
        reactor: Any,
        first: Callable[[], float] = lambda: random.uniform(0, _LATEST_START),  # noqa: S311
    ) -> None:
        self._path = path
        self._interval = interval
        self._reactor = reactor
        self._first = first
        self._next: IDelayedCall | None = None
        self._round: _Round | None = None
        self.tell: Callable[[str, bool], None] | None = None
        """Is told of each round that ended by itself: what was done, and whether it went well."""

    def startService(self) -> None:
        super().startService()
        self._schedule(self._first())

    def reload(self, interval: float | None) -> None:
        """Go by another interval. A round that is due in more than an interval from now begins then."""
        self._interval = interval
        if self.running and self._round is None:
            due = self._first() if self._next is None else self._next.getTime() - self._reactor.seconds()
            self._schedule(due if interval is None else min(due, interval))

    def _schedule(self, delay: float) -> None:
        if self._next is not None:
            self._next.cancel()
            self._next = None
        if self._interval is not None:
            self._next = self._reactor.callLater(delay, self._start_round)

    def stopService(self) -> Deferred[None]:
        """A round that is under way is broken off: what it has not removed, the next one will. Fires when it ended."""
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None
        return succeed(None) if self._round is None else self._round.stop()

    def _start_round(self) -> None:
        self._next = None
        self._round = _Round(self._ended)
        command = [sys.executable, "-m", "dregistry.cli", "purge-uploads", "--scheduled", self._path]
        self._reactor.spawnProcess(self._round, sys.executable, command, env=None, childFDs={0: "w", 1: "r", 2: "r"})

    def _ended(self, well: bool) -> None:
        self._round = None
        if self.tell is not None and self.running:
            self.tell("purge-uploads", well)
        if self.running and self._interval is not None:
            self._schedule(self._interval)


class _Round(ProcessProtocol):
    """:param ended: called when the process has ended, with whether it did all."""

    def __init__(self, ended: Callable[[bool], None]) -> None:
        self._ended = ended
        self._waiting: list[Deferred[None]] = []
        self._output = {1: b"", 2: b""}

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        *lines, self._output[childFD] = (self._output[childFD] + data).split(b"\n")
        for line in lines:
            self._tell(childFD, line)

    def _tell(self, descriptor: int, line: bytes) -> None:
        tell = _log.info if descriptor == 1 else _log.error
        tell("upload purging: {line}", line=line.decode("utf-8", "replace"))

    def processEnded(self, reason: Failure) -> None:
        for descriptor, rest in self._output.items():
            if rest:
                self._tell(descriptor, rest)
        well = getattr(reason.value, "exitCode", None) == 0
        if self._waiting:
            for each in self._waiting:
                each.callback(None)
        elif not well:
            _log.error("upload purging failed: {reason}", reason=reason.getErrorMessage())
        self._ended(well)

    def stop(self) -> Deferred[None]:
        """Fires when the process has ended."""
        ended: Deferred[None] = Deferred()
        self._waiting.append(ended)
        try:
            if self.transport is not None:
                self.transport.signalProcess("TERM")
        except ProcessExitedAlready:
            pass
        return ended
