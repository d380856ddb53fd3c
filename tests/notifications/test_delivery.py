"""Delivery: in order, until it is taken, and nobody waits for anybody."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from dregistry.notifications import Refused
from dregistry.notifications._backoff import Backoff
from dregistry.notifications._upkeep import Bounds, Upkeep
from dregistry.notifications.delivery import Delivery, Endpoint
from dregistry.notifications.outbox import LOOK, Wanted

from .support import ANY, OutboxCase, ScriptedSink, break_off, refuse

UPKEEP = 5.0


class DeliveryCase(OutboxCase):
    def deliver(self, *endpoints: Endpoint, bounds: Bounds | None = None) -> Delivery:
        delivery = Delivery(self.outbox, endpoints, bounds or Bounds(), self.clock, lambda: 0.5)
        self.do(delivery.start())
        return delivery

    def pump(self, seconds: float = LOOK) -> None:
        """Let time pass, in steps in which nothing is missed."""
        for _ in range(round(seconds / 0.05)):
            self.clock.advance(0.05)

    def counts(self, name: str) -> Any:
        return self.tables.positions.counts(name, ANY)


class DeliveryTests(DeliveryCase):
    def setUp(self) -> None:
        super().setUp()
        self.sink = ScriptedSink()
        self.endpoint = Endpoint("x", self.sink)

    def test_in_order(self) -> None:
        self.deliver(self.endpoint)
        self.add("a", "b")
        self.pump()
        self.add(*"cdef")
        self.pump()
        self.assertEqual(self.sink.tried, list("abcdef"))
        self.assertEqual(self.counts("x").statuses, {"200 OK": 6})

    def test_one_at_a_time(self) -> None:
        answers: list[Deferred[str]] = []

        def answer(tag: str) -> Deferred[str]:
            answers.append(Deferred())
            return answers[-1]

        self.sink.answer = answer
        self.deliver(self.endpoint)
        self.add("a", "b")
        self.pump()
        self.assertEqual(self.sink.tried, ["a"])
        answers[0].callback("200 OK")
        self.assertEqual(self.sink.tried, ["a", "b"])

    def test_not_before_the_position_is_kept(self) -> None:
        """So that an end in between repeats one event, not two."""
        self.deliver(self.endpoint)
        positions: list[int] = []
        self.sink.answer = lambda tag: positions.append(self.tables.positions.get("x")) or "200 OK"
        self.add(*"abc")
        self.pump()
        self.assertEqual(positions, [0, 1, 2])

    def test_goes_on_where_it_ended(self) -> None:
        first = self.deliver(self.endpoint)
        self.add("a")
        self.pump()
        self.do(first.stop())
        self.assertTrue(self.sink.closed)
        self.add("b")
        self.pump()
        again, new = ScriptedSink(), ScriptedSink()
        self.deliver(Endpoint("x", again), Endpoint("new", new))
        self.assertEqual((self.sink.tried, again.tried, new.tried), (["a"], ["b"], []))
        self.assertEqual(self.counts("x").successes, 2)

    def test_tried_again(self) -> None:
        """At once, as distribution does, until there were ``threshold`` failures."""
        failures = [refuse, break_off, refuse]
        self.sink.answer = lambda tag: failures.pop(0)(tag) if failures else "202 Accepted"
        self.deliver(self.endpoint)
        self.add("a", "b")
        self.pump()
        self.assertEqual(self.sink.tried, ["a", "a", "a", "a", "b"])
        counts = self.counts("x")
        self.assertEqual((counts.failures, counts.errors, counts.successes, counts.pending), (2, 1, 2, 0))
        self.assertEqual(counts.statuses, {"503 Service Unavailable": 2, "202 Accepted": 2})

    def test_waits(self) -> None:
        self.sink.answer = refuse
        self.deliver(Endpoint("x", self.sink, threshold=3, backoff=2.0, most_backoff=9.0))
        self.add("a")
        self.pump()
        tried = []
        for _ in range(40):
            tried.append(len(self.sink.tried))
            self.pump(1.0)
        waits = [tried.count(number) for number in sorted(set(tried))]
        self.assertEqual(tried[0], 3)
        self.assertEqual(waits[:4], [2, 4, 7, 8])  # 2.0, then 0.9 times 4, 8 and 9 seconds
        self.sink.answer = lambda tag: "200 OK"
        self.pump(10)
        self.assertEqual(self.sink.taken, ["a"])
        self.add("b")
        self.sink.answer = refuse
        self.pump()
        self.assertEqual(self.sink.tried[-3:], ["b"] * 3, "a success ends the count of failures")

    def test_patience(self) -> None:
        """An endpoint that does not answer is tried again; what it was waited for is cancelled."""
        cancelled: list[Any] = []
        self.sink.answer = lambda tag: Deferred(cancelled.append)
        self.deliver(Endpoint("x", self.sink, timeout=2.0))
        self.add("a")
        self.pump()
        self.pump(1.9)
        self.assertEqual((len(self.sink.tried), cancelled), (1, []))
        self.pump(0.2)
        self.assertEqual((len(self.sink.tried), len(cancelled)), (2, 1))
        self.assertEqual(self.counts("x").errors, 1)

    def test_slow(self) -> None:
        """It delays no other."""
        slow = ScriptedSink(lambda tag: Deferred())
        failing = ScriptedSink(refuse)
        self.deliver(Endpoint("slow", slow, timeout=60.0), Endpoint("failing", failing), self.endpoint)
        self.add(*"abcdef")
        self.pump()
        self.assertEqual((slow.tried, self.sink.tried), (["a"], list("abcdef")))
        self.assertEqual(set(failing.tried), {"a"})

    def test_wanted(self) -> None:
        self.deliver(Endpoint("x", self.sink, Wanted(actions=frozenset({"pull"}))))
        self.add("a", "b", action="pull")
        self.add("c")
        self.add("d", action="pull")
        self.pump()
        self.assertEqual(self.sink.tried, ["c"])
        self.assertEqual(self.tables.positions.get("x"), 4)

    def test_rewound(self) -> None:
        self.deliver(self.endpoint)
        self.add("a", "b")
        self.pump()
        self.tables.positions.rewind("x", 0)
        self.add("c")  # in one process alone, others are not looked for
        self.pump()
        self.assertEqual(self.sink.tried, ["a", "b", "a", "b", "c"])

    def test_stopped_while_under_way(self) -> None:
        """It waits for the answer."""
        answer: Deferred[str] = Deferred()
        self.sink.answer = lambda tag: answer
        delivery = self.deliver(self.endpoint)
        self.add("a", "b")
        self.pump()
        stopped = Deferred.fromCoroutine(delivery.stop())
        self.assertNoResult(stopped)
        answer.callback("200 OK")
        self.successResultOf(stopped)
        self.assertEqual((self.sink.tried, self.counts("x").pending), (["a"], 1))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stopped_while_nobody_answers(self) -> None:
        """It does not wait for long, and what was not answered is sent again."""
        self.sink.answer = lambda tag: Deferred()
        delivery = self.deliver(Endpoint("x", self.sink, timeout=3600.0))
        self.add("a")
        self.pump()
        stopped = Deferred.fromCoroutine(delivery.stop())
        self.pump(4.9)
        self.assertNoResult(stopped)
        self.pump(0.2)
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        again = ScriptedSink()
        self.deliver(Endpoint("x", again))
        self.assertEqual(again.tried, ["a"])

    def test_stopped_while_waiting(self) -> None:
        for answer in (refuse, lambda tag: "200 OK"):
            sink = ScriptedSink(answer)
            delivery = self.deliver(Endpoint("x", sink))
            self.add("a")
            self.pump()
            self.do(delivery.stop())
            self.assertEqual(self.clock.getDelayedCalls(), [])
            self.assertTrue(sink.closed)

    def test_broken_outbox(self) -> None:
        """It is logged, and tried again later."""
        self.deliver(self.endpoint)
        self.add("a")
        self.tables.positions.forget_others([])
        self.pump()
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.tables.positions.register(["x"])
        self.pump(UPKEEP)
        self.flushLoggedErrors()
        self.add("b")
        self.pump()
        self.assertEqual(self.sink.tried, ["b"])

    def test_removed_endpoints(self) -> None:
        """They keep nothing from being removed."""
        self.do(self.deliver(self.endpoint, Endpoint("y", ScriptedSink())).stop())
        self.deliver(Endpoint("y", ScriptedSink()))
        self.assertEqual(list(self.tables.database.rows("SELECT name FROM endpoints")), [("y",)])


class UpkeepTests(DeliveryCase):
    def setUp(self) -> None:
        super().setUp()
        self.tables.positions.register(["x", "y"])

    def tidy(self, bounds: Bounds) -> tuple[int, int]:
        """What is there afterwards."""
        self.do(Upkeep(self.outbox, {"x": ANY, "y": ANY}, bounds, self.clock).tidy())
        return self.tables.events.bounds()

    def delivered(self, name: str, number: int) -> None:
        for _ in range(number):
            found = self.tables.positions.next(name, ANY)
            assert found.event is not None
            self.tables.positions.delivered(name, found.position, found.event.id, "200 OK")

    def dead(self) -> tuple[int, int]:
        return self.counts("x").dead_letters, self.counts("y").dead_letters

    def test_kept(self) -> None:
        """As long as one endpoint waits for it, and for a while."""
        self.add("a", "b", "c")
        self.delivered("x", 3)
        self.assertEqual(self.tidy(Bounds(keep=10)), (1, 3))
        self.clock.advance(11)
        self.assertEqual(self.tidy(Bounds(keep=10)), (1, 3))
        self.delivered("y", 2)
        self.assertEqual(self.tidy(Bounds(keep=12)), (1, 3))
        self.assertEqual(self.tidy(Bounds(keep=10)), (3, 3))
        self.assertEqual(self.dead(), (0, 0))

    def test_too_old(self) -> None:
        self.add("a", "b")
        self.delivered("x", 1)
        self.clock.advance(100)
        self.add("c")
        self.assertEqual(self.tidy(Bounds(age=99)), (3, 3))
        self.assertEqual(self.dead(), (1, 2))

    def test_too_many(self) -> None:
        self.add(*"abcdef")
        self.delivered("y", 3)
        self.assertEqual(self.tidy(Bounds(most=2)), (5, 6))
        self.assertEqual(self.dead(), (4, 1))

    def test_now_and_then(self) -> None:
        """Delivery does it by itself, and goes on with what is left."""
        sink = ScriptedSink(refuse)
        self.deliver(Endpoint("x", sink), bounds=Bounds(most=2))
        self.add(*"abcdef")
        self.pump(UPKEEP + 1)
        self.assertEqual(self.tables.events.bounds(), (5, 6))
        sink.answer = lambda tag: "200 OK"
        self.pump(60)
        self.assertEqual(sink.taken, ["e", "f"])

    def test_nothing(self) -> None:
        self.assertEqual(self.tidy(Bounds(most=1, age=0, keep=0)), (1, 0))


class BackoffTests(SynchronousTestCase):
    def test_as_distribution(self) -> None:
        """No wait before the threshold, ``backoff`` from it on."""
        backoff = Backoff(3, 2.0, 2.0, lambda: 0.0)
        self.assertEqual([backoff.failed() for _ in range(5)], [0, 0, 2, 2, 2])
        backoff.succeeded()
        self.assertEqual([backoff.failed() for _ in range(3)], [0, 0, 2])

    def test_doubled(self) -> None:
        backoff = Backoff(1, 1.0, 20.0, lambda: 1.0)
        self.assertEqual([backoff.failed() for _ in range(7)], [1, 2, 4, 8, 16, 20, 20])

    @given(
        st.integers(1, 20), st.floats(0.001, 1e6), st.floats(0, 1e6), st.lists(st.floats(0, 1), min_size=1, max_size=99)
    )
    def test_bounds(self, threshold: int, first: float, most: float, noise: list[float]) -> None:
        values = iter(noise)
        backoff = Backoff(threshold, first, most, lambda: next(values))
        waits = [backoff.failed() for _ in range(threshold - 1)]
        self.assertEqual(waits, [0.0] * (threshold - 1))
        for _ in noise:
            self.assertTrue(first <= backoff.failed() <= max(first, most))

    def test_for_ever(self) -> None:
        backoff = Backoff(1, 1.0, 300.0, lambda: 1.0)
        for _ in range(5000):
            wait = backoff.failed()
        self.assertEqual(wait, 300.0)

    def test_refused_says_so(self) -> None:
        self.assertEqual(str(Refused("503")), "503")
