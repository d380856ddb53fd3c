"""
The suite that every notification sink passes.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from ..notifications import INotificationSink, Notification, Refused
from ._suite import Suite, settled


def notification(number: int, **target: Any) -> Notification:
    """An event as sinks are given them."""
    members = {
        "mediaType": "application/octet-stream",
        "digest": f"sha256:{number:064x}",
        "size": 3,
        "length": 3,
        "repository": "some/repo",
        "url": f"https://r.example/v2/some/repo/blobs/sha256:{number:064x}",
        **target,
    }
    event = {
        "id": f"00000000-0000-7000-8000-{number:012x}",
        "timestamp": "2026-11-24T11:05:30.71Z",
        "action": "push",
        "target": members,
        "request": {"id": "an-id", "addr": "192.0.2.1:31337", "host": "r.example", "method": "PUT", "useragent": "a/1"},
        "actor": {"name": "alice"},
        "source": {"addr": "r.example:5000", "instanceID": "an-instance"},
    }
    return Notification(number, event)


class _SinkCase(Suite):
    """A mixin of trial's ``TestCase``: a sink for each test, closed at its end."""

    sink: INotificationSink

    def make_sink(self) -> Any:
        """A sink whose endpoint takes everything, or an awaitable of it."""
        raise NotImplementedError("a sink's test case defines make_sink()")

    def received(self) -> Any:
        """The ids of the events that the endpoint has got (``event["id"]``), in that order; or an awaitable of it."""
        raise NotImplementedError("a sink's test case defines received()")

    async def _set_up(self) -> None:
        self.sink = await settled(self.make_sink())
        self.addCleanup(lambda: Deferred.fromCoroutine(settled(self.sink.close())))

    async def assert_received(self, *numbers: int) -> None:
        """Exactly those, which :func:`notification` made."""
        found = list(await settled(self.received()))
        self.assertEqual(found, [notification(number).event["id"] for number in numbers])

    async def send(self, *numbers: int) -> None:
        for number in numbers:
            status = await self.sink.send(notification(number))
            self.assertIsInstance(status, str)
            self.assertTrue(status and len(status) < 100, status)


class NotificationSinkSuite(_SinkCase):
    """
    .. code-block:: python

        class QueueSinkTests(NotificationSinkSuite, twisted.trial.unittest.TestCase):
            def make_sink(self): ...
            def received(self): ...

    A sink whose endpoint can refuse passes :class:`RefusingSinkSuite` as well.
    """

    async def test_interface(self) -> None:
        verifyObject(INotificationSink, self.sink)

    async def test_in_order(self) -> None:
        await self.send(*range(20))
        await self.assert_received(*range(20))

    async def test_again(self) -> None:
        """An event may be delivered twice, and then has arrived twice."""
        await self.send(1, 1)
        await self.assert_received(1, 1)

    async def test_any_event(self) -> None:
        """Whatever is in it: none is refused for its contents."""
        reference = {"mediaType": "a/b", "digest": "sha256:" + "0" * 64, "size": 2**62}
        targets: list[dict[str, Any]] = [
            {"mediaType": "", "digest": "", "size": 0, "tag": "v1"},
            {"tag": "v1", "references": [reference] * 500},
            {"repository": "a" * 255, "url": "https://r.example/?<&>\u2028\x00\U0001f4e6"},
        ]
        for number, target in enumerate(targets):
            await self.sink.send(notification(number, **target))
        await self.assert_received(0, 1, 2)

    async def test_closed_twice(self) -> None:
        await self.send(1)
        await settled(self.sink.close())
        await settled(self.sink.close())
        await self.assert_received(1)


class RefusingSinkSuite(_SinkCase):
    """For sinks whose endpoints may fail; the class also has :class:`NotificationSinkSuite` among its bases."""

    def set_endpoint(self, how: str) -> Any:
        """
        Let the endpoint from now on ``refuse`` what comes, or be ``silent``, or ``accept`` everything again. May
        return an awaitable.
        """
        raise NotImplementedError("a sink's test case defines set_endpoint()")

    async def test_refused(self) -> None:
        """The sink does not try again by itself, and says what the answer was; then it can go on."""
        await self.send(1)
        await settled(self.set_endpoint("refuse"))
        for _ in range(3):
            with self.assertRaises(Refused) as caught:
                await self.sink.send(notification(2))
            self.assertTrue(caught.exception.status)
        await settled(self.set_endpoint("accept"))
        await self.send(2, 3)
        await self.assert_received(1, 2, 3)

    async def test_cancelled(self) -> None:
        """When the core's patience is at an end, nothing of that try is left, and the sink can go on."""
        await settled(self.set_endpoint("silent"))
        sent = Deferred.fromCoroutine(settled(self.sink.send(notification(1))))
        self.assertFalse(sent.called, "no endpoint answered, but the sink did")
        sent.cancel()
        with self.assertRaises(Exception) as caught:
            await sent
        self.assertNotIsInstance(caught.exception, Refused)
        await settled(self.set_endpoint("accept"))
        await self.send(2)
        found = list(await settled(self.received()))
        self.assertEqual(found[-1], notification(2).event["id"])
