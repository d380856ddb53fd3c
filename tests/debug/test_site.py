"""Tests of the debug server, over a plain Site without sockets."""

from __future__ import annotations

import json
from typing import Any

from treq.testing import StubTreq
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from dregistry import __version__
from dregistry.config import Debug, Prometheus
from dregistry.debug.overview import NOBODY, Overview
from dregistry.debug.site import DebugResource
from dregistry.metrics._memory import SharedMemory
from dregistry.metrics.families import HTTP_REQUESTS
from dregistry.metrics.recorder import Recorder
from dregistry.notifications.outbox import Tables


class _Outbox:
    """In this thread."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables
        self.broken = False

    def read(self, call: Any) -> Any:
        async def read() -> Any:
            if self.broken:
                await fail(ValueError("the disk is gone"))
            return call(self.tables)

        return read()


class DebugCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.memory = SharedMemory()
        self.recorder = Recorder(self.memory.sit_down())
        self.say()
        self.serve()

    def say(self, draining: bool = False, **checks: str | None) -> None:
        self.recorder.publish({"role": "worker", "draining": draining, "checks": checks})

    def serve(self, prometheus: Prometheus | None = None, outbox: Any = None, sinks: tuple[Any, ...] = ()) -> None:
        setup: Any = _Sinks(sinks)
        overview = Overview(setup, self.memory, outbox, ["twistd", "dregistry"], 1000.0)
        settings = Debug("localhost:1", prometheus or Prometheus(True, "/metrics"))
        self.treq = StubTreq(DebugResource(overview, settings))

    def ask(self, path: str, status: int, method: str = "GET", **headers: str) -> bytes:
        asked: Deferred[Any] = self.treq.request(method, f"http://d{path}", headers=headers)
        self.treq.flush()
        response = self.successResultOf(asked)
        self.assertEqual(response.code, status)
        self.type = (response.headers.getRawHeaders("content-type") or [""])[0]
        content = self.treq.content(response)
        self.treq.flush()
        found: bytes = self.successResultOf(content)
        return found


class _Sinks:
    def __init__(self, sinks: tuple[Any, ...]) -> None:
        self.sinks = sinks


class HealthTests(DebugCase):
    def test_well(self) -> None:
        """To the byte what distribution answers."""
        self.assertEqual(self.ask("/debug/health", 200), b"{}")
        self.assertEqual(self.type, "application/json; charset=utf-8")
        self.ask("/readyz", 200)

    def test_ill(self) -> None:
        self.say(storagedriver_filesystem=None, x="file exists")
        self.assertEqual(self.ask("/debug/health", 503), b'{"x":"file exists"}')
        self.ask("/readyz", 503)
        self.ask("/livez", 200)

    def test_draining(self) -> None:
        """What does not take requests is neither well nor ill."""
        self.say(draining=True, x="file exists")
        self.assertEqual(json.loads(self.ask("/debug/health", 503)), NOBODY)
        self.ask("/readyz", 503)
        self.ask("/livez", 200)

    def test_other_paths(self) -> None:
        for path in ("/", "/debug", "/debug/pprof/", "/debug/health/", "/v2/"):
            self.assertEqual(self.ask(path, 404), b"404 page not found\n")
        for method in ("POST", "PUT", "DELETE"):
            self.ask("/debug/health", 404, method)
        self.assertEqual(self.ask("/debug/health", 200, "HEAD"), b"")


class VariablesTests(DebugCase):
    def test_without_events(self) -> None:
        found = json.loads(self.ask("/debug/vars", 200))
        self.assertEqual(found["cmdline"], ["twistd", "dregistry"])
        self.assertEqual(found["registry"], {"notifications": {"endpoints": None}})
        self.assertEqual(found["dregistry"]["version"], __version__)
        [process] = found["dregistry"]["processes"]
        self.assertEqual((process["role"], process["draining"]), ("worker", False))

    def test_broken_outbox(self) -> None:
        """It is said, and nothing of it told."""
        outbox = _Outbox(Tables(None))
        outbox.broken = True
        self.serve(outbox=outbox)
        body = self.ask("/debug/vars", 500)
        self.assertNotIn(b"disk", body)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)


class MetricsTests(DebugCase):
    def test_path(self) -> None:
        self.recorder.counter(HTTP_REQUESTS, "base", "get", "200").add(3)
        for path in ("/metrics", "/else/where"):
            self.serve(Prometheus(True, path))
            text = self.ask(path, 200).decode()
            self.assertIn('\nregistry_http_requests_total{code="200",handler="base",method="get"} 3.0\n', text)
            self.assertIn(f'\ndregistry_build_info{{version="{__version__}"}} 1.0\n', text)
            self.assertIn("\nprocess_start_time_seconds 1000.0\n", text)
            self.assertTrue(self.type.startswith("text/plain; version="))

    def test_disabled(self) -> None:
        self.serve(Prometheus(False))
        self.ask("/metrics", 404)

    def test_checks(self) -> None:
        self.say(a=None, b="no")
        text = self.ask("/metrics", 200).decode()
        self.assertIn('\ndregistry_health_check_failing{check="a"} 0.0\n', text)
        self.assertIn('\ndregistry_health_check_failing{check="b"} 1.0\n', text)
        self.assertIn("\ndregistry_workers 1.0\n", text)
