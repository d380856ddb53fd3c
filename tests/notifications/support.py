"""What the tests of notifications share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from dregistry.digest import Digest
from dregistry.manifest import OCI_MANIFEST
from dregistry.notifications import INotificationSink, Notification, Refused
from dregistry.notifications.event import Record, Recorder, Source
from dregistry.notifications.outbox import Outbox, Tables, Wanted
from dregistry.registry import Origin, RegistryEvent
from dregistry.registry.listener import MANIFEST
from dregistry.testing import InlineThreads

SOURCE = Source("registry.example:5000", "an-instance")
ORIGIN = Origin("a-request", "alice", "192.0.2.1:31337", "r.example", "PUT", "agent/1", "https://r.example")
DIGEST = Digest.of(b"abc")
ANY = Wanted()
SECOND = 10**9


def an_event(action: str = "push", **members: Any) -> RegistryEvent:
    return RegistryEvent(
        **{
            "action": action,
            "repository": "some/repo",
            "origin": ORIGIN,
            "media_type": OCI_MANIFEST,
            "digest": DIGEST,
            "size": 3,
            **members,
        }
    )


def a_record(
    tag: str = "", time: int = SECOND, action: str = "push", media_type: str = OCI_MANIFEST, kind: str = MANIFEST
) -> Record:
    return Recorder(SOURCE).record(an_event(action, tag=tag, media_type=media_type, kind=kind), time)


def tags(events: Any) -> list[str]:
    """Of the events of a page, or of notifications."""
    return [json.loads(event.content)["target"]["tag"] for event in events]


class OutboxCase(SynchronousTestCase):
    """An outbox in memory, whose every call ends before it returns."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.tables = Tables(None)
        self.addCleanup(self.tables.database.close)
        self.outbox = Outbox(self.tables, InlineThreads(), self.clock)

    def do(self, work: Awaitable[Any]) -> Any:
        async def wait() -> Any:
            return await work

        return self.successResultOf(Deferred.fromCoroutine(wait()))

    def add(self, *names: str, action: str = "push", media_type: str = OCI_MANIFEST) -> None:
        now = int(self.clock.seconds() * SECOND)
        for name in names:
            self.do(self.outbox.add(a_record(name, now, action, media_type)))


@implementer(INotificationSink)
class ScriptedSink:
    """
    Notes the tags of what it is sent.

    :ivar answer: called for each; raises, or returns the status or a Deferred of it.
    """

    def __init__(self, answer: Callable[[str], Any] = lambda tag: "200 OK") -> None:
        self.answer = answer
        self.tried: list[str] = []
        self.taken: list[str] = []
        self.closed = False

    async def send(self, notification: Notification) -> str:
        tag = notification.event["target"].get("tag", "")
        self.tried.append(tag)
        status = self.answer(tag)
        if isinstance(status, Deferred):
            status = await status
        self.taken.append(tag)
        return status

    async def close(self) -> None:
        self.closed = True


def refuse(tag: str) -> str:
    raise Refused("503 Service Unavailable")


def break_off(tag: str) -> str:
    raise ConnectionError("gone")
