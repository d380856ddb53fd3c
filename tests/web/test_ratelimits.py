"""Tests of :mod:`dregistry.web._ratelimits`."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dregistry.errors import TooManyRequests
from dregistry.web import Bucket, RateLimits
from dregistry.web._ratelimits import _OVERDRAFT, _REMEMBERED

from .app import AppCase, guarded


class LimitsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.clock = Clock()

    def limits(self, rate: float, burst: int, **more: Any) -> RateLimits:
        return RateLimits(self.clock.seconds, Bucket.of(rate, burst), **more)

    def refused(self, limits: RateLimits, address: str = "192.0.2.1", user: str = "", writes: bool = False) -> int:
        """Seconds to wait; 0 if it is admitted."""
        try:
            limits.admit(address, user, writes)
        except TooManyRequests as error:
            return error.retry_after
        return 0


class BucketTests(LimitsCase):
    def test_of(self) -> None:
        for rate, burst, expected in ((10.0, 0, 10), (0.1, 0, 1), (10.0, 3, 3)):
            found = Bucket.of(rate, burst)
            assert found is not None
            self.assertEqual((found.interval, found.burst), (1 / rate, expected))
        self.assertIsNone(Bucket.of(0.0, 5))

    def test_burst_and_rate(self) -> None:
        limits = self.limits(0.5, 3)
        self.assertEqual([self.refused(limits) for _ in range(5)], [0, 0, 0, 2, 2])
        self.clock.advance(1)
        self.assertEqual(self.refused(limits), 1)
        self.clock.advance(1)
        self.assertEqual([self.refused(limits), self.refused(limits)], [0, 2])
        self.clock.advance(1000)
        self.assertEqual([self.refused(limits) for _ in range(4)], [0, 0, 0, 2])

    def test_retry_after_is_right(self) -> None:
        limits = self.limits(0.3, 1)
        self.refused(limits)
        self.clock.advance(self.refused(limits))
        self.assertEqual(self.refused(limits), 0)

    @given(
        st.floats(0.01, 1000),
        st.integers(1, 50),
        st.lists(st.floats(0, 100), max_size=60),
    )
    def test_model(self, rate: float, burst: int, pauses: list[float]) -> None:
        """As a bucket that is filled drop by drop."""
        clock = Clock()
        limits = RateLimits(clock.seconds, Bucket.of(rate, burst))
        tokens = float(burst)
        for pause in pauses:
            clock.advance(pause)
            tokens = min(burst, tokens + pause * rate)
            if abs(tokens - 1) < 1e-6:
                return  # that is for rounding to decide
            admitted = not self.refused(limits)
            self.assertEqual(admitted, tokens >= 1)
            tokens -= admitted


class ClientTests(LimitsCase):
    def test_each_address(self) -> None:
        limits = self.limits(1, 1)
        self.assertEqual(self.refused(limits, "192.0.2.1"), 0)
        self.assertEqual(self.refused(limits, "192.0.2.2"), 0)
        self.assertEqual(self.refused(limits, ""), 0)
        self.assertEqual(self.refused(limits, "192.0.2.1"), 1)
        self.assertEqual(self.refused(limits, ""), 1)

    def test_networks_of_ipv6(self) -> None:
        """A client has 64 bits of it for itself."""
        limits = self.limits(1, 1)
        self.assertEqual(self.refused(limits, "2001:db8:0:1::1"), 0)
        self.assertEqual(self.refused(limits, "2001:db8:0:1:ffff::2"), 1)
        self.assertEqual(self.refused(limits, "2001:db8:0:2::1"), 0)

    def test_users(self) -> None:
        limits = self.limits(1, 1, by_user=True)
        self.assertEqual(self.refused(limits, "192.0.2.1", "alice"), 0)
        self.assertEqual(self.refused(limits, "192.0.2.2", "alice"), 1)
        self.assertEqual(self.refused(limits, "192.0.2.1", "bob"), 0)
        self.assertEqual(self.refused(limits, "192.0.2.1", ""), 0)
        self.assertEqual(self.refused(limits, "alice", ""), 0)

    def test_exempt(self) -> None:
        limits = self.limits(1, 1, exempt=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))
        for address in ("192.0.2.1", "2001:db8::1"):
            self.assertEqual([self.refused(limits, address) for _ in range(9)], [0] * 9)
        self.assertEqual([self.refused(limits, "198.51.100.1") for _ in range(2)], [0, 1])

    def test_writes(self) -> None:
        limits = self.limits(1, 3, writes=Bucket.of(1, 1))
        self.assertEqual([self.refused(limits, writes=True) for _ in range(2)], [0, 1])
        self.assertEqual([self.refused(limits) for _ in range(4)], [0, 0, 0, 1])

    def test_writes_only(self) -> None:
        limits = self.limits(0, 0, writes=Bucket.of(1, 1))
        self.assertEqual([self.refused(limits) for _ in range(9)], [0] * 9)
        self.assertEqual([self.refused(limits, writes=True) for _ in range(2)], [0, 1])

    def test_overdraft(self) -> None:
        """What cannot be repeated passes, up to a point, and what follows waits for it."""
        limits = self.limits(1, 2)
        for _ in range(2 + _OVERDRAFT):
            limits.admit("192.0.2.1", "", True, repeatable=False)
        self.assertRaises(TooManyRequests, limits.admit, "192.0.2.1", "", True, repeatable=False)
        self.assertEqual(self.refused(limits), _OVERDRAFT + 1)
        self.clock.advance(_OVERDRAFT + 1)
        self.assertEqual([self.refused(limits), self.refused(limits)], [0, 1])

    def test_memory(self) -> None:
        """Whoever asked last is remembered."""
        limits = self.limits(1e-6, 1)
        for number in range(_REMEMBERED + 10):
            limits.admit(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", "", False)
        self.assertEqual(len(limits._full), _REMEMBERED)
        self.assertGreater(self.refused(limits, f"10.0.{_REMEMBERED >> 8 & 255}.{_REMEMBERED & 255}"), 0)
        self.assertEqual(self.refused(limits, "10.0.0.1"), 0)


class AppTests(AppCase):
    def limits(self, **options: Any) -> RateLimits:
        return RateLimits(Clock().seconds, Bucket.of(0.1, 2), **options)

    def test_refused(self) -> None:
        self.serve(limits=self.limits())
        self.ask("GET", "/v2/", 200)
        self.ask("GET", "/v2/a/manifests/v1", 404)
        found = self.refuse("GET", "/v2/_catalog", 429, "TOOMANYREQUESTS")
        self.assertEqual(found.headers["retry-after"], "10")
        self.refuse("POST", "/v2/a/blobs/uploads/", 429, "TOOMANYREQUESTS", b"x" * 100)

    def test_free(self) -> None:
        """What browsers and load balancers ask."""
        self.serve(limits=self.limits())
        for _ in range(5):
            self.ask("GET", "/", 200)
            self.ask("OPTIONS", "/v2/", 200)

    def test_what_cannot_be_repeated(self) -> None:
        self.serve(limits=self.limits())
        for _ in range(3):
            self.refuse("PUT", "/v2/a/manifests/v1", 400, "MANIFEST_INVALID", b"{}")
            self.refuse("PATCH", "/v2/a/blobs/uploads/u", 404, "BLOB_UPLOAD_UNKNOWN", b"x")
        self.assertEqual(self.refuse("GET", "/v2/", 429, "TOOMANYREQUESTS").headers["retry-after"], "50")

    def test_before_the_credential(self) -> None:
        """By address, what a request brings is not looked at."""
        self.serve(limits=self.limits(), access=guarded())
        for status in (401, 401, 429):
            self.ask("GET", "/v2/", status)

    def test_by_user(self) -> None:
        self.serve(limits=self.limits(by_user=True), access=guarded(("a", "pull")))
        for status in (404, 404, 429):
            self.ask("GET", "/v2/a/manifests/v1", status, Authorization="alice x")
        self.ask("GET", "/v2/a/manifests/v1", 404, Authorization="bob x")
        self.ask("GET", "/v2/a/manifests/v1", 404)
