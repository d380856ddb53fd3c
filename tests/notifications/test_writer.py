"""Events on their way into the outbox: together, and not lost when it cannot be written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dregistry.notifications._writer import BATCH, MOST, PAUSE, EventWriter
from dregistry.notifications.event import Record
from dregistry.notifications.outbox import OutboxError

from .support import a_record


class WriterTests(SynchronousTestCase):
    """
    :ivar batches: what was handed to the database, and not answered yet.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.batches: list[tuple[list[str], Deferred[None]]] = []
        self.writer = EventWriter(self.append, self.clock)

    def append(self, records: Sequence[Record]) -> Deferred[None]:
        written: Deferred[None] = Deferred()
        self.batches.append(([record.action for record in records], written))
        return written

    def add(self, name: str, soon: bool = False) -> Deferred[None]:
        record = a_record()._replace(action=name)

        async def add() -> None:
            await (self.writer.add_soon(record) if soon else self.writer.add(record))

        return Deferred.fromCoroutine(add())

    def answer(self, *expected: str, error: Exception | None = None) -> None:
        names, written = self.batches.pop(0)
        self.assertEqual(names, list(expected))
        written.callback(None) if error is None else written.errback(error)

    def test_waited_for(self) -> None:
        added = self.add("a")
        self.assertNoResult(added)
        self.answer("a")
        self.successResultOf(added)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_together(self) -> None:
        """Those that come while others are written are written in one go."""
        added = [self.add(name) for name in "abcd"]
        self.answer("a")
        self.successResultOf(added[0])
        self.assertNoResult(added[1])
        self.answer("b", "c", "d")
        for each in added:
            self.successResultOf(each)
        self.assertEqual(self.batches, [])

    def test_soon(self) -> None:
        """Nobody waits for these."""
        self.successResultOf(self.add("a", soon=True))
        self.clock.advance(PAUSE * 0.9)
        self.successResultOf(self.add("b", soon=True))
        self.assertEqual(self.batches, [])
        self.clock.advance(PAUSE * 0.1)
        self.answer("a", "b")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_in_order(self) -> None:
        """Those that nobody waits for go along with the next that somebody does."""
        self.add("a", soon=True)
        added = self.add("b")
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.add("c", soon=True)
        self.answer("a", "b")
        self.successResultOf(added)
        self.assertEqual(self.batches, [])
        self.clock.advance(PAUSE)
        self.answer("c")

    def test_much(self) -> None:
        for number in range(BATCH):
            self.assertEqual(self.batches, [], number)
            self.add("a", soon=True)
        self.answer(*["a"] * BATCH)

    def test_too_much(self) -> None:
        """Whoever brings more than may wait waits himself."""
        self.add("first")
        for _ in range(MOST):
            self.successResultOf(self.add("a", soon=True))
        added = self.add("a", soon=True)
        self.assertNoResult(added)
        self.answer("first")
        self.answer(*["a"] * (MOST + 1))
        self.successResultOf(added)

    def test_not_written(self) -> None:
        """It is told, logged once, and tried again in the same order."""
        added = [self.add("a"), self.add("b", soon=True)]
        self.answer("a", error=OSError("no space"))
        self.assertIn("no space", str(self.failureResultOf(added[0], OutboxError).value))
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        added = [self.add("c")]
        self.assertEqual(self.batches, [])
        self.clock.advance(1)
        self.answer("a", "b", "c", error=OSError("no space"))
        self.failureResultOf(added[0], OutboxError)
        self.assertEqual(self.flushLoggedErrors(OSError), [])
        self.clock.advance(1)
        self.answer("a", "b", "c")
        added = [self.add("d")]
        self.answer("d")
        self.successResultOf(added[0])

    def test_not_written_for_long(self) -> None:
        """Memory is bounded."""
        self.failureResultOf(self.first_of_many(), OutboxError)
        for soon in (True, False):
            self.assertIn("lost", str(self.failureResultOf(self.add("b", soon), OutboxError).value))
        self.clock.advance(1)
        self.answer("a", *["a"] * (MOST - 1))

    def first_of_many(self) -> Deferred[None]:
        first = self.add("a")
        self.answer("a", error=OSError("no space"))
        self.flushLoggedErrors(OSError)
        for _ in range(MOST - 1):
            self.successResultOf(self.add("a", soon=True))
        self.assertEqual(self.batches, [])
        return first

    def flush(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.writer.flush())

    def test_flushed(self) -> None:
        self.add("a", soon=True)
        flushed = self.flush()
        self.assertNoResult(flushed)
        self.answer("a")
        self.successResultOf(flushed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_flushed_while_writing(self) -> None:
        self.add("a")
        self.add("b", soon=True)
        flushed = self.flush()
        self.answer("a")
        self.assertNoResult(flushed)
        self.answer("b")
        self.successResultOf(flushed)

    def test_flushed_when_empty(self) -> None:
        self.successResultOf(self.flush())

    def test_flushed_in_vain(self) -> None:
        """The end comes all the same."""
        self.add("a", soon=True)
        flushed = self.flush()
        self.answer("a", error=OSError("no space"))
        self.successResultOf(flushed)
        self.flushLoggedErrors(OSError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
