"""Tests of :mod:`dregistry.storage.s3._transport`: how long it waits, and how much it holds."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers

from dregistry.storage.s3._transport import PIECE, Broken, Head, Transport


class Response:
    code = 200
    headers = Headers()
    length = 10

    def __init__(self) -> None:
        self.paused: list[str] = []
        self.protocol: Any = None

    def deliverBody(self, protocol: Any) -> None:
        self.protocol = protocol
        protocol.makeConnection(self)

    def pauseProducing(self) -> None:
        self.paused.append("pause")

    def resumeProducing(self) -> None:
        self.paused.append("resume")

    def stopProducing(self) -> None:
        self.paused.append("stop")


class Agent:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.answers: list[Deferred[Any]] = []
        self.producer: Any = None

    def request(self, method: bytes, uri: bytes, headers: Any, producer: Any) -> Deferred[Any]:
        self.producer = producer
        self.answers.append(Deferred())
        return self.answers[-1]


class TransportTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock, self.agent = Clock(), Agent()
        self.transport = Transport(self.agent, self.clock)

    def send(self, *body: bytes, **options: Any) -> Deferred[Head]:
        return Deferred.fromCoroutine(self.transport.send("GET", "http://a/", {}, body, **options))

    def received(self, **options: Any) -> tuple[Head, Response]:
        sent, response = self.send(**options), Response()
        self.agent.answers[-1].callback(response)
        return self.successResultOf(sent), response

    def test_no_answer(self) -> None:
        sent = self.send(patience=30.0)
        self.clock.pump([1.0] * 39)
        self.assertNoResult(sent)
        self.clock.pump([1.0] * 2)
        self.assertIn("in time", str(self.failureResultOf(sent, Broken).value))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_progress_counts(self) -> None:
        """A large body may take its time, as long as it moves."""
        sent = self.send(*[b"x"] * 10, patience=30.0)
        consumer = Response()
        consumer.write = lambda data: self.agent.producer.pauseProducing()  # type: ignore[attr-defined]
        done = self.agent.producer.startProducing(consumer)
        for _ in range(9):
            self.clock.pump([1.0] * 29)
            self.assertNoResult(sent)
            self.agent.producer.resumeProducing()
        self.successResultOf(done)
        self.clock.pump([1.0] * 32)
        self.failureResultOf(sent, Broken)

    def test_given_up(self) -> None:
        sent = self.send()
        sent.cancel()
        self.failureResultOf(sent, CancelledError)

    def test_lost(self) -> None:
        sent = self.send()
        self.agent.answers[-1].errback(ConnectionLost())
        self.failureResultOf(sent, Broken)

    def test_body(self) -> None:
        head, response = self.received()
        pieces = [Deferred.fromCoroutine(head.body.get())]
        self.assertNoResult(pieces[0])
        response.protocol.dataReceived(b"ab")
        response.protocol.dataReceived(b"cd")
        response.protocol.dataReceived(b"ef")
        response.protocol.connectionLost(Failure(ResponseDone()))
        self.assertEqual(self.successResultOf(pieces[0]), b"ab")
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(head.body.all())), b"cdef")
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(head.body.get())), b"")

    def test_body_in_pieces(self) -> None:
        head, response = self.received(held=1 << 30)
        for size in (PIECE - 1, 1, 1, 2 * PIECE + 5, 3):
            response.protocol.dataReceived(b"x" * size)
        response.protocol.connectionLost(Failure(ResponseDone()))
        sizes = []
        while piece := self.successResultOf(Deferred.fromCoroutine(head.body.get())):
            sizes.append(len(piece))
        self.assertEqual(sum(sizes), 3 * PIECE + 9)
        self.assertLessEqual(max(sizes), PIECE)

    def test_body_held_back(self) -> None:
        head, response = self.received(held=1000)
        response.protocol.dataReceived(b"x" * 999)
        self.assertEqual(response.paused, [])
        response.protocol.dataReceived(b"x" * 500)
        response.protocol.dataReceived(b"x" * 500)
        self.assertEqual(response.paused, ["pause"])
        self.successResultOf(Deferred.fromCoroutine(head.body.get()))
        self.assertEqual(response.paused, ["pause", "resume"])

    def test_body_that_stops(self) -> None:
        head, response = self.received()
        waiting = Deferred.fromCoroutine(head.body.get())
        self.clock.pump([1.0] * 62)
        self.failureResultOf(waiting, Broken)
        self.assertEqual(response.paused, ["stop"])

    def test_body_that_nobody_waits_for(self) -> None:
        """A reader may take its time."""
        head, response = self.received()
        response.protocol.dataReceived(b"ab")
        self.clock.pump([1.0] * 1000)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(head.body.get())), b"ab")

    def test_body_broken_off(self) -> None:
        head, response = self.received()
        response.protocol.dataReceived(b"ab")
        response.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(head.body.get())), b"ab")
        self.failureResultOf(Deferred.fromCoroutine(head.body.get()), Broken)

    def test_body_closed(self) -> None:
        """The connection is dropped unless all has come."""
        head, response = self.received()
        response.protocol.dataReceived(b"ab")
        head.body.close()
        self.assertEqual((head.body.size, response.paused), (0, ["stop"]))
        head, response = self.received()
        response.protocol.connectionLost(Failure(ResponseDone()))
        head.body.close()
        self.assertEqual(response.paused, [])
