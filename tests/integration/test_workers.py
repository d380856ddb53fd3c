"""
Several processes on one address: what a client sees of their starts, ends and replacements.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import signal
import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from .server import RunningRegistry

PATIENCE = 20.0


def children(pid: int) -> set[int]:
    """The processes that ``pid`` has started."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.add(int(name))
    return found


class WorkerTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.registry = RunningRegistry({"http": {"workers": 3}})
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__, None, None, None)
        self.until(lambda: len(children(self.registry.pid)) == 3)

    def until(self, true: object) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():  # type: ignore[operator]
            self.assertLess(time.monotonic(), deadline, self.registry.read_log())
            time.sleep(0.05)

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection("127.0.0.1", self.registry.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def ask(self, method: str, path: str, body: bytes | None = None) -> http.client.HTTPResponse:
        """Over a connection of its own: whichever worker gets it."""
        connection = self.connect()
        connection.request(method, path, body)
        answer = connection.getresponse()
        answer.body = answer.read()  # type: ignore[attr-defined]
        return answer

    def test_one_upload_anywhere(self) -> None:
        """Each request of an upload lands in any worker."""
        for _ in range(10):
            pieces = [os.urandom(1 + number * 1000) for number in range(12)]
            location = self.ask("POST", "/v2/a/blobs/uploads/").headers["Location"]
            path = location[location.index("/v2/") :]
            for piece in pieces:
                self.assertEqual(self.ask("PATCH", path, piece).status, 202)
            content = b"".join(pieces)
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            self.assertEqual(self.ask("PUT", f"{path}?digest={digest}").status, 201)
            answer = self.ask("GET", f"/v2/a/blobs/{digest}")
            self.assertEqual(answer.body, content)  # type: ignore[attr-defined]

    def test_a_killed_worker_is_replaced(self) -> None:
        before = children(self.registry.pid)
        victim = before.pop()
        os.kill(victim, signal.SIGKILL)
        for _ in range(30):  # those that wait in the dead worker's queue are served by its successor
            self.assertEqual(self.ask("GET", "/v2/").status, 200)
        self.until(lambda: len(children(self.registry.pid)) == 3)
        self.assertTrue(before < children(self.registry.pid))
        self.assertIn("ended", self.registry.read_log())

    def test_reload_loses_no_request(self) -> None:
        before = children(self.registry.pid)
        failures: list[object] = []
        done = threading.Event()

        def work() -> None:
            while not done.is_set():
                try:
                    status = self.ask("GET", "/v2/").status
                    if status != 200:
                        failures.append(status)
                except OSError as error:
                    failures.append(repr(error))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            os.kill(self.registry.pid, signal.SIGHUP)
            self.until(lambda: len(children(self.registry.pid)) == 3 and not children(self.registry.pid) & before)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        self.assertEqual(failures, [])

    def test_workers_end_with_their_supervisor(self) -> None:
        workers = children(self.registry.pid)
        os.kill(self.registry.pid, signal.SIGKILL)
        self.until(lambda: not any(os.path.exists(f"/proc/{worker}") for worker in workers))

    def test_nothing_is_left_after_a_stop(self) -> None:
        workers = children(self.registry.pid)
        self.registry.stop()
        self.assertFalse([worker for worker in workers if os.path.exists(f"/proc/{worker}")])
        self.assertNotIn("Traceback", self.registry.read_log())
