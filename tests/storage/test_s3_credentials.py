"""Tests of :mod:`dregistry.storage.s3._credentials`."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from unittest import mock

from botocore.exceptions import CredentialRetrievalError
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from dregistry.storage import StorageUnavailable
from dregistry.storage.s3._credentials import AmbientCredentials, find_ambient
from dregistry.testing import InlineThreads

from .scripted_s3 import error, reply, scripted_driver


class Source:
    """As botocore's that are renewed."""

    def __init__(self) -> None:
        self.number = 0
        self.left = 3600.0
        self.failure: Exception | None = None

    def refresh_needed(self, refresh_in: float) -> bool:
        return self.left < refresh_in

    def get_frozen_credentials(self) -> Any:
        if self.failure is not None:
            raise self.failure
        if self.number == 0 or self.left < 15 * 60:
            self.number, self.left = self.number + 1, 3600.0
        return self.number


class SlowThreads:
    """Run when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[[], Any]]] = []

    def run(self, call: Callable[..., Any], *args: Any) -> Deferred[Any]:
        outcome: Deferred[Any] = Deferred()
        self.waiting.append((outcome, lambda: call(*args)))
        return outcome

    def go_on(self) -> None:
        outcome, call = self.waiting.pop(0)
        try:
            outcome.callback(call())
        except Exception:
            outcome.errback()


class AmbientTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.source, self.threads = Source(), SlowThreads()
        self.credentials = AmbientCredentials(self.threads, lambda: self.source)

    def get(self) -> Deferred[Any]:
        return Deferred.fromCoroutine(self.credentials.get())

    def test_found_once(self) -> None:
        waiting = [self.get() for _ in range(3)]
        self.threads.go_on()
        self.assertEqual([self.successResultOf(each) for each in waiting], [1, 1, 1])
        self.assertEqual(self.successResultOf(self.get()), 1)
        self.assertEqual(self.threads.waiting, [])

    def test_renewed_before_they_expire(self) -> None:
        """Nobody waits for that, as long as there is time."""
        self.get()
        self.threads.go_on()
        self.source.left = 600
        self.assertEqual([self.successResultOf(self.get()) for _ in range(3)], [1, 1, 1])
        self.threads.go_on()
        self.assertEqual(self.threads.waiting, [])
        self.assertEqual(self.successResultOf(self.get()), 2)

    def test_waited_for_when_they_expire(self) -> None:
        self.get()
        self.threads.go_on()
        self.source.left = 30
        waiting = self.get()
        self.assertNoResult(waiting)
        self.threads.go_on()
        self.assertEqual(self.successResultOf(waiting), 2)

    def test_renewal_that_fails(self) -> None:
        """It matters when they expire."""
        self.get()
        self.threads.go_on()
        self.source.left = 600
        self.source.failure = CredentialRetrievalError(provider="role", error_msg="no answer")
        self.successResultOf(self.get())
        self.threads.go_on()
        self.assertEqual(self.successResultOf(self.get()), 1)
        self.threads.go_on()
        self.source.left = 30
        waiting = self.get()
        self.threads.go_on()
        self.assertIn("no answer", self.failureResultOf(waiting, StorageUnavailable).value.reason)

    def test_none(self) -> None:
        credentials = AmbientCredentials(InlineThreads(), lambda: None)
        failure = self.failureResultOf(Deferred.fromCoroutine(credentials.get()), StorageUnavailable)
        self.assertIn("accesskey", failure.value.reason)

    def test_environment(self) -> None:
        """What botocore finds."""
        environ = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "hidden", "AWS_SESSION_TOKEN": "token"}
        with mock.patch.dict(os.environ, environ):
            credentials = AmbientCredentials(InlineThreads(), find_ambient)
            found = self.successResultOf(Deferred.fromCoroutine(credentials.get()))
        self.assertEqual((found.access_key, found.secret_key, found.token), ("mine", "hidden", "token"))


class ExpiredTests(TestCase):
    async def test_new_ones(self) -> None:
        """Those that the service does not take any more are looked for anew, once."""
        service, driver = scripted_driver(self, forcepathstyle=True)
        found = iter(["old", "new"])

        class Found:
            def __init__(self) -> None:
                self.access_key, self.secret_key, self.token = next(found), "secret", None

            def get_frozen_credentials(self) -> Any:
                return self

        object.__setattr__(driver._client, "credentials", AmbientCredentials(InlineThreads(), Found))
        service.start(error(400, "ExpiredToken"), reply(200, b"content"))
        self.assertEqual(await driver.get_content("/a"), b"content")
        used = [asked.headers["authorization"].partition("Credential=")[2][:3] for asked in service.asked]
        self.assertEqual(used, ["old", "new"])
