"""What systemd hears of a service with ``Type=notify``."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time

from twisted.trial.unittest import SynchronousTestCase

from .server import RunningRegistry

PATIENCE = 20.0


class NotifyTests(SynchronousTestCase):
    """One process."""

    workers = 1
    status = "serves {}"

    def setUp(self) -> None:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = os.path.join(folder, "notify")
        self.systemd = self.enterContext(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.systemd.bind(path)
        self.systemd.settimeout(PATIENCE)
        self.registry = RunningRegistry({"http": {"workers": self.workers}}, environ={"NOTIFY_SOCKET": path})
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__, None, None, None)

    def heard(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.systemd.recv(4096).decode().splitlines())

    def assert_ready(self) -> None:
        status = self.status.format(self.registry.address)
        self.assertEqual(self.heard(), {"READY": "1", "MAINPID": str(self.registry.pid), "STATUS": status})

    def test_life(self) -> None:
        self.assert_ready()
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        os.kill(self.registry.pid, signal.SIGHUP)
        found = self.heard()
        self.assertEqual(found.pop("RELOADING"), "1")
        self.assertGreaterEqual(int(found.pop("MONOTONIC_USEC")), before)
        self.assertEqual(found, {})
        self.assert_ready()
        self.registry.stop()
        self.assertEqual(self.heard(), {"STOPPING": "1"})
        self.systemd.setblocking(False)
        self.assertRaises(BlockingIOError, self.heard)

    def test_faulty_configuration(self) -> None:
        self.assert_ready()
        with open(os.path.join(self.registry.folder, "config.yml"), "a", encoding="utf-8") as file:
            file.write("loglevel: loud\n")
        os.kill(self.registry.pid, signal.SIGHUP)
        self.assertIn("RELOADING", self.heard())
        found = self.heard()
        self.assertEqual(found["READY"], "1")
        self.assertIn("was not taken", found["STATUS"])


class WorkersNotifyTests(NotifyTests):
    """Several: it is ready when all of them are."""

    workers = 2
    status = "2 workers serve {}"
