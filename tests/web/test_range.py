"""Tests of :mod:`dregistry.web._range`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.errors import RangeInvalid
from dregistry.web._range import ByteRange, requested_range, sent_range


def by_brute_force(first: int | None, last: int | None, size: int) -> list[int]:
    """The positions that RFC 9110, 14.1.2, means by FIRST-LAST."""
    if first is None:
        return list(range(size))[size - min(last or 0, size) :]
    return [position for position in range(size) if position >= first and (last is None or position <= last)]


class RequestedTests(SynchronousTestCase):
    def refused(self, header: str, size: int = 10) -> None:
        self.assertEqual(self.assertRaises(RangeInvalid, requested_range, header, size).size, size, header)

    def test_parts(self) -> None:
        for header, start, end in (
            ("bytes=0-9", 0, 9),
            ("bytes=0-0", 0, 0),
            ("bytes=9-9", 9, 9),
            ("bytes=3-", 3, 9),
            ("bytes=0-", 0, 9),
            ("bytes=3-100", 3, 9),
            ("bytes=3-999999999999999999", 3, 9),
            ("bytes=-3", 7, 9),
            ("bytes=-10", 0, 9),
            ("bytes=-11", 0, 9),
            ("bytes=003-04", 3, 4),
            ("Bytes=1-2", 1, 2),
            ("bytes = 1 - 2\t", 1, 2),
        ):
            self.assertEqual(requested_range(header, 10), ByteRange(start, end), header)

    def test_all_of_it(self) -> None:
        for header in (
            None,
            "",
            "bytes",
            "lines=0-1",
            "bytes 0-1",
            "bytes=0-1,3-4",
            "bytes=,",
            "bytes=x,y",
        ):
            self.assertIsNone(requested_range(header, 10), header)

    def test_beyond_the_end(self) -> None:
        for header in ("bytes=10-", "bytes=10-11", "bytes=999999999999999999-", "bytes=-0", "bytes=-000"):
            self.refused(header)

    def test_malformed(self) -> None:
        for header in (
            "bytes=",
            "bytes=-",
            "bytes=5",
            "bytes=a-b",
            "bytes=0x1-2",
            "bytes=1--2",
            "bytes=--2",
            "bytes=+1-2",
            "bytes=1-2-3",
            "bytes=1-2;",
            "bytes=2-1",
            "bytes=1 2-3",
            "bytes=\u0661-\u0662",
            "bytes=1_0-",
            "bytes=" + "1" * 19 + "-",
            "bytes=-" + "1" * 5000,
        ):
            self.refused(header)

    def test_of_nothing(self) -> None:
        """An empty blob has no first byte; its last three are all of it."""
        self.refused("bytes=0-", 0)
        self.refused("bytes=0-0", 0)
        self.assertIsNone(requested_range("bytes=-3", 0))
        self.assertIsNone(requested_range(None, 0))

    @given(st.none() | st.integers(0, 12), st.none() | st.integers(0, 12), st.integers(1, 10))
    def test_as_the_rfc_says(self, first: int | None, last: int | None, size: int) -> None:
        if (first, last) == (None, None):
            return
        header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
        expected = by_brute_force(first, last, size)
        if not expected:
            self.refused(header, size)
            return
        found = requested_range(header, size)
        assert found is not None
        self.assertEqual(list(range(found.start, found.end + 1)), expected)
        self.assertEqual(found.length, len(expected))

    @given(st.text(max_size=20), st.integers(0, 20))
    def test_never_fails_otherwise(self, text: str, size: int) -> None:
        try:
            found = requested_range("bytes=" + text, size)
        except RangeInvalid as error:
            self.assertEqual(error.size, size)
        else:
            self.assertTrue(found is None or 0 <= found.start <= found.end < size)


class SentTests(SynchronousTestCase):
    def test_forms(self) -> None:
        """The specification's, and HTTP's."""
        for header in ("2-5", " 2-5 ", "bytes 2-5/9", "bytes 2-5/*", "bytes=2-5", "2-5/*"):
            self.assertEqual(sent_range(header), ByteRange(2, 5), header)
        self.assertEqual(sent_range("0-0"), ByteRange(0, 0))

    def test_none(self) -> None:
        self.assertIsNone(sent_range(None))

    def test_malformed(self) -> None:
        for header in (
            "",
            "-",
            "5",
            "5-",
            "-5",
            "5-2",
            "a-b",
            "bytes */9",
            "lines 0-1",
            "0-1,3-4",
            "0-1/",
            "0-1/x",
            "0 - 1",
            "+0-1",
            "\u0661-\u0662",
            "0-" + "1" * 19,
        ):
            error = self.assertRaises(RangeInvalid, sent_range, header)
            self.assertIsNone(error.size, header)

    @given(st.integers(0, 10**18 - 1), st.integers(0, 10**18 - 1))
    def test_any(self, start: int, end: int) -> None:
        if end < start:
            self.assertRaises(RangeInvalid, sent_range, f"{start}-{end}")
        else:
            found = sent_range(f"{start}-{end}")
            self.assertEqual(found, ByteRange(start, end))
            self.assertEqual(found.length, end - start + 1)
