"""How the server ends: what is under way may finish within ``http.draintimeout``, and nothing that arrived is lost."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

from .raw import Peer, WellTestCase, closing, path_of, request, sha256
from .server import RunningRegistry

LARGE = os.urandom(1 << 20) * 32
UPLOAD = os.urandom(1 << 20) * 8
PROMPT = 5.0


class ShutdownTestCase(WellTestCase):
    def served(self, timeout: str | None, clean: bool = True) -> RunningRegistry:
        running = RunningRegistry({"http": {}} if timeout is None else {"http": {"draintimeout": timeout}})
        running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        for _ in range(16):  # of several processes each has answered, and will
            with Peer(running.port, 15) as peer:
                peer.ask("GET", "/v2/")
        if clean:
            self.addCleanup(lambda: self.assert_clean(running.read_log()))
        return running

    def peer(self, served: RunningRegistry, timeout: float = 15) -> Peer:
        found = Peer(served.port, timeout)
        self.addCleanup(found.socket.close)
        return found

    def terminate(self, served: RunningRegistry) -> Callable[[], float]:
        """SIGTERM; gives what waits for the end, and says how long it took."""
        ended: list[int] = []
        began = time.monotonic()
        thread = threading.Thread(target=lambda: ended.append(served.stop()), daemon=True)
        thread.start()
        time.sleep(0.2)

        def wait() -> float:
            thread.join(30)
            self.assertEqual(len(ended), 1, "it does not end")
            self.assertIn(ended[0], (0, -signal.SIGTERM))
            return time.monotonic() - began

        return wait

    def upload(self, served: RunningRegistry, peer: Peer, size: int, length: int = len(UPLOAD)) -> str:
        """A session, and on ``peer`` the first ``size`` bytes of a PATCH of ``length`` bytes to it."""
        place = self.peer(served).start("end")
        peer.send(f"PATCH {place} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode(), UPLOAD[:size])
        time.sleep(0.3)
        return place

    def assert_resumable(self, served: RunningRegistry, place: str, least: int, most: int) -> None:
        """After a new start the session stands between the two, and ends with the right bytes."""
        served.start()
        peer = self.peer(served)
        status = peer.ask("GET", place)
        self.assertEqual(status.status, 204)
        offset = int(status.headers["range"].partition("-")[2]) + 1
        self.assertGreaterEqual(offset, least)
        self.assertLessEqual(offset, most)
        span = f"{offset}-{len(UPLOAD) - 1}"
        self.assertEqual(peer.ask("PATCH", place, UPLOAD[offset:], content_range=span).status, 202)
        self.assertEqual(peer.ask("PUT", closing(place, sha256(UPLOAD)), b"").status, 201)
        self.assertEqual(peer.ask("GET", f"/v2/end/blobs/{sha256(UPLOAD)}").body, UPLOAD)


class DrainTests(ShutdownTestCase):
    def test_what_is_under_way_ends(self) -> None:
        """A download and an upload go on, idle connections end, there are no new ones; then the process ends."""
        served = self.served("20s")
        peer = self.peer(served)
        digest = peer.push_blob("end", LARGE)
        idle = [self.peer(served), self.peer(served)]
        idle[1].ask("GET", "/v2/")
        uploading, downloading = self.peer(served), self.peer(served)
        place = self.upload(served, uploading, 3 << 20)
        downloading.send(request("GET", f"/v2/end/blobs/{digest}"))
        time.sleep(0.2)
        wait = self.terminate(served)
        for each in idle:
            self.assertEqual(each.rest(), b"")
        self.assertRaises(OSError, Peer, served.port, 1)
        found = downloading.answer()
        assert found is not None
        self.assertEqual(sha256(found.body), digest)
        self.assertEqual(downloading.rest(), b"")
        found = uploading.send(UPLOAD[3 << 20 :]).answer("PATCH")
        assert found is not None
        self.assertEqual(found.status, 202)
        self.assertEqual(found.headers.get("connection"), "close")
        self.assertEqual(uploading.rest(), b"")
        self.assertLess(wait(), 10)
        served.start()
        self.assertEqual(self.peer(served).ask("PUT", closing(place, sha256(UPLOAD)), b"").status, 201)

    def test_a_blob_that_is_nearly_whole(self) -> None:
        served = self.served("20s")
        peer = self.peer(served)
        digest = sha256(UPLOAD)
        peer.send(request("POST", f"/v2/end/blobs/uploads/?digest={digest}")[:-2])
        peer.send(f"Content-Length: {len(UPLOAD)}\r\n\r\n".encode(), UPLOAD[:-1])
        time.sleep(0.3)
        wait = self.terminate(served)
        found = peer.send(UPLOAD[-1:]).answer("POST")
        assert found is not None
        self.assertEqual(found.status, 201)
        self.assertLess(wait(), 10)
        served.start()
        self.assertEqual(self.peer(served).ask("GET", f"/v2/end/blobs/{digest}").body, UPLOAD)

    def test_headers_that_are_half_sent(self) -> None:
        """The request is answered, or not; the connection ends with it, and does not hold the process up."""
        served = self.served("8s")
        sent = request("GET", "/v2/")
        half, stuck = self.peer(served).send(sent[:20]), self.peer(served).send(sent[:20])
        time.sleep(0.2)
        wait = self.terminate(served)
        stuck.socket.close()
        half.send(sent[20:])
        found = half.answer()
        self.assertTrue(found is None or found.status == 200)
        self.assertEqual(half.rest(), b"")
        self.assertLess(wait(), PROMPT)

    def test_clients_that_went_away_before(self) -> None:
        """Nothing is waited for on behalf of connections that are gone, however they went."""
        served = self.served("15s")
        peer = self.peer(served)
        digest = peer.push_blob("end", LARGE)
        for sent in (b"", b"G", b"GET /v2/ HT", b"GET /v2/ HTTP/1.1\r\nHost", b"\0\r\n", b"x\r\n\r\n"):
            with self.peer(served) as gone:
                gone.send(sent)
                time.sleep(0.05)
        with self.peer(served) as gone:
            gone.send(request("GET", f"/v2/end/blobs/{digest}"))
            time.sleep(0.05)
        with self.peer(served) as gone:
            self.upload(served, gone, 1 << 20)
        peer.socket.close()
        time.sleep(0.3)
        self.assertLess(self.terminate(served)(), PROMPT)

    def test_requests_after_the_signal(self) -> None:
        """A connection that is busy gets its answer, and takes no more requests."""
        served = self.served("15s")
        peer = self.peer(served)
        digest = peer.push_blob("end", LARGE)
        peer.send(request("GET", f"/v2/end/blobs/{digest}"))
        time.sleep(0.2)
        wait = self.terminate(served)
        peer.send(request("GET", "/v2/") * 3)
        found = peer.answer()
        assert found is not None
        self.assertEqual(sha256(found.body), digest)
        self.assertEqual(peer.rest(), b"")
        self.assertLess(wait(), 10)


class BreakTests(ShutdownTestCase):
    def test_without_a_timeout(self) -> None:
        served = self.served(None)
        digest = self.peer(served).push_blob("end", LARGE)
        idle, uploading, downloading = self.peer(served), self.peer(served), self.peer(served)
        place = self.upload(served, uploading, (5 << 20) + 12_345)
        downloading.send(request("GET", f"/v2/end/blobs/{digest}"))
        time.sleep(0.2)
        self.assertLess(self.terminate(served)(), PROMPT)
        self.assertEqual(idle.rest(), b"")
        self.assertEqual(uploading.rest(), b"")
        self.assert_resumable(served, place, (4 << 20) - 1, (5 << 20) + 12_345)

    def test_a_timeout_that_is_exceeded(self) -> None:
        served = self.served("1s")
        uploading, second = self.peer(served), self.peer(served)
        place = self.upload(served, uploading, 3 << 20)
        other = self.upload(served, second, 100)
        took = self.terminate(served)()
        self.assertGreater(took, 0.9)
        self.assertLess(took, PROMPT)
        self.assert_resumable(served, place, 2 << 20, 3 << 20)
        served.kill()
        self.assert_resumable(served, other, 100, 100)

    def test_a_reader_that_has_stopped(self) -> None:
        served = self.served("1s")
        peer = self.peer(served)
        digest = peer.push_blob("end", LARGE)
        peer.send(request("GET", f"/v2/end/blobs/{digest}"))
        self.assertLess(self.terminate(served)(), PROMPT)

    def test_a_second_signal(self) -> None:
        served = self.served("15s", clean=False)  # Twisted complains of the second stop
        uploading = self.peer(served)
        self.upload(served, uploading, 1 << 20)
        wait = self.terminate(served)
        os.kill(served.pid, signal.SIGTERM)
        time.sleep(0.2)
        uploading.send(UPLOAD[1 << 20 :])
        uploading.answer("PATCH")
        self.assertLess(wait(), 10)

    def test_pushes_that_are_confirmed_while_it_ends(self) -> None:
        """Whatever had its 201 is there after the next start."""
        served = self.served("5s")
        confirmed: dict[str, bytes] = {}

        def push(number: int) -> None:
            try:
                with Peer(served.port, 5) as peer:
                    for count in range(10_000):
                        content = b"%d %d" % (number, count) * 20_000
                        found = peer.ask("POST", f"/v2/end/blobs/uploads/?digest={sha256(content)}", content)
                        if found.status == 201:
                            confirmed[path_of(found)] = content
            except (AssertionError, OSError):
                return

        threads = [threading.Thread(target=push, args=(number,), daemon=True) for number in range(8)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 2 * PROMPT
        while len(confirmed) < 40 and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertLess(self.terminate(served)(), 2 * PROMPT)
        for thread in threads:
            thread.join(10)
        self.assertGreaterEqual(len(confirmed), 40)
        served.start()
        peer = self.peer(served)
        for path, content in confirmed.items():
            self.assertEqual(peer.ask("GET", path).body, content)
