"""``/v2/_dregistry/events`` and ``/v2/_dregistry/notifications``: pages, and the stream."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from dregistry.auth import AccessControl, Policy
from dregistry.auth.policy import Rule
from dregistry.notifications.outbox import LOOK, Outbox, Tables
from dregistry.notifications.stream import HEARTBEAT, EventFeed
from dregistry.testing import InlineThreads
from dregistry.web import RegistrySite

from ..notifications.support import a_record
from .app import AppCase, Doorkeeper, guarded
from .channel import Transport

PATH = "/v2/_dregistry/events"


async def statistics() -> list[dict[str, Any]]:
    return [{"name": "x", "Metrics": {"Pending": 1}}]


class EventsCase(AppCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.tables = Tables(None)
        self.addCleanup(self.tables.database.close)
        self.feed = EventFeed(Outbox(self.tables, InlineThreads(), self.clock), self.clock, statistics)
        self.serve(events=self.feed)

    def add(self, *tags: str) -> None:
        self.tables.events.append([a_record(tag) for tag in tags])

    def remove(self, last: int) -> None:
        self.tables.positions.remove_through(last, {}, lambda: True)


class PageTests(EventsCase):
    def page(self, query: str = "") -> tuple[list[str], str, int]:
        found = self.ask("GET", PATH + query, 200)
        self.assertEqual(found.headers["content-type"], "application/json")
        document = found.json
        self.assertEqual(list(document), ["events", "cursor", "skipped"])
        tags = [event["target"]["tag"] for event in document["events"]]
        return tags, document["cursor"], document["skipped"]

    def test_pages(self) -> None:
        self.assertEqual(self.page(), ([], "0", 0))
        self.add(*"abcde")
        self.assertEqual(self.page(), (list("abcde"), "5", 0))
        self.assertEqual(self.page("?n=2"), (["a", "b"], "2", 0))
        self.assertEqual(self.page("?n=2&after=2"), (["c", "d"], "4", 0))
        self.assertEqual(self.page("?n=2&after=4"), (["e"], "5", 0))
        self.assertEqual(self.page("?after=5"), ([], "5", 0))

    def test_link(self) -> None:
        self.add(*"abc")
        found = self.ask("GET", PATH + "?n=2", 200)
        self.assertEqual(found.headers["link"], '</v2/_dregistry/events?after=2&n=2>; rel="next"')
        self.assertNotIn("link", self.ask("GET", PATH + "?n=2&after=2", 200).headers)

    def test_whole_events(self) -> None:
        self.add("v1")
        [event] = self.ask("GET", PATH, 200).json["events"]
        self.assertEqual(list(event)[:2], ["id", "timestamp"])
        kept = json.loads(a_record("v1").content)
        self.assertEqual({name: event[name] for name in kept}, kept)

    def test_most(self) -> None:
        self.add(*["x"] * 1200)
        self.assertEqual(self.page()[1], "100")
        self.assertEqual(self.page("?n=5000")[1], "1000")
        self.assertEqual(self.page("?n=0")[1], "1")

    def test_gone(self) -> None:
        """Who has missed something is told how much."""
        self.add(*"abcde")
        self.remove(3)
        self.assertEqual(self.page(), (["d", "e"], "5", 0))
        self.assertEqual(self.page("?after=1"), (["d", "e"], "5", 2))
        self.remove(5)
        self.assertEqual(self.page("?after=1"), ([], "5", 4))
        self.assertEqual(self.page(), ([], "5", 0))

    def test_faults(self) -> None:
        self.add("a")
        for query in ("?after=x", "?after=-1", "?after=", "?after=2", "?after=" + "9" * 30, "?after=%FF"):
            self.refuse("GET", PATH + query, 400, "UNSUPPORTED")
        self.refuse("GET", PATH + "?n=x", 400, "PAGINATION_NUMBER_INVALID")

    def test_head(self) -> None:
        self.add("a")
        self.assertEqual(self.ask("HEAD", PATH, 200).body, b"")
        self.assertEqual(self.ask("HEAD", PATH, 200, accept="text/event-stream").body, b"")

    def test_other_methods(self) -> None:
        self.refuse("POST", PATH, 405, "UNSUPPORTED")

    def test_statistics(self) -> None:
        found = self.ask("GET", "/v2/_dregistry/notifications", 200)
        self.assertEqual(
            found.json, {"registry": {"notifications": {"endpoints": [{"name": "x", "Metrics": {"Pending": 1}}]}}}
        )

    def test_no_events(self) -> None:
        self.serve()
        for path in (PATH, "/v2/_dregistry/notifications"):
            self.refuse("GET", path, 404, "UNSUPPORTED")

    def test_access(self) -> None:
        """A scope of its own: who may list the catalog, and pull everything, may not read events."""
        for path in (PATH, "/v2/_dregistry/notifications"):
            keeper = Doorkeeper()
            everything = Rule(("**",), users=frozenset({"alice"}), actions=frozenset({"*"}))
            self.serve(events=self.feed, access=AccessControl([keeper], Policy((everything,))))
            self.ask("GET", path, 200, authorization="alice")
            [[access]] = keeper.asked
            self.assertEqual((access.type, access.name, access.action), ("registry", "events", "*"))
            self.serve(events=self.feed, access=guarded(("**", "pull")))
            self.ask("GET", "/v2/_catalog", 200)
            self.refuse("GET", path, 401, "UNAUTHORIZED")
            self.refuse("GET", path, 403, "DENIED", authorization="alice")


class StreamTests(EventsCase):
    """Over the registry's own channel."""

    def setUp(self) -> None:
        super().setUp()
        self.site = RegistrySite(self.api, self.clock)

    def connect(self, headers: str = "", query: str = "") -> Transport:
        transport = Transport(peerAddress=IPv4Address("TCP", "192.0.2.1", 1))
        channel: Any = self.site.buildProtocol(None)
        channel.makeConnection(transport)
        transport.protocol = channel  # type: ignore[attr-defined]
        self.addCleanup(self.lose, transport)
        channel.dataReceived(
            f"GET {PATH}{query} HTTP/1.1\r\nHost: r\r\nAccept: text/event-stream\r\n{headers}\r\n".encode()
        )
        return transport

    def lose(self, transport: Any) -> None:
        channel, transport.protocol = transport.protocol, None
        if channel is not None:
            channel.connectionLost(Failure(ConnectionDone()))

    def read(self, transport: Transport) -> list[str]:
        """The messages that came since the last time; the head is checked."""
        data = transport.value().decode()
        transport.clear()
        if data.startswith("HTTP/1.1"):
            head, _, data = data.partition("\r\n\r\n")
            self.assertTrue(head.startswith("HTTP/1.1 200 OK"), head)
            self.assertIn("Content-Type: text/event-stream", head)
            self.assertIn("Cache-Control: no-cache", head)
        pieces = [piece for piece in data.split("\r\n") if "\n" in piece]  # of the chunked coding
        return [message for message in "".join(pieces).split("\n\n") if message]

    def tags(self, transport: Transport) -> list[tuple[int, str]]:
        found = []
        for message in self.read(transport):
            if message.startswith("id: "):
                number, data = message.removeprefix("id: ").split("\ndata: ")
                found.append((int(number), json.loads(data)["target"]["tag"]))
        return found

    def test_from_now_on(self) -> None:
        self.add("a")
        client = self.connect()
        self.assertEqual(self.read(client), ["retry: 2000"])
        self.add("b", "c")
        self.clock.advance(LOOK)
        self.assertEqual(self.tags(client), [(2, "b"), (3, "c")])

    def test_taken_up(self) -> None:
        """The header wins: a browser sends it along with the URL of the first time."""
        self.add(*"abcd")
        self.assertEqual(self.tags(self.connect(query="?after=2")), [(3, "c"), (4, "d")])
        self.assertEqual(self.tags(self.connect("Last-Event-ID: 3\r\n", "?after=1")), [(4, "d")])

    def test_skipped(self) -> None:
        self.add(*"abcd")
        self.remove(2)
        found = self.read(self.connect("Last-Event-ID: 1\r\n"))
        self.assertEqual(found[1], 'event: skipped\ndata: {"skipped":1}')
        self.assertTrue(found[2].startswith("id: 3\n"))

    def test_faults(self) -> None:
        for header in ("Last-Event-ID: x\r\n", "Last-Event-ID: 1\r\n"):
            self.assertIn(b" 400 Bad Request\r\n", self.connect(header).value())

    def test_heartbeat(self) -> None:
        client = self.connect()
        self.read(client)
        self.clock.pump([LOOK] * (round(HEARTBEAT / LOOK) + 1))
        self.assertEqual(self.read(client), [": nothing new"])
        self.clock.pump([1.0] * 120)
        self.assertTrue(client.connected, "a stream is not idle")

    def test_gone(self) -> None:
        """Nothing is left of a client that goes away while there is nothing to send."""
        client = self.connect()
        self.assertEqual((len(self.feed), self.api.in_flight.count), (1, 1))
        self.lose(client)
        self.assertEqual((len(self.feed), self.api.in_flight.count), (0, 0))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_gone_at_once(self) -> None:
        """Before the stream has begun."""
        page = self.feed.page
        looking: Deferred[None] = Deferred()

        async def later(after: Any, limit: int) -> Any:
            await looking
            return await page(after, limit)

        self.patch(self.feed, "page", later)
        self.lose(self.connect())
        looking.callback(None)
        self.assertEqual((len(self.feed), self.api.in_flight.count), (0, 0))

    def test_slow(self) -> None:
        """Who does not read is not written to, however much happens."""
        client = self.connect()
        self.read(client)
        channel: Any = client.protocol  # type: ignore[attr-defined]
        channel.pauseProducing()
        for _ in range(50):
            self.add(*["x"] * 100)
            self.clock.advance(LOOK)
        written = len(client.value())
        self.assertLess(written, 200 * len(a_record("x").content))
        channel.resumeProducing()
        self.clock.pump([LOOK] * 5)
        self.assertEqual([number for number, _ in self.tags(client)], list(range(1, 5001)))

    def test_slow_and_gone(self) -> None:
        client = self.connect()
        client.protocol.pauseProducing()  # type: ignore[attr-defined]
        self.add(*["x"] * 500)
        self.clock.advance(LOOK)
        self.lose(client)
        self.assertEqual((len(self.feed), self.api.in_flight.count), (0, 0))

    def test_drained(self) -> None:
        """Streams end when the registry does, whatever time others get."""
        clients = [self.connect() for _ in range(3)]
        for client in clients:
            self.read(client)
        drained = Deferred.fromCoroutine(self.site.drain(60.0))
        self.feed.stop()
        for client in clients:
            self.assertTrue(client.value().endswith(b"0\r\n\r\n"))
            self.assertTrue(client.disconnecting)
            self.lose(client)
        self.clock.pump([0.1] * 3)
        self.successResultOf(drained)
