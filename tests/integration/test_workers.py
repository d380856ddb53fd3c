"""
Several processes on one address: what a client sees of their starts, ends and replacements.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import signal
import threading
import time

from twisted.trial.unittest import SynchronousTestCase

from .raw import closing
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


def asked(
    connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
) -> http.client.HTTPResponse:
    connection.request(method, path, body)
    answer = connection.getresponse()
    answer.body = answer.read()  # type: ignore[attr-defined]
    return answer


def path_of(answer: http.client.HTTPResponse) -> str:
    location = answer.headers["Location"]
    return location[location.index("/v2/") :]


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
        return asked(self.connect(), method, path, body)

    def test_one_upload_anywhere(self) -> None:
        """Each request of an upload lands in any worker, whether it goes by the first Location or by the last."""
        for turn in range(10):
            pieces = [os.urandom(1 + number * 1000) for number in range(12)]
            place = path_of(self.ask("POST", "/v2/a/blobs/uploads/"))
            for piece in pieces:
                answer = self.ask("PATCH", place, piece)
                self.assertEqual(answer.status, 202)
                place = place if turn % 2 else path_of(answer)
            content = b"".join(pieces)
            self.assert_ends(place, content)

    def assert_ends(self, place: str, content: bytes, rest: bytes = b"") -> None:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.assertEqual(self.ask("PUT", closing(place, digest), rest).status, 201)
        answer = self.ask("GET", f"/v2/a/blobs/{digest}")
        self.assertEqual(answer.body, content)  # type: ignore[attr-defined]

    def test_two_workers_by_turns(self) -> None:
        """One connection to each of two workers: of the session, one has what the other knows nothing of."""
        workers = self.connections_to_two()
        pieces = [os.urandom(size) for size in (3, 2 << 20, 70_000)]
        place = path_of(asked(workers[0], "POST", "/v2/a/blobs/uploads/"))
        self.assertIn("?_state=sha256", place)
        offset = 0
        for number, piece in enumerate(pieces):
            answer = asked(workers[(number + 1) % 2], "PATCH", place, piece)
            place, offset = path_of(answer), offset + len(piece)
            self.assertEqual((answer.status, answer.headers["Range"]), (202, f"0-{offset - 1}"))
            self.assertNotIn("?", place)
            for worker in workers:
                self.assertEqual(asked(worker, "GET", place).headers["Range"], f"0-{offset - 1}")
        self.assert_ends(place, b"".join(pieces) + b"end", b"end")

    def test_cancelled_in_another_worker(self) -> None:
        """With bytes or before them."""
        workers = self.connections_to_two()
        for piece in (b"", b"abc"):
            place = path_of(asked(workers[0], "POST", "/v2/a/blobs/uploads/"))
            if piece:
                place = path_of(asked(workers[0], "PATCH", place, piece))
            self.assertEqual(asked(workers[1], "DELETE", place).status, 204)
            for worker in workers:
                for method in ("GET", "PATCH", "DELETE"):
                    self.assertEqual(asked(worker, method, place, None if method == "GET" else b"").status, 404)
        self.assertFalse(self.sessions() - {"progress", "startedat"})

    def test_a_worker_that_ends_within_the_first_request(self) -> None:
        """What came of it, if it is more than a batch, is where any other goes on."""
        content = os.urandom(5 << 20)
        place = path_of(self.ask("POST", "/v2/a/blobs/uploads/"))
        connection = self.connect()
        connection.putrequest("PATCH", place)
        connection.putheader("Content-Length", str(len(content)))
        connection.endheaders(content[: 3 << 20])
        self.until(lambda: "progress" in self.sessions() and self.offset(place) >= 1 << 20)
        [victim] = [child for child in children(self.registry.pid) if self.has_open(child, "_uploads")]
        os.kill(victim, signal.SIGKILL)
        self.until(lambda: victim not in children(self.registry.pid))
        offset = self.offset(place)
        self.assertTrue(1 << 20 <= offset <= 3 << 20, offset)
        self.assert_ends(place, content, content[offset:])

    def offset(self, place: str) -> int:
        """Bytes of the session, but one for none."""
        answer = self.ask("GET", place)
        self.assertEqual(answer.status, 204)
        return int(answer.headers["Range"].partition("-")[2]) + 1

    def sessions(self) -> set[str]:
        """The names of all files of upload sessions."""
        return {
            name
            for folder, _, names in os.walk(self.registry.data)
            if "_uploads" in folder.split(os.sep)
            for name in names
        }

    def has_open(self, pid: int, word: str) -> bool:
        """Whether a process has a file open whose path has that word."""
        folder = f"/proc/{pid}/fd"
        found = []
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                found.append(os.readlink(f"{folder}/{name}"))
        return any(word in path for path in found)

    def connections_to_two(self) -> list[http.client.HTTPConnection]:
        """Persistent connections, each held by another worker."""
        held: dict[int, http.client.HTTPConnection] = {}

        def connect() -> bool:
            connection = self.connect()
            asked(connection, "GET", "/v2/")
            held.setdefault(self.holder(connection), connection)
            return len(held) >= 2

        self.until(connect)
        return list(held.values())[:2]

    def holder(self, connection: http.client.HTTPConnection) -> int:
        """The process at the other end."""
        local, remote = connection.sock.getsockname()[1], connection.sock.getpeername()[1]
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file][1:]
        [inode] = [
            row[9]
            for row in rows
            if (int(row[1].rpartition(":")[2], 16), int(row[2].rpartition(":")[2], 16)) == (remote, local)
        ]
        [pid] = [child for child in children(self.registry.pid) if self.has_open(child, f"socket:[{inode}]")]
        return pid

    def test_a_killed_worker_is_replaced(self) -> None:
        before = children(self.registry.pid)
        victim = before.pop()
        os.kill(victim, signal.SIGKILL)
        for _ in range(30):  # the others serve
            self.assertEqual(self.ask("GET", "/v2/").status, 200)
        self.until(lambda: "ended" in self.registry.read_log() and len(children(self.registry.pid)) == 3)
        self.assertTrue(before < children(self.registry.pid))

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
