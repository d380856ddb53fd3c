"""
Several pieces of work at once, and one for several who want it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

_A = TypeVar("_A")
_B = TypeVar("_B")
AT_ONCE = 32


async def concurrently(call: Callable[[_A], Awaitable[_B]], items: Sequence[_A], at_once: int = AT_ONCE) -> list[_B]:
    """
    What ``call`` gives for each item, in their order.

    :param at_once: how many are under way at one time at most.
    :raise: what one of the calls raises; then no further ones are made, and those under way have ended.
    """
    results: dict[int, _B] = {}
    left = iter(list(enumerate(items)))

    async def work() -> None:
        for number, item in left:
            try:
                results[number] = await call(item)
            except BaseException:
                for _ in left:
                    pass
                raise

    workers = [Deferred.fromCoroutine(work()) for _ in range(min(at_once, len(items)))]
    outcomes: Any = await DeferredList(workers, consumeErrors=True)
    for succeeded, outcome in outcomes:
        if not succeeded:
            outcome.raiseException()
    return [results[number] for number in range(len(items))]


class Shared:
    """
    Work that is under way once at most: whoever asks for it meanwhile gets the same outcome.

    :param call: begins it.
    """

    def __init__(self, call: Callable[[], Awaitable[Any]]) -> None:
        self._call = call
        self._waiting: list[Deferred[Any]] | None = None

    def start(self) -> None:
        """Begin, unless it is under way; nobody hears of a failure."""
        if self._waiting is None:
            self._waiting = []
            Deferred.fromCoroutine(self._run()).addBoth(self._done)

    def wait(self) -> Deferred[Any]:
        """Begin, unless it is under way; fires when it is done."""
        outcome: Deferred[Any] = Deferred()
        if self._waiting is not None:
            self._waiting.append(outcome)
            return outcome
        self._waiting = [outcome]
        Deferred.fromCoroutine(self._run()).addBoth(self._done)
        return outcome

    async def _run(self) -> Any:
        return await self._call()

    def _done(self, result: Any) -> None:
        waiting, self._waiting = self._waiting or [], None
        for outcome in waiting:
            if isinstance(result, Failure):
                outcome.errback(result)
            else:
                outcome.callback(result)
