"""
What notifications are for: nothing is lost, in order, whatever fails; and an outbox that is full costs no memory.
"""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import threading
import time
from typing import Any

from dregistry.notifications.outbox import Tables

from ..notifications.support import SECOND, a_record
from .client import OCI_MANIFEST, Client
from .server import free_port
from .test_delivery import DeliveryCase
from .test_memory import MIB
from .test_notifications import MANIFEST, push

PUSHES = 500
CLIENTS = 4
LISTENER = """
import sys
from tests.integration.listener import misbehave
misbehave(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
"""
PENDING = 100_000
BOUND = 32 * MIB


class Restarting(threading.Thread):
    """A listener's process that is started again whenever it ends, and that is killed now and then."""

    def __init__(self, port: int, log: str) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.log = log
        self._over = threading.Event()

    def run(self) -> None:
        seed = 0
        while not self._over.is_set():
            command = [sys.executable, "-c", LISTENER, str(self.port), self.log, str(seed)]
            environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            process = subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 1.5
            while process.poll() is None and time.monotonic() < deadline and not self._over.is_set():
                time.sleep(0.01)
            process.kill()
            process.wait()
            seed += 1

    def stop(self) -> None:
        self._over.set()
        self.join()

    def taken(self) -> list[tuple[str, str]]:
        """Ids and tags of the events that it took, in that order."""
        try:
            with open(self.log, encoding="ascii") as file:
                return [(number, tag) for number, _, tag in (line.rstrip("\n").partition(" ") for line in file)]
        except FileNotFoundError:
            return []


class Pusher(threading.Thread):
    """Pushes tags one after the other, each until it is answered 201."""

    def __init__(self, port: int, tags: list[str]) -> None:
        super().__init__(daemon=True)
        self._port = port
        self._waiting = tags
        self.pushed: list[str] = []

    def run(self) -> None:
        while self._waiting:
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
            try:
                while self._waiting:
                    path = f"/v2/a/manifests/{self._waiting[0]}"
                    connection.request("PUT", path, MANIFEST, {"Content-Type": OCI_MANIFEST})
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 201:
                        self.pushed.append(self._waiting.pop(0))
            except (OSError, http.client.HTTPException):
                time.sleep(0.05)
            finally:
                connection.close()


class ChaosTests(DeliveryCase):
    def test_nothing_is_lost(self) -> None:
        port = free_port()
        registry = self.serve(
            {
                "name": "x",
                "url": f"http://127.0.0.1:{port}/",
                "timeout": "200ms",
                "threshold": 2,
                "backoff": "20ms",
                "backoffmax": "100ms",
                "ignore": {"mediatypes": ["application/octet-stream"]},
            },
            http={"workers": 2},
        )
        listener = Restarting(port, os.path.join(registry.folder, "taken"))
        listener.start()
        self.addCleanup(listener.stop)
        push(Client(registry.address), "a", "first")
        tags = [[f"c{client}-{number}" for number in range(PUSHES // CLIENTS)] for client in range(CLIENTS)]
        pushers = [Pusher(registry.port, list(each)) for each in tags]
        for pusher in pushers:
            pusher.start()
        self.until(lambda: sum(len(pusher.pushed) for pusher in pushers) > PUSHES // 2, "half is pushed")
        registry.kill()
        registry.start()
        for pusher in pushers:
            pusher.join(60)
        self.assertEqual([pusher.pushed for pusher in pushers], tags)
        self.until_delivered(registry)
        listener.stop()
        self.check(registry, listener, tags)

    def until_delivered(self, registry: Any) -> None:
        deadline = time.monotonic() + 60
        while self.metrics(registry)["Pending"]:
            self.assertLess(time.monotonic(), deadline, self.metrics(registry))
            time.sleep(0.1)

    def check(self, registry: Any, listener: Restarting, tags: list[list[str]]) -> None:
        taken = listener.taken()
        once = [event for number, event in enumerate(taken) if number == 0 or taken[number - 1] != event]
        self.assertEqual(len(once), len(set(once)), "only the event under way came more than once")
        self.assertEqual(once, self.recorded(registry), "all, in the order of the registry")
        for client, expected in enumerate(tags):
            of_client = [tag for _, tag in once if tag.startswith(f"c{client}-")]
            self.assertEqual(list(dict.fromkeys(of_client)), expected, "and in the order of each client")
        metrics = self.metrics(registry)
        self.assertLessEqual(len(taken) - len(once), metrics["Errors"] + 1)
        self.assertEqual((metrics["DeadLetters"], metrics["Successes"]), (0, len(once)))
        self.assertGreater(metrics["Failures"] + metrics["Errors"], 10, "it was no easy listener")

    def recorded(self, registry: Any) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        cursor = "0"
        while True:
            page = Client(registry.address).get("/v2/_dregistry/events", query={"after": cursor, "n": 1000}).json()
            if not page["events"]:
                return found
            found += [(event["id"], event["target"]["tag"]) for event in page["events"] if "tag" in event["target"]]
            cursor = page["cursor"]


class PendingTests(DeliveryCase):
    def test_memory(self) -> None:
        """A hundred thousand events wait for an endpoint that is down: they do so on the disk."""
        registry = self.serve(
            {"name": "down", "url": "http://127.0.0.1:1/", "backoffmax": "100ms", "threshold": 1}, http={"workers": 2}
        )
        push(Client(registry.address), "a", "first")
        self.until(lambda: self.metrics(registry)["Errors"] > 1, "it tries")
        before = registry.resident()
        folder = os.path.join(registry.data, "docker/registry/v2/_dregistry/notifications")
        tables = Tables(folder)
        for _ in range(PENDING // 1000):
            tables.events.append([a_record("v1", int(time.time()) * SECOND) for _ in range(1000)])
        errors = self.metrics(registry)["Errors"]
        self.until(lambda: self.metrics(registry)["Errors"] > errors + 5, "it goes on trying")
        self.put(registry, "b")
        metrics = self.metrics(registry)
        self.assertEqual(metrics["Pending"], PENDING + 4)
        self.assertLess(registry.resident() - before, BOUND, f"{(registry.resident() - before) / MIB:.0f} MiB")
        self.assertLess(os.path.getsize(os.path.join(folder, "outbox.db")), 1000 * PENDING)
        tables.database.close()
