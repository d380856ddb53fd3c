"""
When to try again.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define

_LEAST = 0.8
"""A wait is between this part of its full length and all of it, so that not all who wait come back at once."""


@define
class Backoff:
    """
    Waits of one endpoint: none up to ``threshold`` failures in a row, then ``first`` seconds, doubled by each further
    failure.

    :ivar most: the longest wait in seconds, unless ``first`` is longer.
    :ivar random: gives numbers from 0 up to 1.
    """

    threshold: int
    first: float
    most: float
    random: Callable[[], float]
    failures: int = 0

    def failed(self) -> float:
        """Count a failure, and return the seconds to wait."""
        self.failures += 1
        beyond = self.failures - self.threshold
        if beyond < 0:
            return 0.0
        full = min(self.first * 2.0 ** min(beyond, 64), max(self.most, self.first))
        return max(self.first, full * (_LEAST + (1 - _LEAST) * self.random()))

    def succeeded(self) -> None:
        self.failures = 0
