"""From the domain to the outbox."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from dregistry.manifest import OCTET_STREAM
from dregistry.notifications._writer import PAUSE
from dregistry.notifications.listener import OutboxListener
from dregistry.notifications.outbox import Wanted
from dregistry.registry import IRegistryListener
from dregistry.registry.listener import BLOB, MANIFEST, TAG

from .support import ANY, SOURCE, OutboxCase, an_event


class ListenerTests(OutboxCase):
    def listener(self, *wanted: Wanted) -> OutboxListener:
        return OutboxListener(self.outbox, wanted, SOURCE, lambda: 1)

    def notify(self, listener: OutboxListener, action: str, **members: Any) -> None:
        async def notify() -> None:
            await listener.notify(an_event(action, **members))

        self.successResultOf(Deferred.fromCoroutine(notify()))

    def actions(self) -> list[str]:
        found = self.tables.events.page(0, 100, 10**6)
        return [json.loads(event.content)["action"] for event in found]

    def test_interface(self) -> None:
        verifyObject(IRegistryListener, self.listener())

    def test_before_the_answer(self) -> None:
        for action in ("push", "mount", "delete"):
            self.notify(self.listener(ANY), action)
        self.assertEqual(self.actions(), ["push", "mount", "delete"])

    def test_pulls_later(self) -> None:
        self.notify(self.listener(ANY), "pull")
        self.assertEqual(self.actions(), [])
        self.clock.advance(PAUSE)
        self.assertEqual(self.actions(), ["pull"])

    def test_unwanted(self) -> None:
        """What none of the endpoints is to have is not written."""
        listener = self.listener(
            Wanted(actions=frozenset({"pull", "delete"})), Wanted(frozenset({OCTET_STREAM}), frozenset({"pull"}))
        )
        self.notify(listener, "push", media_type=OCTET_STREAM)
        self.notify(listener, "pull")
        self.notify(listener, "delete")
        self.clock.advance(PAUSE)
        self.assertEqual(self.actions(), ["push", "delete"])

    def test_unwanted_targets(self) -> None:
        """Deletions have no media type; what was deleted is known all the same."""
        listener = self.listener(Wanted(kinds=frozenset({BLOB, TAG})))
        for kind in (BLOB, MANIFEST, TAG):
            self.notify(listener, "delete", media_type="", kind=kind)
        self.notify(listener, "push", kind=BLOB)
        self.assertEqual(self.actions(), ["delete"])

    def test_nobody(self) -> None:
        self.notify(self.listener(), "push")
        self.assertEqual(self.actions(), [])
