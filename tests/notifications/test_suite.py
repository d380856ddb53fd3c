"""Tests of :class:`dregistry.testing.NotificationSinkSuite`: what does not keep to the contract does not pass it."""

from __future__ import annotations

import unittest
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from dregistry.notifications import INotificationSink, Notification, Refused
from dregistry.testing import NotificationSinkSuite, RefusingSinkSuite


@implementer(INotificationSink)
class Good:
    """Its endpoint is a list."""

    def __init__(self) -> None:
        self.got: list[str] = []
        self.how = "accept"

    async def send(self, notification: Notification) -> str:
        if self.how == "silent":
            await Deferred()
        if self.how == "refuse":
            raise Refused("full")
        self.take(notification.event["id"])
        return "OK"

    def take(self, event: str) -> None:
        self.got.append(event)

    async def close(self) -> None: ...


class Unordered(Good):
    def take(self, event: str) -> None:
        self.got.insert(0, event)


class Once(Good):
    """It leaves out what it has sent before."""

    def take(self, event: str) -> None:
        if event not in self.got:
            self.got.append(event)


class Mute(Good):
    async def send(self, notification: Notification) -> Any:
        await super().send(notification)


class Swallowing(Good):
    async def send(self, notification: Notification) -> str:
        try:
            return await super().send(notification)
        except Refused:
            return "well"


class Deaf(Good):
    """It does not wait for the answer."""

    async def send(self, notification: Notification) -> str:
        return "sent" if self.how == "silent" else await super().send(notification)


class Incomplete(Good):
    close: Any = None


def failures(sink: Any, base: type = TestCase) -> set[str]:
    """The names of the tests that do not pass."""

    class Case(NotificationSinkSuite, RefusingSinkSuite, base):  # type: ignore[misc]
        def make_sink(self) -> Any:
            self.made = sink()
            return self.made

        def received(self) -> list[str]:
            return self.made.got

        def set_endpoint(self, how: str) -> None:
            self.made.how = how

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert result.testsRun == 7
    return {case.id().rpartition(".")[2] for case, _ in result.failures + result.errors}


class SuiteTests(SynchronousTestCase):
    def test_a_good_sink_passes(self) -> None:
        self.assertEqual(failures(Good), set())

    def test_bad_sinks_do_not(self) -> None:
        for sink, expected in (
            (Unordered, "test_in_order"),
            (Once, "test_again"),
            (Mute, "test_in_order"),
            (Swallowing, "test_refused"),
            (Deaf, "test_cancelled"),
            (Incomplete, "test_interface"),
        ):
            self.assertIn(expected, failures(sink))

    def test_bases_that_do_not_wait(self) -> None:
        """Nothing passes unseen."""
        for base in (SynchronousTestCase, unittest.TestCase):
            self.assertIn("test_interface", failures(Incomplete, base))
