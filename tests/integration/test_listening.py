"""Sockets of systemd, unix sockets and endpoints of Twisted's, each served by one process and by several."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .client import ERROR_LOGGED
from .requirements import tool
from .server import RunningRegistry
from .test_workers import children
from .tls_server import TlsRegistry

ASK = b"GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_HAND_OVER = (
    "import os, sys\n"
    "os.dup2(int(sys.argv[1]), 3)\n"
    "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='registry')\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
"""What systemd does: the socket is descriptor 3 of the program."""


class Activated(RunningRegistry):
    """Started with a socket that listens."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self.listening = socket.create_server(("127.0.0.1", self.port))

    def _command(self) -> list[str]:
        os.set_inheritable(self.listening.fileno(), True)
        return [sys.executable, "-c", _HAND_OVER, str(self.listening.fileno()), *super()._command()]

    def start(self) -> None:
        popen = subprocess.Popen
        try:
            subprocess.Popen = lambda *a, **k: popen(*a, **k, close_fds=False)  # type: ignore[misc,assignment]
            super().start()
        finally:
            subprocess.Popen = popen  # type: ignore[misc]


class ListeningCase(SynchronousTestCase):
    def serve(self, registry: Any) -> Any:
        registry.__enter__()
        self.addCleanup(registry.__exit__, None, None, None)
        return registry

    def ask(self, address: Any) -> bytes:
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        with socket.socket(family) as peer:
            peer.settimeout(30)
            peer.connect(address)
            peer.sendall(ASK)
            received = b""
            while piece := peer.recv(1 << 16):
                received += piece
        return received

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not true():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def assert_served(self, address: Any) -> None:
        for _ in range(10):
            self.assertTrue(self.ask(address).startswith(b"HTTP/1.1 200 OK\r\n"))

    def assert_ends_quietly(self, registry: Any) -> None:
        self.assertIn(registry.stop(), (0, -signal.SIGTERM))
        self.assertIsNone(ERROR_LOGGED.search(registry.read_log()), registry.read_log())


class SystemdTests(ListeningCase):
    def test_socket(self) -> None:
        """Whatever the file says; it stays where it is when the registry stops, and connections wait in it."""
        for workers in (1, 2):
            registry = self.serve(Activated({"http": {"addr": "192.0.2.1:1", "workers": workers}}))
            self.assertEqual(len(children(registry.pid)), workers if workers > 1 else 0)
            address = registry.listening.getsockname()
            self.assert_served(address)
            if workers > 1:
                os.kill(registry.pid, signal.SIGHUP)
                self.assert_served(address)
            self.assert_ends_quietly(registry)
            with socket.create_connection(address, 5) as waiting:
                registry.start()
                waiting.sendall(ASK)
                self.assertTrue(waiting.recv(100).startswith(b"HTTP/1.1 200 "))
            registry.listening.close()

    def test_several(self) -> None:
        registry = Activated({})
        self.addCleanup(registry.__exit__, None, None, None)
        self.addCleanup(registry.listening.close)
        self.patch(sys.modules[__name__], "_HAND_OVER", _HAND_OVER.replace("LISTEN_FDS='1'", "LISTEN_FDS='2'"))
        command, environ = registry._command(), registry._variables()
        done = subprocess.run(
            command, close_fds=False, env=environ, capture_output=True, text=True, timeout=30, check=False
        )
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("LISTEN_FDS: there are 2 sockets, and there must be one", str(done))
        self.assertNotIn("Traceback", str(done))


class UnixTests(ListeningCase):
    """``http.net: unix``, in clear text and by TLS."""

    def started(self, kind: type[RunningRegistry], workers: int) -> tuple[Any, str]:
        registry: Any = kind()
        path = os.path.join(registry.folder, "socket")
        http = {"net": "unix", "addr": path, "workers": workers}
        registry = TlsRegistry(http=http) if kind is TlsRegistry else RunningRegistry({"http": http})
        self.patch(kind, "_answers", lambda self: os.path.exists(path))
        return self.serve(registry), path

    def test_clear_text(self) -> None:
        for workers in (1, 2):
            registry, path = self.started(RunningRegistry, workers)
            self.assert_served(path)
            if workers > 1:
                before = children(registry.pid)
                os.kill(registry.pid, signal.SIGHUP)
                self.until(lambda: not children(registry.pid) & before)  # noqa: B023
                self.assert_served(path)
            self.assert_ends_quietly(registry)
            self.assertFalse(os.path.exists(path))

    def test_tls(self) -> None:
        for workers in (1, 2):
            registry, path = self.started(TlsRegistry, workers)
            self.assertEqual(registry.curl("/v2/", "--unix-socket", path), (0, "200"))
            self.assert_ends_quietly(registry)


class EndpointTests(ListeningCase):
    def test_shared(self) -> None:
        for workers in (1, 2):
            settings = {"http": {"addr": "192.0.2.1:1", "workers": workers}}
            registry = RunningRegistry(settings)
            settings["http"]["endpoint"] = f"tcp:{registry.port}:interface=127.0.0.1"
            again = RunningRegistry(settings)
            again.port = registry.port
            self.serve(again)
            self.assert_served(("127.0.0.1", registry.port))
            if workers > 1:
                os.kill(again.pid, signal.SIGHUP)
                self.assert_served(("127.0.0.1", registry.port))
            self.assert_ends_quietly(again)

    def test_of_one_process(self) -> None:
        """Twisted's own TLS."""
        made = TlsRegistry()
        self.addCleanup(made.__exit__, None, None, None)
        where = {
            key: f"{made.certificates.name}/server.{name}"
            for key, name in (("privateKey", "key"), ("certKey", "certificate"))
        }
        endpoint = f"ssl:{made.port}:interface=127.0.0.1:" + ":".join(f"{key}={path}" for key, path in where.items())
        for workers in (None, 1):
            registry = RunningRegistry({"http": {"endpoint": endpoint, "workers": workers}})
            registry.port = made.port
            self.patch(RunningRegistry, "_answers", lambda _: made.curl("/v2/") == (0, "200"))
            self.serve(registry)
            self.assertEqual(children(registry.pid), set())
            self.assert_ends_quietly(registry)

    def test_faults(self) -> None:
        """One report, before anything listens."""
        for endpoint, workers, said in (
            ("floppy:1", 2, "http.endpoint: no endpoint of Twisted's: Unknown endpoint type: 'floppy'"),
            ("stdio:", 2, "http.endpoint: an endpoint of this kind is of one process only: set http.workers to 1"),
            ("tcp:x", 2, "http.endpoint: no endpoint of Twisted's: "),
        ):
            registry = RunningRegistry({"http": {"endpoint": endpoint, "workers": workers}})
            self.addCleanup(registry.__exit__, None, None, None)
            error = self.assertRaises(AssertionError, registry.start)
            self.assertIn(said, str(error))
            self.assertNotIn("Traceback", str(error))

    def test_activated_by_systemd_itself(self) -> None:
        """By its own program for tests, where there is one."""
        program = tool("systemd-socket-activate", "systemd")
        registry: Any = RunningRegistry({"http": {"workers": 2}})
        command = registry._command()
        registry._command = lambda: [program, "--listen", registry.address, *command]
        self.serve(registry)
        self.assert_served(("127.0.0.1", registry.port))
