"""``dregistry notifications``."""

from __future__ import annotations

import json
import os
import time

from dregistry.notifications.outbox import Tables, Wanted

from ..notifications.support import SECOND, a_record
from ..storage.support import temporary_directory
from .running import CommandCase, Ran

CONFIG = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {root}}}}}
notifications:
  endpoints:
    - {{name: ci, url: "http://u:hunter2@ci.example/?token=hunter3", headers: {{X-A: [hunter4]}}, secret: hunter5}}
    - {{sink: log, ignore: {{actions: [pull]}}}}
"""
HOUR = 3600 * SECOND


class NotificationsTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.root = temporary_directory(self)
        self.config = os.path.join(self.root, "config.yml")
        self.write(CONFIG.format(root=self.root))

    def write(self, text: str) -> None:
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def open(self) -> Tables:
        """With five events, an hour between each and the next one, of which the endpoint has four."""
        tables = Tables(os.path.join(self.root, "docker/registry/v2/_dregistry/notifications"))
        self.addCleanup(tables.database.close)
        tables.positions.register(["ci", "log"])
        now = time.time_ns()
        tables.events.append([a_record(f"v{back}", now - back * HOUR - HOUR // 2) for back in (4, 3, 2, 1, 0)])
        tables.positions.failed("ci", "503 Service Unavailable")
        tables.positions.failed("ci", None)
        for number in range(4):
            tables.positions.delivered("ci", number, number + 1, "200 OK")
        return tables

    def command(self, *words: str) -> Ran:
        return self.run_command("notifications", words[0], "--config", self.config, *words[1:])

    def test_status(self) -> None:
        self.open()
        ran = self.command("status")
        self.assertEqual((ran.status, ran.errors), (0, ""))
        self.assertEqual(
            ran.output,
            "ci: 4 delivered, 1 pending, 1 times refused, 1 times not reached, 0 given up "
            "(200 OK: 4, 503 Service Unavailable: 1)\n"
            "log: 0 delivered, 5 pending, 0 times refused, 0 times not reached, 0 given up\n",
        )

    def test_status_as_json(self) -> None:
        """As distribution's ``/debug/vars`` has it, but that it tells no secrets."""
        self.open()
        ran = self.command("status", "--json")
        self.assertNotIn("hunter", ran.output)
        [first, second] = json.loads(ran.output)["registry"]["notifications"]["endpoints"]
        self.assertEqual(
            first,
            {
                "name": "ci",
                "url": "http://u:********@ci.example/?token=********",
                "Headers": {"X-A": ["********"]},
                "Timeout": 1_000_000_000,
                "Threshold": 10,
                "Backoff": 1_000_000_000,
                "IgnoredMediaTypes": None,
                "Ignore": {"MediaTypes": None, "Actions": None},
                "Metrics": {
                    "Pending": 1,
                    "Events": 5,
                    "Successes": 4,
                    "Failures": 1,
                    "Errors": 1,
                    "Statuses": {"200 OK": 4, "503 Service Unavailable": 1},
                    "DeadLetters": 0,
                },
            },
        )
        self.assertEqual((second["name"], second["Ignore"]["Actions"]), ("log", ["pull"]))

    def test_replay(self) -> None:
        for since, expected in (("2h", 4), ("100h", 1), (self.ago(2), 4), ("0s", 5)):
            tables = self.open()
            last = tables.events.bounds()[1]
            first = last - 5 + expected
            ran = self.command("replay", "--endpoint", "ci", "--since", since)
            self.assertEqual((ran.status, ran.errors), (0, ""))
            self.assertIn(f"ci: events {first} to {last} will be delivered", ran.output)
            event = tables.positions.next("ci", Wanted()).event
            assert event is not None
            self.assertEqual(event.id, first)
            tables.positions.remove_through(last, {"ci": Wanted(), "log": Wanted()}, lambda: True)
            tables.database.close()
            os.remove(os.path.join(self.root, "docker/registry/v2/_dregistry/notifications/outbox.db"))

    def ago(self, hours: int) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - hours * 3600))

    def test_replay_of_what_is_gone(self) -> None:
        tables = self.open()
        tables.positions.remove_through(3, {"ci": Wanted()}, lambda: True)
        ran = self.command("replay", "--endpoint", "ci", "--since", "2020-01-01")
        self.assertEqual(ran.output, "ci: events 4 to 5 will be delivered; events before 4 are not kept any more\n")

    def test_refused(self) -> None:
        self.open()
        ran = self.command("replay", "--endpoint", "nobody", "--since", "1h")
        self.assertEqual((ran.status, ran.output), (1, ""))
        self.assertIn("no endpoint is named 'nobody'; there are: ci, log", ran.errors)
        for since in ("soon", "2020-13-01", ""):
            ran = self.command("replay", "--endpoint", "ci", "--since", since)
            self.assertEqual(ran.status, 2)
            self.assertIn("neither a time nor a duration", ran.errors)

    def test_no_outbox(self) -> None:
        """It makes none."""
        ran = self.command("status")
        self.assertEqual((ran.status, ran.output), (1, ""))
        self.assertIn("there is no outbox in", ran.errors)
        self.assertEqual(os.listdir(self.root), ["config.yml"])
        self.write("version: 0.1\nstorage: inmemory\nnotifications: {events: {record: true}}\n")
        self.assertIn("there is no outbox on the disk", self.command("status").errors)
        self.write("version: 0.1\nstorage: inmemory\n")
        self.assertIn("there is no outbox on the disk", self.command("status").errors)

    def test_no_file(self) -> None:
        ran = self.run_command("notifications", "status")
        self.assertEqual(ran.status, 2)
        self.assertIn("name a configuration file", ran.errors)
        ran = self.run_command("notifications", "status", "--config", "/nowhere")
        self.assertEqual(ran.status, 1)
        self.assertIn("cannot be read", ran.errors)
