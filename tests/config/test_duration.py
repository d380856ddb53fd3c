"""Go's durations: what parses, what does not, and that writing and reading agree."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.config import format_duration, parse_duration
from dregistry.config._duration import from_nanoseconds


class ParseDurationTests(SynchronousTestCase):
    """:func:`parse_duration` and Go's ``time.ParseDuration``."""

    def test_every_unit(self) -> None:
        expected = {
            "5ns": 5e-9,
            "5us": 5e-6,
            "5\u00b5s": 5e-6,
            "5\u03bcs": 5e-6,
            "5ms": 5e-3,
            "5s": 5.0,
            "5m": 300.0,
            "5h": 18000.0,
        }
        for text, seconds in expected.items():
            self.assertEqual(parse_duration(text), seconds, text)

    def test_sums_fractions_and_signs(self) -> None:
        expected = {
            "0": 0.0,
            "+0": 0.0,
            "-0": 0.0,
            "0s": 0.0,
            "1h30m": 5400.0,
            "1m0.5s": 60.5,
            "1.s": 1.0,
            ".5s": 0.5,
            "-1.5h": -5400.0,
            "+2s": 2.0,
            "1s1s": 2.0,
        }
        for text, seconds in expected.items():
            self.assertEqual(parse_duration(text), seconds, text)

    def test_what_is_none(self) -> None:
        for text in (
            "",
            "+",
            "-",
            "10",
            "1.5",
            "s",
            ".s",
            "10 s",
            "10x",
            "10S",
            "1h30",
            "--1s",
            "\u0665s",
            "1s\n",
        ):
            self.assertRaises(ValueError, parse_duration, text)

    def test_beyond_64_bits(self) -> None:
        self.assertRaises(ValueError, parse_duration, "2562048h")
        self.assertRaises(ValueError, from_nanoseconds, 2**63)
        self.assertEqual(parse_duration("2562047h"), 2562047 * 3600.0)

    def test_endless_text(self) -> None:
        self.assertRaises(ValueError, parse_duration, "1s" * 10_000)
        self.assertRaises(ValueError, parse_duration, "9" * 10_000 + "s")

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Nothing but ValueError is raised."""
        with contextlib.suppress(ValueError):
            parse_duration(text)


class FormatDurationTests(SynchronousTestCase):
    """:func:`format_duration`."""

    def test_examples(self) -> None:
        expected = {
            0.0: "0s",
            1.5: "1.5s",
            60.0: "1m",
            90.0: "1m30s",
            168 * 3600.0: "168h",
            3600.000000001: "1h0.000000001s",
            0.25: "0.25s",
            -2.0: "-2s",
        }
        for seconds, text in expected.items():
            self.assertEqual(format_duration(seconds), text)
        self.assertEqual(format_duration(-0.0), "0s")

    @given(st.integers(min_value=-(2**52), max_value=2**52))
    def test_reads_back(self, count: int) -> None:
        seconds = from_nanoseconds(count)
        self.assertEqual(parse_duration(format_duration(seconds)), seconds)
