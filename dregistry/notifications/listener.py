"""
From what the domain tells to the outbox.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from zope.interface import implementer

from ..registry.listener import PULL, IRegistryListener, RegistryEvent
from ._writer import DONE
from .event import Recorder, Source
from .outbox import Outbox, Wanted


@implementer(IRegistryListener)
class OutboxListener:
    """
    Writes events that somebody wants into the outbox: pulls a moment later, all others before it returns.

    :param wanted: what those want who are to have events.
    :param now: nanoseconds since the epoch.
    """

    def __init__(
        self, outbox: Outbox, wanted: Sequence[Wanted], source: Source, now: Callable[[], int] = time.time_ns
    ) -> None:
        self._outbox = outbox
        self._wanted = wanted
        self._everything = Wanted() in wanted
        self._recorder = Recorder(source)
        self._now = now

    def notify(self, event: RegistryEvent) -> Awaitable[None]:
        what = event.action, event.media_type, event.kind
        if not self._everything and not any(wanted(*what) for wanted in self._wanted):
            return DONE
        found = self._recorder.record(event, self._now())
        return self._outbox.add_soon(found) if event.action == PULL else self._outbox.add(found)
