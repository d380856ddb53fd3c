"""
What was found out at some cost, for a while.
"""

from __future__ import annotations

from typing import Generic, TypeVar

_T = TypeVar("_T")


class Remembered(Generic[_T]):
    """
    Values by key, each until a time of its own.

    :param most: values that are kept; beyond, those go first that came first.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: dict[bytes, tuple[float, _T]] = {}

    def get(self, key: bytes, now: float) -> _T | None:
        found = self._values.get(key)
        if found is None:
            return None
        until, value = found
        if now >= until:
            del self._values[key]
            return None
        return value

    def put(self, key: bytes, value: _T, until: float) -> None:
        self._values.pop(key, None)
        while len(self._values) >= self._most:
            del self._values[next(iter(self._values))]
        self._values[key] = (until, value)

    def clear(self) -> None:
        self._values.clear()
