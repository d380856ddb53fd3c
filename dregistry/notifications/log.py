"""
The log sink: a line in the registry's own log for each event.
"""

from __future__ import annotations

from twisted.logger import Logger
from zope.interface import implementer

from ._interfaces import INotificationSink, Notification
from .event import to_json

_log = Logger("events")


@implementer(INotificationSink)
class LogSink:
    def __init__(self, name: str) -> None:
        self._name = name

    async def send(self, notification: Notification) -> str:
        _log.info("{endpoint}: {event}", endpoint=self._name, event=to_json(notification.event))
        return "logged"

    async def close(self) -> None:
        """It holds nothing."""
