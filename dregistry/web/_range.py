"""
Ranges of blobs that clients ask for (RFC 9110, 14), and of uploads that they send (distribution-spec, "Pushing a blob
in chunks").
"""

from __future__ import annotations

import re

from attrs import frozen

from ..errors import RangeInvalid

_BYTE_RANGE = re.compile(r"[ \t]*(\d*)[ \t]*-[ \t]*(\d*)[ \t]*", re.ASCII)
_CONTENT_RANGE = re.compile(r"(?:bytes[ =])?(\d{1,18})-(\d{1,18})(?:/(?:\d{1,18}|\*))?", re.ASCII)
_DIGITS = 100
"""More than any length has, few enough to be read at once."""


@frozen
class ByteRange:
    """Bytes ``start`` to ``end``, both included."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start + 1


def requested_range(header: str | None, size: int) -> ByteRange | None:
    """
    The part of ``size`` bytes that a ``Range`` header asks for.

    :return: None for all of it: no header, an unit other than bytes, or several ranges (which a server may answer in
        full).
    :raise RangeInvalid: if it is malformed, or lies beyond the end.
    """
    if header is None:
        return None
    unit, equals, ranges = header.partition("=")
    if unit.strip().lower() != "bytes" or not equals:
        return None
    if "," in ranges:
        return None
    match = _BYTE_RANGE.fullmatch(ranges)
    if match is None or match.groups() == ("", "") or max(map(len, match.groups())) > _DIGITS:
        raise RangeInvalid("malformed Range", size=size)
    first, last = match.groups()
    if not first:
        length = min(int(last), size)
        if int(last) == 0:
            raise RangeInvalid("an empty suffix is no range", size=size)
        return ByteRange(size - length, size - 1) if size else None
    start, end = int(first), int(last) if last else size - 1
    if start >= size or (last and end < start):
        raise RangeInvalid(f"not a part of {size} bytes", size=size)
    return ByteRange(start, min(end, size - 1))


def sent_range(header: str | None) -> ByteRange | None:
    """
    The bytes that a chunk of an upload is, by its ``Content-Range``: ``start-end``; the form of HTTP is taken too.

    :raise RangeInvalid: if it is malformed.
    """
    if header is None:
        return None
    match = _CONTENT_RANGE.fullmatch(header.strip())
    if match is None or int(match[2]) < int(match[1]):
        raise RangeInvalid("Content-Range must be START-END, both included")
    return ByteRange(int(match[1]), int(match[2]))
