"""
Several pieces of work at one time.
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
            _outcomes(await batch)


async def together(*work: Awaitable[Any]) -> list[Any]:
    """What each awaitable gives, in their order. Raises the first failure, once all of them have ended."""
    return _outcomes(await DeferredList([_deferred(each) for each in work], consumeErrors=True))


def _outcomes(results: Any) -> list[Any]:
    for succeeded, outcome in results:
        if not succeeded:
            outcome.raiseException()
    return [outcome for _, outcome in results]


def _deferred(work: Awaitable[Any]) -> Deferred[Any]:
    if isinstance(work, Deferred):
        return work
    if isinstance(work, Coroutine):
        return Deferred.fromCoroutine(work)
    return Deferred.fromCoroutine(_await(work))


async def _await(work: Awaitable[Any]) -> Any:
    return await work
