"""
What the driver asked of the service.
"""

from __future__ import annotations

from collections import Counter

from attrs import define, field

BROKEN = "broken"
"""Stands for the status of a request that was never answered, or whose answer broke off."""


@define
class S3Metrics:
    """
    :ivar requests: how many were sent, by operation and status (``("GetObject", "200")``), those sent again included.
    :ivar retries: how many of them were sent again, by operation.
    """

    requests: Counter[tuple[str, str]] = field(factory=Counter)
    retries: Counter[str] = field(factory=Counter)

    @property
    def sent(self) -> int:
        """All requests so far."""
        return sum(self.requests.values())
