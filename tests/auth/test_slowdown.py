"""Tests of :mod:`dregistry.auth._slowdown`."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dregistry.auth import Slowdown
from dregistry.auth import _slowdown as module
from dregistry.auth._slowdown import FREE_BY_ADDRESS, FREE_BY_USER
from dregistry.errors import TooManyRequests

HERE = "192.0.2.1"


class SlowdownCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.slowdown = Slowdown(self.clock)

    def attempt(self, user: str = "alice", address: str = HERE) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.slowdown.attempt(address, user))

    def free(self, user: str = "alice", address: str = HERE) -> int:
        """How many attempts need not wait."""
        for count in range(100):
            attempt = self.attempt(user, address)
            if not attempt.called:
                return count
        return 100

    def wait(self, attempt: Deferred[Any]) -> float:
        """Seconds that an attempt has to wait, to an eighth."""
        start = self.clock.seconds()
        while not attempt.called:
            self.clock.advance(0.125)
        self.successResultOf(attempt)
        return self.clock.seconds() - start


class PauseTests(SlowdownCase):
    def test_some_are_free(self) -> None:
        self.assertEqual(self.free(), FREE_BY_USER)

    def test_pauses_double(self) -> None:
        for _ in range(FREE_BY_USER):
            self.successResultOf(self.attempt())
        waits = [self.wait(self.attempt()) for _ in range(8)]
        self.assertEqual(waits, [0.5, 1, 2, 4, 8, 15, 15, 15])

    def test_many_at_once(self) -> None:
        """All of them queue; those that would queue for long are told when to come back."""
        attempts = [self.attempt() for _ in range(200)]
        self.assertEqual(sum(attempt.called for attempt in attempts[:FREE_BY_USER]), FREE_BY_USER)
        refused = [attempt for attempt in attempts[FREE_BY_USER:] if attempt.called]
        for attempt in refused:
            error = self.failureResultOf(attempt, TooManyRequests).value
            self.assertGreater(error.retry_after, 30)
        self.assertGreater(len(refused), 180)
        self.clock.advance(31)
        self.assertEqual(len([attempt for attempt in attempts if not attempt.called]), 0)

    def test_refusals_do_not_count(self) -> None:
        """Whoever hammers on does not make it worse for a user than whoever does not."""
        for _ in range(500):
            self.attempt().addErrback(lambda failure: failure.trap(TooManyRequests))
        self.clock.advance(60)
        self.assertLessEqual(self.wait(self.attempt()), 15)

    def test_forgotten(self) -> None:
        self.free()
        self.clock.advance(module._MEMORY + 31)
        self.assertEqual(self.free(), FREE_BY_USER)

    def test_success(self) -> None:
        """Clears the user's name, but not that of the address: it may have guessed for others."""
        for _ in range(3):
            self.attempt("alice")
            self.slowdown.succeeded(HERE, "alice")
        self.assertEqual(self.free("alice"), FREE_BY_USER)
        for number in range(FREE_BY_ADDRESS - FREE_BY_USER - 2):
            self.attempt("bob")
            self.slowdown.succeeded(HERE, "bob")
            self.assertTrue(self.attempt(f"user-{number}").called)
        self.assertTrue(self.attempt("somebody").called)
        self.assertFalse(self.attempt("somebody else").called)

    def test_one_user_alone(self) -> None:
        """That one has to wait is nothing to the others at the address."""
        self.free("alice")
        self.assertTrue(self.attempt("bob").called)


class AddressTests(SlowdownCase):
    def test_by_address(self) -> None:
        """Many users, one address."""
        for number in range(FREE_BY_ADDRESS):
            self.assertTrue(self.attempt(f"user-{number}").called)
        self.assertFalse(self.attempt("another").called)
        self.assertTrue(self.attempt("another", "192.0.2.2").called)

    def test_a_user_elsewhere(self) -> None:
        """Nobody is shut out by what somebody at another address does."""
        self.free("alice")
        self.assertEqual(self.free("alice", "198.51.100.7"), FREE_BY_USER)

    def test_networks(self) -> None:
        """A peer chooses among the addresses of its IPv6 network."""
        for number in range(FREE_BY_USER):
            self.assertTrue(self.attempt("alice", f"2001:db8:1:2::{number + 1:x}").called)
        self.assertFalse(self.attempt("alice", "2001:db8:1:2:ffff::1").called)
        self.assertTrue(self.attempt("alice", "2001:db8:1:3::1").called)

    def test_the_same_written_otherwise(self) -> None:
        for address in (HERE, f"::ffff:{HERE}", "::ffff:c000:201", HERE, HERE):
            self.assertTrue(self.attempt("alice", address).called)
        self.assertFalse(self.attempt("alice", f"::ffff:{HERE}").called)

    def test_clients_of_a_proxy(self) -> None:
        """They all come from this machine, or from no address: one who guesses does not slow down the others."""
        for address in ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", ""):
            for number in range(FREE_BY_ADDRESS + 1):
                self.assertTrue(self.attempt(f"user-{number}-at-{address}", address).called)
        self.assertEqual(self.free("alice", "127.0.0.1"), FREE_BY_USER)


class MemoryTests(SlowdownCase):
    def test_bounded(self) -> None:
        self.patch(module, "_REMEMBERED", 100)
        for number in range(1000):
            self.attempt(f"user-{number}", f"10.0.{number // 250}.{number % 250}")
        self.assertEqual(len(self.slowdown._records), 100)

    def test_who_makes_room(self) -> None:
        """An address that fills the memory up remains in it."""
        self.patch(module, "_REMEMBERED", 100)
        for number in range(1000):
            self.attempt(f"user-{number}").addErrback(lambda failure: failure.trap(TooManyRequests))
            self.clock.advance(1)
        self.failureResultOf(self.attempt("another"), TooManyRequests)

    @given(st.text())
    def test_any_address(self, address: str) -> None:
        self.slowdown = Slowdown(Clock())
        self.successResultOf(self.attempt("alice", address))
