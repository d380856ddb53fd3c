"""Delivery by a real registry: restarts, several processes, TLS, proxies, the live tail and the commands."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import trustme
import yaml

from .client import OCI_MANIFEST, Client
from .listener import Listener
from .server import RunningRegistry, free_port
from .test_notifications import MANIFEST, ListenedCase, push
from .test_workers import children

PATIENCE = 20.0
QUICK = {"timeout": "300ms", "threshold": 1, "backoff": "50ms", "backoffmax": "100ms"}
FEW = {"ignore": {"mediatypes": ["application/octet-stream"]}}


class DeliveryCase(ListenedCase):
    def until(self, true: Callable[[], Any], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            self.assertLess(time.monotonic(), deadline, what)
            time.sleep(0.02)

    def metrics(self, registry: RunningRegistry) -> dict[str, Any]:
        """Of the first endpoint."""
        found = Client(registry.address).get("/v2/_dregistry/notifications").json()
        metrics: dict[str, Any] = found["registry"]["notifications"]["endpoints"][0]["Metrics"]
        return metrics

    def tags(self, listener: Listener, count: int) -> list[str]:
        """Of the manifests that were pushed."""
        return [received.event["target"].get("tag", "") for received in listener.wait(count)]

    def put(self, registry: RunningRegistry, *tags: str) -> None:
        for tag in tags:
            answer = Client(registry.address).put_manifest("a", tag, MANIFEST)
            self.assertEqual(answer.status, 201)


class RestartTests(DeliveryCase):
    def test_listener_that_was_down(self) -> None:
        """While it was, the server was killed, too."""
        listener = self.listen()
        registry = self.serve({"name": "x", "url": listener.url, **QUICK, **FEW}, http={"workers": 2})
        push(Client(registry.address), "a", "first")
        listener.wait(1)
        listener.status = 503
        self.put(registry, "a", "b")
        self.until(lambda: self.metrics(registry)["Failures"] > 2, "it tries")
        registry.kill()
        registry.start()
        self.put(registry, "c", "d")
        listener.status = 200
        self.assertEqual(self.tags(listener, 5), ["first", "a", "b", "c", "d"])
        self.until(lambda: self.metrics(registry)["Pending"] == 0, "nothing waits")
        metrics = self.metrics(registry)
        self.assertEqual((metrics["Successes"], metrics["Events"], metrics["DeadLetters"]), (5, 5, 0))
        self.assertEqual(metrics["Statuses"]["503 Service Unavailable"], metrics["Failures"])

    def test_pulls_of_the_last_moment(self) -> None:
        """A registry that is stopped writes what it has in memory."""
        listener = self.listen()
        registry = self.serve({"url": listener.url, **FEW})
        push(Client(registry.address), "a")
        listener.wait(1)
        listener.status = 503
        for _ in range(5):
            Client(registry.address).get("/v2/a/manifests/v1", {"Accept": OCI_MANIFEST})
        registry.stop()
        listener.status = 200
        registry.start()
        self.assertEqual([received.event["action"] for received in listener.wait(6)], ["push"] + ["pull"] * 5)

    def test_once_for_each_outbox(self) -> None:
        """Two servers that share it (here, of one machine) deliver every event once."""
        listener = self.listen()
        endpoint = {"name": "x", "url": listener.url, **FEW}
        registries = [self.serve(endpoint)]
        shared = {"filesystem": {"rootdirectory": registries[0].data}}
        registries.append(self.serve(endpoint, storage=shared))
        push(Client(registries[0].address), "a", "t")
        for number in range(20):
            self.put(registries[number % 2], f"t{number}")
        expected = ["t", *(f"t{number}" for number in range(20))]
        self.assertEqual(self.tags(listener, 21), expected)
        self.until(lambda: self.metrics(registries[1])["Pending"] == 0, "the last answer is noted")
        registries[0].kill()
        self.put(registries[1], "last")
        self.assertEqual(self.tags(listener, 22)[21:], ["last"])

    def test_reloaded(self) -> None:
        """SIGHUP: an endpoint that is new gets what comes from then on, one that is gone nothing more."""
        first, second = self.listen(), self.listen()
        registry = self.serve({"name": "first", "url": first.url, **FEW}, http={"workers": 2})
        push(Client(registry.address), "a", "a")
        first.wait(1)
        self.endpoints(registry, {"name": "second", "url": second.url, **FEW})
        self.reload(registry, 3)
        self.put(registry, "b")
        self.assertEqual(self.tags(second, 1), ["b"])
        self.endpoints(registry)
        self.reload(registry, 2)
        self.put(registry, "c")
        self.assertEqual(Client(registry.address).get("/v2/_dregistry/events").status, 404)
        self.endpoints(registry, {"name": "first", "url": first.url, **FEW})
        self.reload(registry, 3)
        self.put(registry, "d")
        self.assertEqual(self.tags(first, 2), ["a", "d"])

    def endpoints(self, registry: RunningRegistry, *endpoints: dict[str, Any]) -> None:
        with open(registry._config, encoding="utf-8") as file:
            config = yaml.safe_load(file)
        config["notifications"]["endpoints"] = list(endpoints)
        with open(registry._config, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)

    def reload(self, registry: RunningRegistry, processes: int) -> None:
        before = children(registry.pid)
        os.kill(registry.pid, signal.SIGHUP)
        self.until(lambda: not before & (now := children(registry.pid)) and len(now) == processes, registry.read_log())

    def test_deliverer_that_dies(self) -> None:
        listener = self.listen()
        registry = self.serve({"url": listener.url, **FEW}, http={"workers": 2})
        push(Client(registry.address), "a", "a")
        self.until(lambda: self.metrics(registry)["Successes"] == 1, "the answer is noted")
        [deliverer] = [pid for pid in children(registry.pid) if b"dregistry.deliverer" in command_line(pid)]
        os.kill(deliverer, signal.SIGKILL)
        self.put(registry, "b")
        self.assertEqual(self.tags(listener, 2), ["a", "b"])
        self.assertIn("delivery ended", registry.read_log())

    def test_in_memory(self) -> None:
        """With a storage that ends with its process."""
        listener = self.listen()
        registry = RunningRegistry(
            {
                "notifications": {"endpoints": [{"url": listener.url, **FEW}]},
                "storage": {"filesystem": None, "inmemory": {}},
            }
        )
        with registry:
            push(Client(registry.address), "a", "a")
            self.assertEqual(self.tags(listener, 1), ["a"])
            self.assertFalse(os.path.exists(registry.data))


def command_line(pid: int) -> bytes:
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read()


class SlowTests(DeliveryCase):
    def test_nobody_waits(self) -> None:
        """Neither requests nor other endpoints wait for one that does not answer."""
        silent = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(silent.close)
        listener = self.listen()
        registry = self.serve(
            {"name": "silent", "url": f"http://127.0.0.1:{silent.getsockname()[1]}/", "timeout": "1h"},
            {"name": "x", "url": listener.url, **FEW},
        )
        push(Client(registry.address), "a", "t")
        for number in range(20):
            self.put(registry, f"t{number}")
        self.assertEqual(len(self.tags(listener, 21)), 21)
        self.assertEqual(self.metrics(registry)["Pending"], 23)


class TlsTests(DeliveryCase):
    def setUp(self) -> None:
        authority = trustme.CA()
        self.certificate = authority.issue_cert("127.0.0.1", "listener.test")
        with authority.cert_pem.tempfile() as path:
            with open(path, "rb") as file:
                self.authority = file.read()

    def listen_tls(self) -> Listener:
        def tls(context: ssl.SSLContext) -> None:
            self.certificate.configure_cert(context)

        listener = Listener(tls)
        self.addCleanup(listener.stop)
        return listener

    def serve_with(self, url: str, environ: dict[str, str], workers: int = 2) -> RunningRegistry:
        registry = RunningRegistry(
            {"http": {"workers": workers}, "notifications": {"endpoints": [{"url": url, **QUICK, **FEW}]}},
            environ=environ,
        )
        self.addCleanup(registry.__exit__, None, None, None)
        path = os.path.join(registry.folder, "ca.pem")
        with open(path, "wb") as file:
            file.write(self.authority)
        if environ.pop("trusted", None):
            registry._environ = {**environ, "SSL_CERT_FILE": path}
        registry.__enter__()
        return registry

    def test_verified(self) -> None:
        for workers in (1, 2):
            listener = self.listen_tls()
            registry = self.serve_with(listener.url, {"trusted": "yes"}, workers)
            push(Client(registry.address), "a", "a")
            self.assertEqual(self.tags(listener, 1), ["a"])

    def test_not_trusted(self) -> None:
        listener = self.listen_tls()
        for url, environ in (
            (listener.url, {}),
            (listener.url.replace("127.0.0.1", "localhost"), {"trusted": "yes"}),
        ):
            registry = self.serve_with(url, environ)
            push(Client(registry.address), "a", "a")
            self.tried(registry)
            self.assertRegex(registry.read_log(), "(?i)certificate verify failed|VerificationError")
            self.assertEqual(listener.received, [])
            registry.kill()

    def tried(self, registry: RunningRegistry) -> None:
        self.until(lambda: self.metrics(registry)["Errors"] > 1, "it tries")

    def test_proxies(self) -> None:
        """A request for http, a tunnel for https; the listener's name is for the proxy alone to know."""
        for listener, scheme in ((self.listen(), "http"), (self.listen_tls(), "https")):
            proxy = Proxy(listener.port)
            self.addCleanup(proxy.stop)
            place = f"http://al%20ice:secret@127.0.0.1:{proxy.port}"
            registry = self.serve_with(
                f"{scheme}://listener.test:4711/events", {f"{scheme.upper()}_PROXY": place, "trusted": "yes"}
            )
            push(Client(registry.address), "a", "a")
            self.assertEqual(self.tags(listener, 1), ["a"])
            expected = (
                b"POST http://listener.test:4711/events HTTP/1.1"
                if scheme == "http"
                else b"CONNECT listener.test:4711 HTTP/1.1"
            )
            self.assertEqual(proxy.asked[0], expected)
            self.assertIn(b"proxy-authorization: basic ywwgawnlonnly3jlda==", proxy.heads[0].lower())
            registry.kill()


class Proxy:
    """An HTTP proxy that knows one host."""

    def __init__(self, target: int) -> None:
        self.asked: list[bytes] = []
        self.heads: list[bytes] = []
        self._target = target
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(client,), daemon=True).start()

    def _talk(self, client: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += client.recv(65536)
        head, _, rest = data.partition(b"\r\n\r\n")
        self.heads.append(head)
        self.asked.append(head.split(b"\r\n")[0])
        server = socket.create_connection(("127.0.0.1", self._target))
        if head.startswith(b"CONNECT"):
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            server.sendall(head.replace(b"http://listener.test:4711", b"", 1) + b"\r\n\r\n")
        server.sendall(rest)
        threading.Thread(target=pipe, args=(server, client), daemon=True).start()
        pipe(client, server)

    def stop(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


def pipe(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


class TailTests(DeliveryCase):
    def test_any_worker_sees_all(self) -> None:
        registry = self.serve(http={"workers": 3}, notifications={"events": {"record": True}})
        push(Client(registry.address), "a", "first")
        streams = [self.stream(registry) for _ in range(12)]
        for number in range(10):
            self.put(registry, f"t{number}")
        for stream in streams:
            tags = [self.message(stream)["target"]["tag"] for _ in range(10)]
            self.assertEqual(tags, [f"t{number}" for number in range(10)])
        page = Client(registry.address).get("/v2/_dregistry/events", query={"after": 3}).json()
        self.assertEqual([event["target"]["tag"] for event in page["events"]], tags)
        registry.stop()
        for stream in streams:
            self.assertEqual(stream.read(), b"", "the streams end in good order")

    def stream(self, registry: RunningRegistry) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        connection.request("GET", "/v2/_dregistry/events", headers={"Accept": "text/event-stream"})
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertEqual((answer.readline(), answer.readline()), (b"retry: 2000\n", b"\n"))
        return answer

    def message(self, stream: http.client.HTTPResponse) -> Any:
        self.assertTrue(stream.readline().startswith(b"id: "))
        data = json.loads(stream.readline().removeprefix(b"data: "))
        self.assertEqual(stream.readline(), b"\n")
        return data

    def test_followed_in_the_terminal(self) -> None:
        """Also over a restart of the registry."""
        registry = self.serve(http={"workers": 2}, notifications={"events": {"record": True}})
        push(Client(registry.address), "a", "first")
        follower = self.command("events", "--url", registry.url, "--follow", "--after", "2", "--json")
        assert follower.stdout is not None
        self.assertEqual(json.loads(follower.stdout.readline())["target"]["tag"], "first")
        self.put(registry, "b")
        self.assertEqual(json.loads(follower.stdout.readline())["target"]["tag"], "b")
        registry.kill()
        registry.start()
        self.put(registry, "c")
        self.assertEqual(json.loads(follower.stdout.readline())["target"]["tag"], "c")
        follower.send_signal(signal.SIGINT)
        self.assertEqual(follower.wait(PATIENCE), 130)

    def test_replayed(self) -> None:
        listener = self.listen()
        registry = self.serve({"name": "ci", "url": listener.url, **FEW}, http={"workers": 2})
        push(Client(registry.address), "a", "a")
        self.put(registry, "b")
        listener.wait(2)
        replay = self.command(
            "notifications", "replay", "--config", registry._config, "--endpoint", "ci", "--since", "1h"
        )
        self.assertEqual(replay.wait(PATIENCE), 0)
        self.assertEqual(self.tags(listener, 4), ["a", "b", "a", "b"])
        status = self.command("notifications", "status", "--config", registry._config)
        assert status.stdout is not None
        self.assertIn("ci: 4 delivered, 0 pending", status.stdout.read())

    def command(self, *words: str) -> subprocess.Popen[str]:
        """It hears of SIGINT, also if the tests were started by a shell in the background, where that is ignored."""
        script = (
            "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
            "from dregistry.cli import main; sys.exit(main())"
        )
        command = [sys.executable, "-c", script, *words]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        return process


class RefusedTests(DeliveryCase):
    def test_report(self) -> None:
        """The start ends with all faults of the section."""
        registry = RunningRegistry(
            {
                "notifications": {
                    "endpoints": [{"url": "nowhere"}, {"sink": "kafka", "url": "http://a"}, {"url": "http://a"}]
                },
                "http": {"addr": f"127.0.0.1:{free_port()}"},
            }
        )
        self.addCleanup(registry.__exit__, None, None, None)
        self.assertRaises(AssertionError, registry.start)
        log = registry.read_log()
        self.assertIn("notifications.endpoints[0].url: must be a whole URL", log)
        self.assertIn(
            "notifications.endpoints[1].sink: no notification sink is named 'kafka'; found: log, webhook", log
        )
        self.assertNotIn("endpoints[2]", log)
        self.assertNotIn("Traceback", log)

    def test_unusable_outbox(self) -> None:
        for workers in (1, 2):
            registry = RunningRegistry(
                {"notifications": {"events": {"record": True}, "spool": "/dev/null/x"}, "http": {"workers": workers}}
            )
            self.addCleanup(registry.__exit__, None, None, None)
            if workers == 1:
                self.assertRaises(AssertionError, registry.start)
            else:
                self.patch(sys.modules[RunningRegistry.__module__], "START_TIMEOUT", 3.0)
                self.assertRaises(AssertionError, registry.start)
            self.assertIn("notifications: cannot open the outbox in /dev/null/x", registry.read_log())
