"""Go's durations, the notation of every time span in the file.

In Python a span is a float of seconds (:data:`Seconds`).
"""

import re
from fractions import Fraction
from typing import NewType

Seconds = NewType("Seconds", float)
"""A time span in seconds."""

_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,  # micro sign
    "\u03bcs": 10**3,  # Greek letter mu
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_TERM = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_LONGEST = 2**63 - 1
_MOST_CHARACTERS = 200


def parse_duration(text: str) -> Seconds:
    """Read a duration as Go's ``time.ParseDuration`` does.

    :param text: such as ``10s``, ``1h30m``, ``1.5h``, ``-250ms`` or ``0``.
    :return: seconds.
    :raises ValueError: when it is not a duration, a unit is missing, or it is beyond Go's 64 bits of
        nanoseconds (some 292 years).
    """
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    if unsigned == "0":
        return Seconds(0.0)
    if not unsigned or len(unsigned) > _MOST_CHARACTERS:
        raise ValueError("not a duration such as 10s, 1h30m or 168h")
    total, position = Fraction(0), 0
    while position < len(unsigned):
        term = _TERM.match(unsigned, position)
        if term is None:
            raise ValueError("not a duration such as 10s, 1h30m or 168h")
        number, unit = term.groups()
        total += Fraction(number.removesuffix(".")) * _NANOSECONDS[unit]
        position = term.end()
    return from_nanoseconds(-total if text[0] == "-" else total)


def from_nanoseconds(count: int | Fraction) -> Seconds:
    """Convert nanoseconds, the meaning of a bare integer, to seconds.

    :raises ValueError: beyond 64 bits.
    """
    whole = int(count)
    if abs(whole) > _LONGEST:
        raise ValueError("a duration longer than 292 years")
    return Seconds(float(Fraction(whole, 10**9)))


def format_duration(seconds: float) -> str:
    """Write seconds in Go's notation, to the nanosecond: ``1h30m``, ``1.5s``, ``0s``.

    The result reads back by :func:`parse_duration` as the same number, as far as a float holds it.
    """
    count = round(abs(Fraction(seconds)) * 10**9)
    hours, rest = divmod(count, _NANOSECONDS["h"])
    minutes, rest = divmod(rest, _NANOSECONDS["m"])
    whole, fraction = divmod(rest, _NANOSECONDS["s"])
    text = "-" if seconds < 0 and count else ""
    text += f"{hours}h" if hours else ""
    text += f"{minutes}m" if minutes else ""
    if whole or fraction or not count:
        text += f"{whole}" + (f".{fraction:09d}".rstrip("0") if fraction else "") + "s"
    return text
