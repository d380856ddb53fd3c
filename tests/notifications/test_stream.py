"""The live tail."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from dregistry.notifications.outbox import LOOK
from dregistry.notifications.stream import HEARTBEAT, EventFeed, Follower

from .support import OutboxCase, tags


class StreamTests(OutboxCase):
    def setUp(self) -> None:
        super().setUp()

        async def statistics() -> list[dict[str, Any]]:
            return []

        self.feed = EventFeed(self.outbox, self.clock, statistics)

    def next(self, follower: Follower) -> Deferred[Any]:
        async def following() -> Any:
            return await follower.__anext__()

        return Deferred.fromCoroutine(following())

    def next_tags(self, follower: Follower) -> list[str]:
        return tags(self.successResultOf(self.next(follower)).events)

    def test_what_is_there(self) -> None:
        self.add(*"abc")
        self.assertEqual(self.next_tags(self.feed.follow(1)), ["b", "c"])

    def test_what_comes(self) -> None:
        self.add("a")
        follower = self.feed.follow(1)
        for name in "bc":
            page = self.next(follower)
            self.clock.advance(LOOK)
            self.assertNoResult(page)
            self.add(name)
            self.clock.advance(LOOK)
            self.assertEqual(tags(self.successResultOf(page).events), [name])

    def test_many(self) -> None:
        """By pages, so that one who reads slowly costs no memory."""
        self.add(*[str(number) for number in range(250)])
        follower = self.feed.follow(0)
        found = [self.next_tags(follower) for _ in range(3)]
        self.assertEqual([len(page) for page in found], [100, 100, 50])
        self.assertEqual([tag for page in found for tag in page], [str(number) for number in range(250)])

    def test_heartbeat(self) -> None:
        page = self.next(self.feed.follow(0))
        self.clock.pump([LOOK] * round(HEARTBEAT / LOOK - 1))
        self.assertNoResult(page)
        self.clock.pump([LOOK] * 2)
        self.assertIsNone(self.successResultOf(page))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_skipped(self) -> None:
        self.add(*"abcd")
        self.tables.positions.remove_through(2, {}, lambda: True)
        follower = self.feed.follow(0)
        page = self.successResultOf(self.next(follower))
        self.assertEqual((page.skipped, tags(page.events)), (2, ["c", "d"]))
        self.tables.positions.remove_through(4, {}, lambda: True)
        page = self.successResultOf(self.next(self.feed.follow(1)))
        self.assertEqual((page.skipped, page.events), (3, []))

    def test_ended(self) -> None:
        """At once, also while it waits; and nothing of it is left."""
        follower = self.feed.follow(0)
        page = self.next(follower)
        self.assertEqual(len(self.feed), 1)
        follower.end()
        self.failureResultOf(page, StopAsyncIteration)
        self.assertEqual((len(self.feed), self.clock.getDelayedCalls()), (0, []))
        self.failureResultOf(self.next(follower), StopAsyncIteration)
        follower.end()

    def test_stopped(self) -> None:
        """With all who follow, and those who come too late."""
        pages = [self.next(self.feed.follow(0)) for _ in range(3)]
        self.feed.stop()
        for page in [*pages, self.next(self.feed.follow(0))]:
            self.failureResultOf(page, StopAsyncIteration)
        self.assertEqual((len(self.feed), self.clock.getDelayedCalls()), (0, []))

    def test_looks(self) -> None:
        """While somebody waits, and for all at once."""
        looks: list[float] = []
        version = self.outbox.version

        async def counted() -> Any:
            looks.append(self.clock.seconds())
            return await version()

        self.patch(self.outbox, "version", counted)
        followers = [self.feed.follow(0) for _ in range(10)]
        for follower in followers:
            self.next(follower).addErrback(lambda _: None)
        del looks[:]
        self.clock.pump([LOOK] * 5)
        self.assertEqual(len(looks), 5)
        self.feed.stop()
        self.clock.pump([LOOK] * 5)
        self.assertEqual(len(looks), 5)

    def test_a_look_that_fails(self) -> None:
        """The next one is made all the same."""
        page = self.next(self.feed.follow(0))
        version = self.outbox.version

        async def failing() -> Any:
            raise OSError("disk")

        self.patch(self.outbox, "version", failing)
        self.clock.advance(LOOK)
        self.outbox.version = version  # type: ignore[method-assign]
        self.add("a")
        self.clock.advance(LOOK)
        self.assertEqual(tags(self.successResultOf(page).events), ["a"])
