"""Tests of :mod:`dregistry._notify`."""

from __future__ import annotations

import os
import socket

from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from dregistry._notify import ServiceNotices

from .storage.support import temporary_directory


class ServiceNoticesTests(SynchronousTestCase):
    def test_nobody(self) -> None:
        """Without the variable nothing is sent, and nothing is wrong."""
        notices = ServiceNotices({"A": "b"})
        notices.ready("x")
        notices.reloading()
        notices.stopping()

    def test_abstract_name(self) -> None:
        name = f"dregistry-test-{os.getpid()}"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
            systemd.bind(f"\0{name}")
            systemd.settimeout(5)
            environ = {"NOTIFY_SOCKET": f"@{name}", "A": "b"}
            ServiceNotices(environ).stopping()
            self.assertEqual(systemd.recv(100), b"STOPPING=1")
        self.assertEqual(environ, {"A": "b"})

    def test_gone(self) -> None:
        """It is said, and that is all."""
        events: list[dict[str, object]] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        path = os.path.join(temporary_directory(self), "none")
        ServiceNotices({"NOTIFY_SOCKET": path}).ready("x")
        [event] = events
        self.assertEqual(event["what"], "READY=1")
