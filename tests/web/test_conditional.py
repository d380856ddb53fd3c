"""Tests of :mod:`dregistry.web._conditional` (RFC 9110, 13.1)."""

from __future__ import annotations

from time import perf_counter

from twisted.trial.unittest import SynchronousTestCase

from dregistry.web._conditional import match, none_match, range_applies

TAG = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
OTHER = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

LISTING = (
    f'"{TAG}"',
    f' "{TAG}" ',
    f'"{OTHER}", "{TAG}"',
    f'"{OTHER}","{TAG}","x"',
    f'"a,b", "{TAG}"',
    TAG,
    f"x, {TAG}",
)
"""Headers that list TAG."""
WEAK = (f'W/"{TAG}"', f'"{OTHER}", W/"{TAG}"', f"W/{TAG}")
NOT_LISTING = ("", " ", ",", f'"{OTHER}"', f'"{TAG}x"', f'"{TAG}', f'w/"{TAG}"', '"*"', "x", f'"x{TAG}"', '"', "W/")


class NoneMatchTests(SynchronousTestCase):
    def test_none(self) -> None:
        self.assertTrue(none_match(None, TAG))
        self.assertTrue(none_match(None, None))

    def test_listed(self) -> None:
        """By weak comparison."""
        for header in LISTING + WEAK:
            self.assertFalse(none_match(header, TAG), header)

    def test_not_listed(self) -> None:
        for header in NOT_LISTING:
            self.assertTrue(none_match(header, TAG), header)

    def test_star(self) -> None:
        for header in ("*", " * "):
            self.assertFalse(none_match(header, TAG))
            self.assertTrue(none_match(header, None))

    def test_nothing_there(self) -> None:
        for header in LISTING + WEAK + NOT_LISTING:
            self.assertTrue(none_match(header, None), header)

    def test_empty_members(self) -> None:
        """RFC 9110, 5.6.1.2: a recipient ignores a reasonable number of empty list elements."""
        for header in (f', "{TAG}"', f'"{OTHER}", , "{TAG}"', f',,"{TAG}",'):
            self.assertFalse(none_match(header, TAG), header)


class MatchTests(SynchronousTestCase):
    def test_none(self) -> None:
        self.assertTrue(match(None, TAG))
        self.assertTrue(match(None, None))

    def test_listed(self) -> None:
        for header in LISTING:
            self.assertTrue(match(header, TAG), header)

    def test_not_listed(self) -> None:
        """By strong comparison: weak ones are not."""
        for header in NOT_LISTING + WEAK:
            self.assertFalse(match(header, TAG), header)

    def test_star(self) -> None:
        self.assertTrue(match("*", TAG))
        self.assertFalse(match("*", None))

    def test_nothing_there(self) -> None:
        for header in LISTING + WEAK + NOT_LISTING:
            self.assertFalse(match(header, None), header)


class RangeTests(SynchronousTestCase):
    def test_applies(self) -> None:
        for header in (None, f'"{TAG}"', f' "{TAG}"\t'):
            self.assertTrue(range_applies(header, TAG), header)

    def test_does_not(self) -> None:
        for header in ("", f'W/"{TAG}"', f'"{OTHER}"', "Tue, 24 Nov 2026 14:00:00 GMT", "*", TAG):
            self.assertFalse(range_applies(header, TAG), header)


class TimeTests(SynchronousTestCase):
    def test_linear(self) -> None:
        started = perf_counter()
        for header in (" " * 100_000, '"' * 100_000, "W/" * 100_000, '"a" ' * 50_000, "," * 100_000, '"a",' * 50_000):
            self.assertTrue(none_match(header, TAG))
        self.assertLess(perf_counter() - started, 2)
