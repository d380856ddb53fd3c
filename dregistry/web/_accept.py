"""
Which media types a client takes (RFC 9110, 12.5.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache


@lru_cache(maxsize=128)  # clients send the same few all the time
def accepts(headers: tuple[str, ...], media_type: str) -> bool:
    """
    Whether ``media_type`` is among what the ``Accept`` headers list; a request without any takes everything.

    Parameters other than ``q`` are ignored, and ``q=0`` rules a type out.
    """
    ranges = [member for header in headers for member in header.split(",") if member.strip()]
    if not ranges:
        return True
    best = (-1, False)
    for member in ranges:
        name, *parameters = (part.strip().lower() for part in member.split(";"))
        specificity = _specificity(name, media_type)
        if specificity >= 0:
            best = max(best, (specificity, not any(_is_zero(parameter) for parameter in parameters)))
    return best[1]


def names(headers: Sequence[str], media_type: str) -> bool:
    """Whether ``media_type`` itself, not just a wildcard that covers it, is listed."""
    return any(member.partition(";")[0].strip().lower() == media_type for line in headers for member in line.split(","))


def _specificity(name: str, media_type: str) -> int:
    if name == media_type:
        return 2
    if name == media_type.partition("/")[0] + "/*":
        return 1
    return 0 if name == "*/*" else -1


def _is_zero(parameter: str) -> bool:
    key, _, value = parameter.partition("=")
    return key.strip() == "q" and value.strip() in ("0", "0.", "0.0", "0.00", "0.000")
