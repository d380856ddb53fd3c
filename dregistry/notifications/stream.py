"""
The live tail: events as they come, to anybody who follows them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError

from .outbox import Outbox, Page

HEARTBEAT = 15.0
"""Seconds without an event after which a follower hears that there is none."""
_PAGE = 100


class EventFeed:
    """
    What the web serves of the outbox.

    :ivar statistics: of each endpoint, see :func:`.statistics.describe`.
    """

    def __init__(self, outbox: Outbox, clock: Any, statistics: Callable[[], Awaitable[list[dict[str, Any]]]]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._followers: set[Follower] = set()
        self.statistics = statistics
        self.stopped = False

    async def page(self, after: int | None, limit: int) -> Page:
        """See :meth:`Outbox.page`."""
        return await self._outbox.page(after, limit)

    def follow(self, after: int) -> Follower:
        """All events after that one, as they come. The caller ends it."""
        follower = Follower(self._outbox, self._clock, after, self._followers.discard)
        self._followers.add(follower)
        if self.stopped:
            follower.end()
        return follower

    def stop(self) -> None:
        """End all followers, and at once those who still come."""
        self.stopped = True
        for follower in list(self._followers):
            follower.end()

    def __len__(self) -> int:
        return len(self._followers)


class Follower:
    """Iterate over it for pages of events, and None for each HEARTBEAT seconds in which nothing came."""

    def __init__(self, outbox: Outbox, clock: Any, after: int, ended: Callable[[Follower], None]) -> None:
        self._outbox = outbox
        self._clock = clock
        self._after = after
        self._ended = ended
        self._over = False
        self._pause: Deferred[None] | None = None

    def __aiter__(self) -> Follower:
        return self

    async def __anext__(self) -> Page | None:
        deadline = self._clock.seconds() + HEARTBEAT
        while not self._over:
            version = await self._outbox.version()
            page = await self._outbox.page(self._after, _PAGE)
            if page.events or page.skipped:
                self._after = page.events[-1].id if page.events else self._after + page.skipped
                return page
            if self._clock.seconds() >= deadline:
                return None
            if not self._over:
                await self._wait(self._outbox.changed(version), deadline)
        raise StopAsyncIteration

    async def _wait(self, pause: Deferred[None], deadline: float) -> None:
        pause.addTimeout(max(0.0, deadline - self._clock.seconds()), self._clock)
        self._pause = pause
        try:
            await pause
        except (TimeoutError, CancelledError):
            return
        finally:
            self._pause = None

    def end(self) -> None:
        """No more pages, also for whoever waits for one."""
        self._over = True
        self._ended(self)
        if self._pause is not None:
            self._pause.cancel()
