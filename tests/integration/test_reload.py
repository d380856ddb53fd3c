"""SIGHUP: another configuration while requests are under way, in several processes and in one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import yaml
from twisted.trial.unittest import SynchronousTestCase

from .raw import Peer, closing, sha256
from .server import RunningRegistry

PATIENCE = 20.0
PROMPT = 8.0
CONTENT = os.urandom(1 << 20) * 8
READ_ONLY = {"maintenance": {"readonly": {"enabled": True}}}
NOBODY_PUSHES = {
    "silly": {"realm": "r", "service": "s"},
    "policy": [{"repositories": ["**"], "actions": ["pull"], "anonymous": True}],
}


class ReloadCase(SynchronousTestCase):
    workers = 1

    def served(self, **settings: Any) -> RunningRegistry:
        settings["http"] = {"workers": self.workers, **settings.get("http", {})}
        registry = RunningRegistry(settings)
        registry.__enter__()
        self.addCleanup(registry.__exit__, None, None, None)
        for _ in range(16):  # each process has answered, and heeds the signal
            with Peer(registry.port, PATIENCE) as peer:
                peer.ask("GET", "/v2/")
        return registry

    def peer(self, registry: RunningRegistry) -> Peer:
        found = Peer(registry.port, PATIENCE)
        self.addCleanup(found.socket.close)
        return found

    def until(self, true: Callable[[], bool], registry: RunningRegistry) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            self.assertLess(time.monotonic(), deadline, registry.read_log())
            time.sleep(0.02)

    def change(self, registry: RunningRegistry, **sections: Any) -> None:
        """Merge into the sections of the file, and have it read."""
        path = os.path.join(registry.folder, "config.yml")
        with open(path, encoding="utf-8") as file:
            config = yaml.safe_load(file)
        for name, section in sections.items():
            merged = isinstance(section, dict) and isinstance(config.get(name), dict)
            config[name] = {**config[name], **section} if merged else section
        with open(path, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)
        os.kill(registry.pid, signal.SIGHUP)

    def is_status(self, registry: RunningRegistry, method: str, target: str, status: int) -> bool:
        """Whether all processes answer so, as far as many connections tell."""
        for _ in range(1 if self.workers == 1 else 12):
            with Peer(registry.port, PATIENCE) as peer:
                if peer.ask(method, target, b"" if method != "GET" else None).status != status:
                    return False
        return True

    def until_read_only(self, registry: RunningRegistry) -> None:
        self.until(lambda: self.is_status(registry, "POST", "/v2/a/blobs/uploads/", 405), registry)

    def begin_upload(self, registry: RunningRegistry, size: int = 3 << 20) -> tuple[Peer, str]:
        peer, place = self.peer(registry), self.peer(registry).start("a")
        peer.send(f"PATCH {place} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(CONTENT)}\r\n\r\n".encode())
        peer.send(CONTENT[:size])
        self.until(lambda: self.offset(registry, place) >= size - (1 << 20), registry)
        return peer, place

    def offset(self, registry: RunningRegistry, place: str) -> int:
        """Bytes of the session; -1 before its first ones."""
        with Peer(registry.port, PATIENCE) as peer:
            found = peer.ask("GET", place)
        return -1 if found.status != 204 else int(found.headers["range"].partition("-")[2]) + 1

    def assert_completes(self, registry: RunningRegistry, place: str) -> None:
        """The client asks where the session stands, and goes on from there; again if more has arrived meanwhile."""
        status = 416
        while status == 416:
            offset = self.offset(registry, place)
            self.assertGreater(offset, 0)
            if offset == len(CONTENT):
                break
            span = f"{offset}-{len(CONTENT) - 1}"
            status = self.peer(registry).ask("PATCH", place, CONTENT[offset:], content_range=span).status
            self.assertIn(status, (202, 416))
        peer = self.peer(registry)
        self.assertEqual(peer.ask("PUT", closing(place, sha256(CONTENT)), b"").status, 201)
        self.assertEqual(peer.ask("GET", f"/v2/a/blobs/{sha256(CONTENT)}").body, CONTENT)


class ReloadTests(ReloadCase):
    """In one process, which replaces what it serves."""

    def test_access(self) -> None:
        """Who may do what, from the next connection on."""
        registry = self.served()
        digest = self.peer(registry).push_blob("a", b"content")
        self.change(registry, auth=NOBODY_PUSHES)
        self.until(lambda: self.is_status(registry, "POST", "/v2/a/blobs/uploads/", 401), registry)
        self.assertEqual(self.peer(registry).ask("GET", f"/v2/a/blobs/{digest}").body, b"content")
        self.change(registry, auth=None)
        self.until(lambda: self.is_status(registry, "POST", "/v2/a/blobs/uploads/", 202), registry)

    def test_headers(self) -> None:
        registry = self.served()
        self.change(registry, http={"headers": {"X-Changed": ["yes"]}})

        def changed() -> bool:
            with Peer(registry.port, PATIENCE) as peer:
                return peer.ask("GET", "/v2/").headers.get("x-changed") == "yes"

        self.until(changed, registry)

    def test_faults(self) -> None:
        """They are reported, and nothing changes: neither what the file says otherwise, nor any process."""
        registry = self.served()
        self.change(registry, http={"draintimeout": "soon"}, storage=READ_ONLY)
        self.until(lambda: "not reloaded: " in registry.read_log(), registry)
        log = registry.read_log()
        self.assertIn("http.draintimeout: 'soon' is not a duration", log)
        self.assertTrue(self.is_status(registry, "POST", "/v2/a/blobs/uploads/", 202))
        self.assertNotIn("Traceback", log)
        self.change(registry, http={"draintimeout": "1s"})
        self.until_read_only(registry)

    def test_what_takes_a_restart(self) -> None:
        registry = self.served()
        self.change(registry, http={"addr": "127.0.0.1:1", "workers": 7}, storage=READ_ONLY)
        self.until_read_only(registry)
        for key in ("addr", "workers"):
            self.assertIn(f"http.{key}: changed; this takes a restart", registry.read_log())

    def test_storage_of_one_process(self) -> None:
        registry = self.served()
        self.change(registry, storage={"filesystem": None, "inmemory": None, **READ_ONLY}, http={"workers": 1})
        self.until(lambda: "not reloaded: " in registry.read_log(), registry)
        self.assertTrue(self.is_status(registry, "POST", "/v2/a/blobs/uploads/", 202))

    def test_kept_connection(self) -> None:
        """It is answered until it is told to end: a client that goes on using it loses nothing."""
        registry = self.served()
        peer = self.peer(registry)
        peer.ask("GET", "/v2/")
        self.change(registry, storage=READ_ONLY)
        deadline = time.monotonic() + PATIENCE
        while True:
            found = peer.ask("GET", "/v2/")
            self.assertEqual(found.status, 200)
            if found.headers.get("connection") == "close":
                break
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)
        self.assertEqual(peer.rest(), b"")

    def test_upload_under_way(self) -> None:
        """It ends as it began, although ``draintimeout`` is not set."""
        registry = self.served()
        uploading, place = self.begin_upload(registry)
        self.change(registry, storage=READ_ONLY)
        self.until_read_only(registry)
        found = uploading.send(CONTENT[3 << 20 :]).answer("PATCH")
        assert found is not None
        self.assertEqual((found.status, found.headers["connection"]), (202, "close"))
        self.change(registry, storage={"maintenance": None})
        self.until(lambda: self.is_status(registry, "DELETE", "/v2/a/blobs/uploads/x", 404), registry)
        self.assert_completes(registry, place)
        self.assertNotIn("Traceback", registry.read_log())

    def test_upload_beyond_the_timeout(self) -> None:
        """It is cut off, and the client goes on where it stood."""
        registry = self.served(http={"draintimeout": "1s"})
        uploading, place = self.begin_upload(registry)
        began = time.monotonic()
        self.change(registry, limits={"tagsperput": 3})
        self.assertEqual(uploading.rest(), b"")
        self.assertLess(time.monotonic() - began, PROMPT)
        self.assert_completes(registry, place)

    def test_stop_soon_after(self) -> None:
        """What is still under way since before has the time that the stop gives, no more."""
        registry = self.served()
        uploading, place = self.begin_upload(registry)
        self.change(registry, storage=READ_ONLY)
        self.until_read_only(registry)
        began = time.monotonic()
        registry.stop()
        self.assertLess(time.monotonic() - began, PROMPT)
        self.assertEqual(uploading.rest(), b"")
        self.assertNotIn("Traceback", registry.read_log())
        registry.start()
        self.assertGreaterEqual(self.offset(registry, place), 2 << 20)

    def test_many_times(self) -> None:
        """Nothing piles up: neither files nor threads."""
        registry = self.served()
        peer = self.peer(registry)
        for _ in range(5):
            self.change(registry, limits={"tagsperput": 3})
        self.change(registry, storage=READ_ONLY)
        self.until_read_only(registry)
        self.assertEqual(peer.rest(), b"")
        before = len(os.listdir(f"/proc/{registry.pid}/fd"))
        count = registry.read_log().count("reloaded: ")
        for number in range(5):
            self.change(registry, limits={"tagsperput": 4})
            self.until(lambda: registry.read_log().count("reloaded: ") > count + number, registry)  # noqa: B023
        self.until(lambda: len(os.listdir(f"/proc/{registry.pid}/fd")) <= before, registry)


class WorkersReloadTests(ReloadTests):
    """In several, which are replaced."""

    workers = 2


class OneProcessTests(ReloadCase):
    def in_memory(self, **settings: Any) -> RunningRegistry:
        return self.served(storage={"filesystem": None, "inmemory": {}}, **settings)

    def test_content_stays(self) -> None:
        """Also a session, and what is sent to it while the configuration changes."""
        registry = self.in_memory()
        digest = self.peer(registry).push_blob("a", b"content")
        uploading, place = self.begin_upload(registry)
        self.change(registry, storage=READ_ONLY)
        self.until_read_only(registry)
        self.assertEqual(self.peer(registry).ask("GET", f"/v2/a/blobs/{digest}").body, b"content")
        found = uploading.send(CONTENT[3 << 20 :]).answer("PATCH")
        assert found is not None
        self.assertEqual(found.status, 202)
        self.change(registry, storage={"maintenance": None})
        self.until(lambda: self.is_status(registry, "DELETE", "/v2/a/blobs/uploads/x", 404), registry)
        self.assert_completes(registry, place)
        self.assertIn(registry.stop(), (0, -signal.SIGTERM))
        self.assertNotIn("Traceback", registry.read_log())

    def test_tls_that_nobody_needed(self) -> None:
        """Said, not tried."""
        registry = self.in_memory()
        self.change(registry, notifications={"endpoints": [{"name": "a", "url": "https://127.0.0.1:1/"}]})
        self.until(lambda: "not reloaded: " in registry.read_log(), registry)
        self.assertIn("http.workers: TLS, endpoints of notifications, keys from a URL", registry.read_log())

    def test_notifications(self) -> None:
        """From one endpoint to two; delivery goes over to the new server."""
        endpoint = {"name": "a", "sink": "log"}
        registry = self.served(notifications={"endpoints": [endpoint]})
        self.peer(registry).push_blob("a", b"one")
        self.change(registry, notifications={"endpoints": [endpoint, {"name": "second", "sink": "log"}]})
        self.until(lambda: "reloaded: " in registry.read_log(), registry)
        digest = self.peer(registry).push_blob("a", b"two")
        self.until(lambda: registry.read_log().count(digest) >= 2, registry)
        self.assertNotIn("Traceback", registry.read_log())
