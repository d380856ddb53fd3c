"""
Work that goes on while the next piece of it is gathered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import Any

from twisted.internet.defer import Deferred, DeferredList


class Background:
    """At most one batch of awaitables under way."""

    def __init__(self) -> None:
        self._batch: Deferred[Any] | None = None

    def start(self, *work: Awaitable[Any]) -> None:
        """Begin a batch; the one before must have been waited for."""
        assert self._batch is None
        self._batch = DeferredList([_deferred(each) for each in work], consumeErrors=True)

    async def wait(self) -> None:
        """Until the batch is done. Raises the first failure in it, once all of it has ended."""
        batch, self._batch = self._batch, None
        if batch is not None:
            for succeeded, outcome in await batch:
                if not succeeded:
                    outcome.raiseException()


def _deferred(work: Awaitable[Any]) -> Deferred[Any]:
    if isinstance(work, Deferred):
        return work
    if isinstance(work, Coroutine):
        return Deferred.fromCoroutine(work)
    return Deferred.fromCoroutine(_await(work))


async def _await(work: Awaitable[Any]) -> Any:
    return await work
