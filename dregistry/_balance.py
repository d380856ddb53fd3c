"""
New connections go to the process that has the fewest.

All workers accept from one socket. Left to the kernel, the one that happens to be awake takes most of them; and with a
socket for each (``SO_REUSEPORT``) a hash decides, by which four connections fall three and one half of the time. A few
long transfers should have all processors, so a process that has more connections than another leaves a new one to that,
for a moment: if that does not come, because it is busy or gone, it takes the connection itself.
"""

from __future__ import annotations

import mmap
from typing import Any

from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ._memory import memory_file

WAIT = 0.005
"""Seconds for which a connection is left to others."""
_ABSENT = 2**31 - 1
_BYTES = 4


class Loads:
    """
    How many connections each process has, in memory that they share.

    :param descriptor: of that memory.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._counts = memoryview(mmap.mmap(descriptor, 0)).cast("i")

    @classmethod
    def create(cls, count: int) -> Loads:
        """For so many processes, none of which is there yet."""
        loads = cls(memory_file("dregistry-connections", count * _BYTES))
        for number in range(count):
            loads.leave(number)
        return loads

    def fileno(self) -> int:
        return self._descriptor

    def put(self, number: int, count: int) -> None:
        """That process has so many."""
        self._counts[number] = count

    def leave(self, number: int) -> None:
        """That process is not there any more."""
        self._counts[number] = _ABSENT

    def has_fewest(self, number: int) -> bool:
        """Whether none has fewer than that process."""
        return self._counts[number] <= min(self._counts)


@implementer(IReadDescriptor)
class Gate:
    """
    Stands in for a port at the reactor, and lets it accept one connection at a time.

    :param port: that listens, as the reactor made it.
    :param number: of this process among those of ``loads``.
    """

    def __init__(self, reactor: Any, port: Any, loads: Loads, number: int) -> None:
        self._reactor = reactor
        self._port = port
        self._loads = loads
        self._number = number
        self._again: IDelayedCall | None = None
        self._waited = False

    def start(self) -> None:
        self._reactor.removeReader(self._port)
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Accept nothing more; the port itself stays as it is."""
        if self._again is not None:
            self._again.cancel()
        self._reactor.removeReader(self)

    def doRead(self) -> None:
        """There is a connection, for whoever takes it."""
        if self._waited or self._loads.has_fewest(self._number):
            self._waited = False
            self._port.numberAccepts = 1
            self._port.doRead()
        else:
            self._reactor.removeReader(self)
            self._again = self._reactor.callLater(WAIT, self._resume)

    def _resume(self) -> None:
        self._again = None
        self._waited = True
        self._reactor.addReader(self)

    def fileno(self) -> int:
        found: int = self._port.fileno()
        return found

    def connectionLost(self, reason: Failure) -> None:
        """The socket cannot be watched."""
        self._port.connectionLost(reason)

    def logPrefix(self) -> str:
        return "dregistry"
