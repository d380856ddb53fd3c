"""Tests of :mod:`dregistry.purging`."""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from dregistry.purging import UploadPurging

DAY = 86_400.0


class Process:
    """A transport of a process that somebody else ends."""

    def __init__(self) -> None:
        self.signals: list[str] = []
        self.ended = False

    def closeStdin(self) -> None:
        pass

    def signalProcess(self, name: str) -> None:
        if self.ended:
            raise ProcessExitedAlready
        self.signals.append(name)


class Reactor(Clock):
    def __init__(self) -> None:
        super().__init__()
        self.spawned: list[tuple[Any, list[str]]] = []

    def spawnProcess(self, protocol: Any, executable: str, arguments: list[str], **more: Any) -> None:
        self.spawned.append((protocol, arguments))
        protocol.makeConnection(Process())

    def end(self, status: int = 0) -> None:
        """The last process ends."""
        protocol, _ = self.spawned[-1]
        protocol.transport.ended = True
        protocol.processEnded(Failure(ProcessTerminated(status) if status else ProcessDone(0)))


class PurgingCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.reactor = Reactor()
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)
        self.service = UploadPurging("/etc/r.yml", DAY, self.reactor, lambda: 60.0)
        self.service.startService()

    def lines(self) -> list[tuple[str, str]]:
        return [(event["log_level"].name, event.get("line") or event.get("reason")) for event in self.events]


class RoundTests(PurgingCase):
    def test_rounds(self) -> None:
        self.reactor.advance(59)
        self.assertEqual(self.reactor.spawned, [])
        self.reactor.advance(1)
        [(_, command)] = self.reactor.spawned
        self.assertEqual(command, [sys.executable, "-m", "dregistry.cli", "purge-uploads", "--scheduled", "/etc/r.yml"])
        self.reactor.advance(90_000)
        self.assertEqual(len(self.reactor.spawned), 1)  # one at a time
        self.reactor.end()
        self.reactor.advance(86399)
        self.assertEqual(len(self.reactor.spawned), 1)
        self.reactor.advance(1)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_at_random(self) -> None:
        """Not all at once; within the first hour."""
        starts = set()
        for _ in range(20):
            reactor = Reactor()
            UploadPurging("x", DAY, reactor).startService()
            [call] = reactor.getDelayedCalls()
            starts.add(call.getTime())
        self.assertGreater(len(starts), 10)
        self.assertTrue(all(0 <= start <= 3600 for start in starts))

    def test_output(self) -> None:
        self.reactor.advance(60)
        protocol, _ = self.reactor.spawned[0]
        protocol.childDataReceived(1, b"one\ntw")
        protocol.childDataReceived(2, b"bad\xff")
        protocol.childDataReceived(1, b"o\n")
        self.reactor.end()
        self.assertEqual(self.lines(), [("info", "one"), ("info", "two"), ("error", "bad\ufffd")])

    def test_told(self) -> None:
        """Of each round that ended by itself, and how."""
        told: list[tuple[str, bool]] = []
        self.service.tell = lambda task, well: told.append((task, well))
        self.reactor.advance(60)
        self.reactor.end()
        self.reactor.advance(DAY)
        self.reactor.end(1)
        self.reactor.advance(DAY)
        self.service.stopService()
        self.reactor.end(15)
        self.assertEqual(told, [("purge-uploads", True), ("purge-uploads", False)])

    def test_failure(self) -> None:
        """It is said, and tried again."""
        self.reactor.advance(60)
        self.reactor.end(1)
        self.assertEqual([level for level, _ in self.lines()], ["error"])
        self.reactor.advance(86400)
        self.assertEqual(len(self.reactor.spawned), 2)

    def test_stop_between_rounds(self) -> None:
        self.successResultOf(self.service.stopService())
        self.reactor.advance(1e6)
        self.assertEqual(self.reactor.spawned, [])

    def test_stop_in_a_round(self) -> None:
        self.reactor.advance(60)
        stopped = self.service.stopService()
        self.assertNoResult(stopped)
        protocol, _ = self.reactor.spawned[0]
        self.assertEqual(protocol.transport.signals, ["TERM"])
        self.reactor.end(15)
        self.successResultOf(stopped)
        self.reactor.advance(1e6)
        self.assertEqual(len(self.reactor.spawned), 1)
        self.assertEqual(self.lines(), [])

    def test_stop_when_it_has_just_ended(self) -> None:
        self.reactor.advance(60)
        self.reactor.spawned[0][0].transport.ended = True
        stopped = self.service.stopService()
        self.reactor.end()
        self.successResultOf(stopped)


class ReloadTests(PurgingCase):
    def test_another_interval(self) -> None:
        self.reactor.advance(60)
        self.reactor.end()
        self.reactor.advance(3600)
        self.service.reload(7200.0)
        self.reactor.advance(7199)
        self.assertEqual(len(self.reactor.spawned), 1)
        self.reactor.advance(1)
        self.assertEqual(len(self.reactor.spawned), 2)
        self.service.reload(60.0)  # a round is under way
        self.reactor.end()
        self.reactor.advance(60)
        self.assertEqual(len(self.reactor.spawned), 3)

    def test_sooner_stays_sooner(self) -> None:
        self.service.reload(7200.0)
        self.reactor.advance(60)
        self.assertEqual(len(self.reactor.spawned), 1)

    def test_off_and_on(self) -> None:
        self.service.reload(None)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.service.reload(DAY)
        self.reactor.advance(60)
        self.assertEqual(len(self.reactor.spawned), 1)

    def test_off_during_a_round(self) -> None:
        self.reactor.advance(60)
        self.service.reload(None)
        self.reactor.end()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_before_the_start(self) -> None:
        service = UploadPurging("x", DAY, self.reactor, lambda: 60.0)
        service.reload(DAY)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)  # the other one's
