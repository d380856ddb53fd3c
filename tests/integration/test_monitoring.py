"""Health, metrics and probes, as Prometheus, Kubernetes and operators see them; beside registry:2 where it has them."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from attrs import frozen
from prometheus_client.parser import text_string_to_metric_families
from twisted.trial.unittest import SynchronousTestCase

from .client import DOCKER_MANIFEST, OCI_MANIFEST, Client
from .docker_registry import DockerRegistry
from .raw import Peer, closing, sha256
from .server import RunningRegistry, free_port
from .test_workers import children

PATIENCE = 20.0
UNHEALTHY = {
    "errors": [
        {
            "code": "UNAVAILABLE",
            "message": "service unavailable",
            "detail": "health check failed: please see /debug/health",
        }
    ]
}
Labels = frozenset[tuple[str, str]]


@frozen
class Scrape:
    """
    :ivar types: of families.
    :ivar samples: values by name and labels.
    """

    types: dict[str, str]
    samples: dict[tuple[str, Labels], float]

    @classmethod
    def parse(cls, text: str) -> Scrape:
        families = list(text_string_to_metric_families(text))
        return cls(
            {family.name: family.type for family in families},
            {
                (sample.name, frozenset(sample.labels.items())): sample.value
                for family in families
                for sample in family.samples
            },
        )

    def labels(self, name: str) -> set[Labels]:
        return {labels for found, labels in self.samples if found == name}

    def names(self, prefix: str) -> set[str]:
        return {name for name, _ in self.samples if name.startswith(prefix)}

    def sum(self, name: str, **labels: str) -> float:
        return sum(
            value for (found, has), value in self.samples.items() if found == name and has.issuperset(labels.items())
        )

    def growing(self) -> dict[tuple[str, Labels], float]:
        """What must never get less."""
        ends = ("_total", "_bucket", "_count", "_sum")
        return {
            key: value
            for key, value in self.samples.items()
            if key[0].endswith(ends) and key[0] != "registry_notifications_pending_total"
        }


class Debugged:
    """
    A registry with a debug server.

    :param registry: made with :func:`debugging`.
    """

    def __init__(self, registry: RunningRegistry, port: int) -> None:
        self.registry = registry
        self.port = port

    def ask(self, path: str, port: int | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self, path: str, port: int | None = None) -> int:
        return self.ask(path, port)[0]

    def scrape(self) -> Scrape:
        status, body = self.ask("/metrics")
        assert status == 200, body
        return Scrape.parse(body.decode())


class MonitoringCase(SynchronousTestCase):
    def run_with(
        self, kind: Any = RunningRegistry, workers: int | None = None, prometheus: bool = True, **sections: Any
    ) -> Debugged:
        port = free_port()
        debug = {"addr": f"127.0.0.1:{port}", "prometheus": {"enabled": prometheus}}
        http_section: dict[str, Any] = {"debug": debug, **sections.pop("http", {})}
        if workers is not None:
            http_section["workers"] = workers
        registry = kind(data=None, settings={"http": http_section, **sections})
        registry.__enter__()
        self.addCleanup(registry.__exit__, None, None, None)
        found = Debugged(registry, port)
        self.until(found, lambda: self.answers(found))
        if workers is not None:
            self.until(found, lambda: found.scrape().sum("dregistry_workers") == workers)
        return found

    @staticmethod
    def answers(debugged: Debugged) -> bool:
        try:
            return debugged.status("/debug/health") in (200, 503)
        except OSError:
            return False

    def until(self, debugged: Debugged, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            self.assertLess(time.monotonic(), deadline, debugged.registry.read_log())
            time.sleep(0.02)


def use(address: str) -> None:
    """The same for each registry."""
    client = Client(address)
    digest = client.push_manifest("a/b", client.image("a/b"), "v1")["digest"]
    client.get("/v2/")
    client.head("/v2/")
    client.get("/v2/_catalog")
    client.get("/v2/a/b/tags/list")
    client.get("/v2/none/tags/list")
    for accept in (OCI_MANIFEST, DOCKER_MANIFEST):
        client.get("/v2/a/b/manifests/v1", {"Accept": f"{accept}, {OCI_MANIFEST}"})
        client.head(f"/v2/a/b/manifests/{digest}", {"Accept": f"{accept}, {OCI_MANIFEST}"})
    blob = client.push_blob("a/b", b"some content")
    client.get(f"/v2/a/b/blobs/{blob}")
    client.head(f"/v2/a/b/blobs/{blob}")
    client.get("/v2/a/b/blobs/sha256:" + "0" * 64)
    client.delete(f"/v2/a/b/manifests/{digest}")
    client.delete(f"/v2/a/b/blobs/{blob}")


class BesideDistributionTests(MonitoringCase):
    """What registry:2 shows is here, by the same names, with the same labels, of the same kind."""

    _scrapes: ClassVar[tuple[Scrape, Scrape] | None] = None

    def setUp(self) -> None:
        if self._scrapes is None:
            cache = {"storage": {"cache": {"blobdescriptor": "inmemory"}}}
            theirs = self.run_with(DockerRegistry, **cache)
            ours = self.run_with(workers=2, **cache)
            for each in (theirs, ours):
                use(each.registry.address)
                self.until(each, lambda: not each.scrape().sum("registry_http_in_flight_requests"))  # noqa: B023
            type(self)._scrapes = theirs.scrape(), ours.scrape()
        assert self._scrapes is not None
        self.theirs, self.ours = self._scrapes

    def test_names(self) -> None:
        self.assertEqual(self.theirs.names("registry_") - self.ours.names("registry_"), set())
        self.assertGreater(len(self.theirs.names("registry_")), 10)
        for name, kind in self.theirs.types.items():
            if name.startswith("registry_"):
                self.assertEqual(self.ours.types[name], kind, name)

    def test_labels(self) -> None:
        for name in self.theirs.names("registry_"):
            keys = [
                {tuple(sorted(key for key, _ in labels)) for labels in scrape.labels(name)}
                for scrape in (self.ours, self.theirs)
            ]
            self.assertEqual(*keys, name)

    def test_requests(self) -> None:
        """The same requests are counted in the same way."""
        name = "registry_http_requests_total"
        for labels in self.theirs.labels(name):
            self.assertEqual(self.ours.samples.get((name, labels)), self.theirs.samples[name, labels], sorted(labels))
        self.assertEqual(self.ours.labels(name), self.theirs.labels(name))

    def test_buckets(self) -> None:
        for name in self.theirs.names("registry_"):
            if name.endswith("_bucket"):
                bounds = [
                    {float(dict(labels)["le"]) for labels in scrape.labels(name)} for scrape in (self.ours, self.theirs)
                ]
                self.assertEqual(*bounds, name)

    def test_actions(self) -> None:
        """registry:3 has the last one by another name, and so it is here."""
        name = "registry_storage_action_seconds_count"
        ours, theirs = (
            {dict(labels)["action"] for labels in scrape.labels(name)} for scrape in (self.ours, self.theirs)
        )
        self.assertEqual(ours, theirs - {"URLFor"} | {"RedirectURL"})
        for action in ("GetContent", "PutContent", "Stat", "Delete"):
            self.assertGreater(self.ours.sum(name, driver="filesystem", action=action), 0, action)

    def test_cache(self) -> None:
        name = "registry_storage_cache_total"
        self.assertEqual(self.ours.labels(name), self.theirs.labels(name))
        self.assertEqual(self.ours.sum(name, type="Request"), self.ours.sum("registry_storage_cache_requests_total"))

    def test_processes(self) -> None:
        for name in (
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_start_time_seconds",
        ):
            self.assertGreater(self.theirs.sum(name), 0, name)
            self.assertGreater(self.ours.sum(name), 0, name)


class WorkersTests(MonitoringCase):
    """Over all of them, also when they end."""

    def workers(self, debugged: Debugged) -> set[int]:
        processes = json.loads(debugged.ask("/debug/vars")[1])["dregistry"]["processes"]
        return {each["pid"] for each in processes if each.get("role") == "worker"}

    def assert_grows(self, before: Scrape, after: Scrape) -> None:
        for key, value in before.growing().items():
            self.assertGreaterEqual(after.samples.get(key, -1.0), value, key)

    def test_sum(self) -> None:
        debugged = self.run_with(workers=2)
        name = "registry_http_requests_total"
        before = debugged.scrape().sum(name)
        for _ in range(40):
            self.assertEqual(debugged.status("/v2/", debugged.registry.port), 200)
        self.until(debugged, lambda: debugged.scrape().sum(name) - before >= 40)  # counted when it has been sent
        self.assertEqual(debugged.scrape().sum(name) - before, 40)

    def test_killed(self) -> None:
        """Counters go on, what it had under way is forgotten, and that it ended is told."""
        debugged = self.run_with(workers=2)
        use(debugged.registry.address)
        peers = [Peer(debugged.registry.port) for _ in range(16)]
        for peer in peers:
            self.addCleanup(peer.socket.close)
            peer.send(f"PATCH {peer.start('a')} HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc".encode())
        in_flight = "registry_http_in_flight_requests"
        self.until(debugged, lambda: debugged.scrape().sum(in_flight, handler="blob_upload_chunk") == 16)
        self.assertEqual(debugged.scrape().sum("dregistry_uploads_in_progress"), 16)
        for expected in (1, 2):
            before, workers = debugged.scrape(), self.workers(debugged)
            victim = min(workers)
            os.kill(victim, signal.SIGKILL)
            self.until(debugged, lambda gone={victim}: len(self.workers(debugged) - gone) == 2)
            after = debugged.scrape()
            self.assert_grows(before, after)
            self.assertLess(after.sum(in_flight), before.sum(in_flight))
            self.assertEqual(after.sum("dregistry_worker_exits_total"), expected)
            for _ in range(20):
                debugged.status("/v2/", debugged.registry.port)
            name, base = "registry_http_requests_total", {"handler": "base", "code": "200"}
            wanted = before.sum(name, **base) + 20
            self.until(debugged, lambda: debugged.scrape().sum(name, **base) >= wanted)  # noqa: B023
            self.assertEqual(debugged.scrape().sum(name, **base), wanted)

    def test_monitor_killed(self) -> None:
        """It knows nothing that the others do not."""
        debugged = self.run_with(workers=2)
        use(debugged.registry.address)
        before, workers = debugged.scrape(), self.workers(debugged)
        [monitor] = children(debugged.registry.pid) - workers
        os.kill(monitor, signal.SIGKILL)
        self.until(debugged, lambda: children(debugged.registry.pid) - workers - {monitor})
        self.assert_grows(before, debugged.scrape())

    def test_reload(self) -> None:
        """All workers are replaced, and the debug server as well."""
        debugged = self.run_with(workers=2)
        use(debugged.registry.address)
        before, workers = debugged.scrape(), self.workers(debugged)
        os.kill(debugged.registry.pid, signal.SIGHUP)
        self.until(debugged, lambda: len(self.workers(debugged) - workers) == 2 and len(self.workers(debugged)) == 2)
        after = debugged.scrape()
        self.assert_grows(before, after)
        self.assertEqual(after.sum("dregistry_worker_exits_total"), 0)

    def test_one_process(self) -> None:
        """It serves both."""
        debugged = self.run_with(workers=1)
        use(debugged.registry.address)
        scrape = debugged.scrape()
        self.assertEqual(scrape.sum("registry_http_requests_total", handler="tags"), 2)
        self.assertEqual(children(debugged.registry.pid), set())
        self.assertEqual(debugged.ask("/debug/health"), (200, b"{}"))

    def test_in_memory(self) -> None:
        debugged = self.run_with(storage={"filesystem": None, "inmemory": {}})
        Client(debugged.registry.address).push_blob("a", b"x")
        self.assertGreater(debugged.scrape().sum("registry_storage_action_seconds_count", driver="inmemory"), 0)

    def test_address_taken(self) -> None:
        debugged = self.run_with(workers=2)
        other = RunningRegistry({"http": {"debug": {"addr": f"127.0.0.1:{debugged.port}"}, "workers": 2}})
        self.addCleanup(other.__exit__, None, None, None)
        with self.assertRaisesRegex(AssertionError, r"http\.debug\.addr: cannot listen on"):
            other.start()

    def test_without_prometheus(self) -> None:
        debugged = self.run_with(prometheus=False, http={"workers": 2})
        self.until(debugged, lambda: debugged.status("/readyz") == 200)
        self.assertEqual(debugged.status("/metrics"), 404)


class NotificationTests(MonitoringCase):
    def test_endpoint(self) -> None:
        """That nobody listens to: what waits is shown, and none of its secrets."""
        endpoint = {
            "name": "hook",
            "url": f"http://user:password@127.0.0.1:{free_port()}/",
            "headers": {"Authorization": ["Bearer token"]},
            "secret": "signing",
        }
        debugged = self.run_with(workers=2, notifications={"endpoints": [endpoint]})
        use(debugged.registry.address)
        self.until(debugged, lambda: debugged.scrape().sum("registry_notifications_events_total", type="Errors") > 0)
        scrape = debugged.scrape()
        pending = scrape.sum("registry_notifications_pending_total", endpoint="hook")
        self.assertGreaterEqual(pending, 5)
        self.assertEqual(scrape.sum("registry_notifications_events_total", type="Events", endpoint="hook"), pending)
        self.assertGreater(scrape.sum("dregistry_notifications_oldest_pending_seconds", endpoint="hook"), 0)
        self.assertEqual(scrape.sum("dregistry_notifications_outbox_events"), pending)
        body = debugged.ask("/debug/vars")[1].decode()
        [found] = json.loads(body)["registry"]["notifications"]["endpoints"]
        self.assertEqual((found["name"], found["Metrics"]["Pending"]), ("hook", pending))
        for secret in ("password", "Bearer", "signing"):
            self.assertNotIn(secret, body)


class HealthTests(MonitoringCase):
    def every_worker(self, debugged: Debugged, path: str, status: int) -> bool:
        """Whether 16 connections find it so."""
        return all(debugged.status(path, debugged.registry.port) == status for _ in range(16))

    def test_file_and_tcp(self) -> None:
        """Both registries answer alike, while they fail and afterwards."""
        for kind, workers in ((RunningRegistry, 2), (DockerRegistry, None)):
            down = os.path.join(self.mktemp())
            port = free_port()
            debugged = self.run_with(
                kind,
                workers,
                health={
                    "file": [{"file": os.path.abspath(down), "interval": "100ms"}],
                    "tcp": [{"addr": f"127.0.0.1:{port}", "interval": "100ms", "timeout": "1s", "threshold": 1000}],
                    "storagedriver": {"enabled": True, "interval": "100ms", "threshold": 3},
                },
            )
            self.assertEqual(debugged.ask("/debug/health"), (200, b"{}"))
            with open(down, "w"):
                pass
            self.until(debugged, lambda found=debugged: self.every_worker(found, "/", 503))
            status, body = debugged.ask("/v2/", debugged.registry.port)
            self.assertEqual((status, json.loads(body)), (503, UNHEALTHY))
            status, body = debugged.ask("/debug/health")
            self.assertEqual((status, json.loads(body)), (503, {os.path.abspath(down): "file exists"}))
            os.unlink(down)
            self.until(debugged, lambda found=debugged: self.every_worker(found, "/", 200))
            self.assertEqual(debugged.ask("/debug/health"), (200, b"{}"))

    def test_storage(self) -> None:
        """The directory is replaced by something that is none; requests are refused until it is back."""
        section = {"storagedriver": {"enabled": True, "interval": "100ms", "threshold": 2}}
        debugged = self.run_with(workers=2, health=section)
        client = Client(debugged.registry.address)
        client.push_blob("a", b"x")
        data = debugged.registry.data
        os.rename(data, data + ".away")
        os.symlink(data, data)
        self.until(debugged, lambda: self.every_worker(debugged, "/v2/", 503))
        self.assertTrue(self.every_worker(debugged, "/readyz", 503))
        self.assertTrue(self.every_worker(debugged, "/livez", 200))
        status, body = debugged.ask("/debug/health")
        self.assertEqual((status, list(json.loads(body))), (503, ["storagedriver_filesystem"]))
        self.assertEqual(debugged.scrape().sum("dregistry_health_check_failing"), 1)
        self.assertEqual(debugged.status("/readyz"), 503)
        os.unlink(data)
        os.rename(data + ".away", data)
        self.until(debugged, lambda: self.every_worker(debugged, "/readyz", 200))
        self.assertEqual(client.push_blob("a", b"y"), sha256(b"y"))

    def test_http(self) -> None:
        """Of another registry: well while that is, ill once it is gone."""
        upstream = RunningRegistry({"http": {"workers": 1}})
        upstream.__enter__()
        self.addCleanup(upstream.__exit__, None, None, None)
        check = {"uri": f"{upstream.url}/v2/", "interval": "100ms", "timeout": "5s", "threshold": 2}
        debugged = self.run_with(workers=2, health={"http": [check]})
        self.assertTrue(self.every_worker(debugged, "/readyz", 200))
        upstream.stop()
        self.until(debugged, lambda: self.every_worker(debugged, "/readyz", 503))
        [(name, fault)] = json.loads(debugged.ask("/debug/health")[1]).items()
        self.assertEqual(name, f"{upstream.url}/v2/")
        self.assertIn("error while checking", fault)


class DrainTests(MonitoringCase):
    def drain(self, workers: int) -> tuple[Debugged, Callable[[], None]]:
        """A registry that drains, because of an upload; what ends it."""
        debugged = self.run_with(workers=workers, http={"draintimeout": "20s"})
        self.assertEqual([debugged.status(path) for path in ("/livez", "/readyz")], [200, 200])
        peer = Peer(debugged.registry.port)
        self.addCleanup(peer.socket.close)
        place = peer.start("a")
        peer.send(f"PATCH {place} HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc".encode())
        self.until(debugged, lambda: debugged.scrape().sum("dregistry_uploads_in_progress") == 1)
        ended: list[int] = []
        thread = threading.Thread(target=lambda: ended.append(debugged.registry.stop()), daemon=True)
        thread.start()

        def finish() -> None:
            answer = peer.send(b"def").answer("PATCH")
            assert answer is not None
            self.assertEqual(answer.status, 202)
            thread.join(PATIENCE)
            self.assertEqual(len(ended), 1)
            debugged.registry.start()
            with Peer(debugged.registry.port) as again:
                self.assertEqual(again.ask("PUT", closing(place, sha256(b"abcdef")), b"").status, 201)

        return debugged, finish

    def assert_probes(self, workers: int) -> None:
        """Not ready, but alive, and still to be watched, until the last request has ended."""
        debugged, finish = self.drain(workers)
        self.until(debugged, lambda: debugged.status("/readyz") == 503)
        self.assertRaises(OSError, debugged.status, "/readyz", debugged.registry.port)
        self.assertEqual(debugged.status("/livez"), 200)
        self.assertEqual(debugged.scrape().sum("dregistry_uploads_in_progress"), 1)
        self.assertEqual(debugged.scrape().sum("dregistry_workers"), 0)
        finish()

    def test_several(self) -> None:
        self.assert_probes(2)

    def test_one(self) -> None:
        self.assert_probes(1)
