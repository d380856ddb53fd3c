"""Tests of :mod:`dregistry.redis._connection`."""

from __future__ import annotations

from collections.abc import Coroutine
from itertools import pairwise
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from dregistry.redis._connection import RedisConnection, RedisRefused, RedisUnavailable

from .fake import FakeRedis, connection_to

PASSWORD = "not-for-the-log"


class ConnectionCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.server = FakeRedis()
        self.clock = Clock()
        self.connection = connection_to(self.server, self.clock)
        self.events: list[LogEvent] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def lines(self) -> list[str]:
        """What was logged since the last time."""
        lines = [formatEvent(event) for event in self.events]
        self.events.clear()
        return lines

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.successResultOf(Deferred.fromCoroutine(work))

    async def silently(self, *command: str) -> Any:
        self.server.silent = True
        return await self.connection.ask(*command)

    def unavailable(self, connection: RedisConnection | None = None) -> None:
        """At once."""
        work = (connection or self.connection).ask("HMGET", "a", "b")
        self.failureResultOf(Deferred.fromCoroutine(work), RedisUnavailable)

    def connected(self, connection: RedisConnection | None = None) -> None:
        """The one who asks first does not wait for the connection."""
        self.unavailable(connection)
        self.lines()


class AskingTests(ConnectionCase):
    def test_first(self) -> None:
        self.unavailable()
        self.assertEqual(self.lines(), ["the descriptor cache is reachable: redis redis.example:6379"])
        self.assertEqual(self.do(self.connection.ask("HSET", "a", "b", 5)), 1)
        self.assertEqual(self.do(self.connection.ask("HMGET", "a", "b", "c")), [b"5", None])
        self.assertEqual(self.server.attempts, 1)

    def test_bytes_as_they_are(self) -> None:
        self.connected()
        value = bytes(range(256))
        self.do(self.connection.ask("HSET", "a", "b", value))
        self.assertEqual(self.do(self.connection.ask("HMGET", "a", "b")), [value])

    def test_answers_in_order(self) -> None:
        """Nobody waits for the answers to others."""
        self.connected()
        self.server.silent = True
        waiting = [Deferred.fromCoroutine(self.connection.ask("X", str(number))) for number in range(3)]
        [transport] = self.server.connections
        transport._protocol.dataReceived(b":0\r\n:1")
        self.assertEqual(self.successResultOf(waiting[0]), 0)
        self.assertNoResult(waiting[1])
        transport._protocol.dataReceived(b"\r\n:2\r\n")
        self.assertEqual([self.successResultOf(each) for each in waiting[1:]], [1, 2])

    def test_greeting(self) -> None:
        self.server.password = PASSWORD.encode()
        options = {"username": "alice", "password": PASSWORD, "database": 3, "client_name": "one"}
        connection = connection_to(self.server, self.clock, **options)
        self.connected(connection)
        self.assertEqual(
            self.server.greetings,
            [[b"AUTH", b"alice", PASSWORD.encode()], [b"CLIENT", b"SETNAME", b"one"], [b"SELECT", b"3"], [b"PING"]],
        )
        self.do(connection.ask("HMGET", "a", "b"))

    def test_password_alone(self) -> None:
        self.connected(connection_to(self.server, self.clock, password="x"))
        self.assertEqual(self.server.greetings[0], [b"AUTH", b"x"])


class DownTests(ConnectionCase):
    def test_cannot_connect(self) -> None:
        """One line, however often it is tried; each try later than the one before, to half a minute."""
        self.server.up = False
        self.unavailable()
        [line] = self.lines()
        self.assertIn("out of reach, the storage is asked instead: redis redis.example:6379: ", line)
        tries = []
        for _ in range(4000):
            before = self.server.attempts
            self.unavailable()
            if self.server.attempts > before:
                tries.append(self.clock.seconds())
            self.clock.advance(0.05)
        pauses = [after - before for before, after in pairwise(tries)]
        self.assertLess(tries[0], 0.2)
        self.assertGreater(min(pauses[-3:]), 14)
        self.assertLess(max(pauses), 31)
        self.assertEqual(self.lines(), [])
        self.server.up = True
        self.clock.advance(31)
        self.unavailable()
        self.assertEqual(self.lines(), ["the descriptor cache is reachable: redis redis.example:6379"])
        self.do(self.connection.ask("HMGET", "a", "b"))

    def test_lost(self) -> None:
        """Those who wait are told at once."""
        self.connected()
        self.server.silent = True
        waiting = [Deferred.fromCoroutine(self.connection.ask("PING")) for _ in range(3)]
        self.server.drop()
        for each in waiting:
            self.failureResultOf(each, RedisUnavailable)
        [line] = self.lines()
        self.assertIn("Connection was closed cleanly", line)
        self.unavailable()
        self.assertEqual(self.server.attempts, 1)
        self.server.silent = False
        self.clock.advance(1)
        self.unavailable()
        self.do(self.connection.ask("HMGET", "a", "b"))
        self.assertEqual(len(self.lines()), 1)

    def test_slow(self) -> None:
        """An overdue answer ends the connection, and the next ones do not wait."""
        self.connected()
        self.server.silent = True
        waiting = [Deferred.fromCoroutine(self.connection.ask("PING")) for _ in range(3)]
        self.clock.advance(0.9)
        for each in waiting:
            self.assertNoResult(each)
        self.clock.advance(0.2)
        for each in waiting:
            self.failureResultOf(each, RedisUnavailable)
        self.unavailable()
        self.assertEqual(self.server.connections, [])
        [line] = self.lines()
        self.assertTrue(line.endswith("no answer in 1 s"), line)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_slow_from_the_start(self) -> None:
        self.server.silent = True
        self.unavailable()
        self.assertEqual(self.lines(), [])
        self.clock.advance(1.1)
        [line] = self.lines()
        self.assertTrue(line.endswith("no answer in 1 s"), line)
        self.assertEqual(self.server.connections, [])

    def test_pauses_grow_unless_it_lasts(self) -> None:
        """One that takes connections and then says nothing slows few requests down."""
        for lasts, most in ((1, 12), (40, 60)):
            connection = connection_to(self.server, self.clock)
            attempts = self.server.attempts
            for _ in range(60):
                self.unavailable(connection)
                self.clock.advance(lasts)
                self.server.drop()
                self.clock.advance(0.1)
            tried = self.server.attempts - attempts
            self.assertLessEqual(tried, most)
            connection.close()
        self.assertEqual(tried, 60)

    def test_wrong_password(self) -> None:
        self.server.password = b"something else"
        connection = connection_to(self.server, self.clock, password=PASSWORD)
        self.unavailable(connection)
        [line] = self.lines()
        self.assertIn("WRONGPASS", line)
        self.assertNotIn(PASSWORD, line + repr(connection._options))
        self.assertEqual(self.server.connections, [])

    def test_no_redis(self) -> None:
        """Whatever it says."""
        for said in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\xff" * 100, b"*-5\r\n", b"$x\r\n"):
            self.server.errors[b"PING"] = said
            self.unavailable(connection_to(self.server, self.clock))
            self.clock.advance(2)
            self.assertEqual(len(self.lines()), 1, said)
            self.assertEqual(self.server.connections, [], said)

    def test_no_redis_any_more(self) -> None:
        self.connected()
        waiting = Deferred.fromCoroutine(self.silently("HMGET", "a", "b"))
        self.server.connections[0]._protocol.dataReceived(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.failureResultOf(waiting, RedisUnavailable)
        self.assertEqual((len(self.lines()), self.server.connections), (1, []))


class RefusedTests(ConnectionCase):
    def refused(self) -> str:
        work = self.connection.ask("HSET", "a", "b", "c")
        return str(self.failureResultOf(Deferred.fromCoroutine(work), RedisRefused).value.kind)

    def test_logged_once(self) -> None:
        self.connected()
        self.server.errors[b"HSET"] = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
        for _ in range(3):
            self.assertEqual(self.refused(), "OOM")
        [line] = self.lines()
        self.assertIn("refuses a command: redis redis.example:6379: OOM command not allowed", line)
        self.do(self.connection.ask("HMGET", "a", "b"))
        self.assertEqual(self.server.attempts, 1)

    def test_wrong_type(self) -> None:
        self.connected()
        self.server.keys[b"a"] = b"a string"
        self.assertEqual(self.refused(), "WRONGTYPE")
        self.assertEqual(self.lines(), [])


class ClosingTests(ConnectionCase):
    def test_for_good(self) -> None:
        self.connected()
        waiting = Deferred.fromCoroutine(self.silently("PING"))
        self.connection.close()
        self.failureResultOf(waiting, RedisUnavailable)
        self.clock.advance(100)
        self.unavailable()
        self.assertEqual((self.server.attempts, self.lines(), self.clock.getDelayedCalls()), (1, [], []))

    def test_while_connecting(self) -> None:
        self.server.silent = True
        self.unavailable()
        self.connection.close()
        self.assertEqual((self.server.connections, self.lines(), self.clock.getDelayedCalls()), ([], [], []))

    def test_never_connected(self) -> None:
        self.connection.close()
        self.unavailable()
        self.assertEqual(self.server.attempts, 0)
