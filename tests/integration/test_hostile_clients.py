"""Clients that are slow, idle, rude or gone; others are served meanwhile."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .raw import PATIENCE, Peer, ServedTestCase, closing, image, path_of, request, sha256
from .server import RunningRegistry

SMALL = b"small"
LARGE_SIZE = 64 << 20
MANY = 200


def open_files(served: RunningRegistry) -> int:
    """Of all the server's processes."""
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid, _ in served._pids())


class HostileClientTests(ServedTestCase):
    large: str

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        with Peer(cls.served.port, 4 * PATIENCE) as peer:
            cls.large = peer.push_blob("slow", os.urandom(1 << 20) * (LARGE_SIZE >> 20))
            peer.push_blob("slow", SMALL)

    def assert_prompt(self) -> None:
        for _ in range(3):
            asked = time.monotonic()
            self.assertEqual(self.ask("GET", f"/v2/slow/blobs/{sha256(SMALL)}").body, SMALL)
            self.ask("POST", f"/v2/slow/blobs/uploads/?digest={sha256(b'x')}", b"x")
            self.assertLess(time.monotonic() - asked, 2.0)

    @contextmanager
    def settling(self) -> Iterator[None]:
        """What the server opens within is closed again some time after."""
        self.assert_prompt()
        before = open_files(self.served)
        yield
        deadline = time.monotonic() + PATIENCE
        while open_files(self.served) > before and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertLessEqual(open_files(self.served), before)

    def test_byte_by_byte(self) -> None:
        """Headers, a body and chunks, each a byte at a time, are a request like any other."""
        target = f"/v2/slow/blobs/uploads/?digest={sha256(b'abc')}"
        chunked = f"POST {target} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        messages = [
            request("GET", "/v2/"),
            request("POST", f"/v2/slow/blobs/uploads/?digest={sha256(b'body')}", b"body"),
            chunked.encode() + b"1;x=y\r\na\r\n2\r\nbc\r\n0\r\nT: u\r\n\r\n",
        ]
        peers = [self.peer() for _ in messages]
        for position in range(max(map(len, messages))):
            for peer, sent in zip(peers, messages, strict=True):
                peer.send(sent[position : position + 1])
            time.sleep(0.002)
        self.assertEqual([found.status for peer in peers if (found := peer.answer())], [200, 201, 201])

    def test_a_byte_a_second(self) -> None:
        head, body = self.peer(), self.peer()
        body.send(
            request("POST", f"/v2/slow/blobs/uploads/?digest={sha256(b'abc')}")[:-2] + b"Content-Length: 3\r\n\r\n"
        )
        for letter in (b"a", b"b", b"c"):
            head.send(letter)
            body.send(letter)
            self.assert_prompt()
            time.sleep(1)
        found = body.answer("POST")
        assert found is not None
        self.assertEqual(found.status, 201)

    def test_idle_connections(self) -> None:
        with self.settling():
            peers = [self.peer() for _ in range(MANY)]
            for number, peer in enumerate(peers):
                peer.send(
                    (b"", b"G", b"GET /v2/ HTTP/1.1\r\nHost: x\r\n", request("POST", "/v2/slow/blobs/uploads/")[:-2])[
                        number % 4
                    ]
                )
            self.assert_prompt()
            for peer in peers:
                peer.socket.close()

    def test_downloads_that_nobody_reads(self) -> None:
        with self.settling():
            peers = [self.peer().send(request("GET", f"/v2/slow/blobs/{self.large}")) for _ in range(8)]
            time.sleep(0.3)
            before = self.served.resident()
            self.assert_prompt()
            time.sleep(0.5)
            self.assertLess(self.served.resident() - before, 8 << 20)
            for peer in peers[:4]:
                reset(peer)
            for peer in peers[4:]:
                peer.socket.close()

    def test_a_download_whose_reader_pauses(self) -> None:
        with self.peer(4 * PATIENCE) as peer:
            peer.send(request("GET", f"/v2/slow/blobs/{self.large}"))
            time.sleep(0.5)
            found = peer.answer()
            assert found is not None
            self.assertEqual(sha256(found.body), self.large)
            self.assertEqual(peer.ask("GET", "/v2/").status, 200)

    def test_many_answers_that_nobody_reads(self) -> None:
        """Requests in one packet: the next is not answered before the answers to those before are nearly all sent."""
        with Peer(self.served.port) as peer:
            content = image(SMALL)
            content += b" " * ((4 << 20) - len(content))
            self.assertEqual(peer.push_manifest("slow", "large", content).status, 201)
            peer.push_blob("slow", b"m" * 60_000)
        for target in ("manifests/large", f"blobs/{sha256(b'm' * 60_000)}", "manifests/nothing"):
            with self.subTest(target=target), self.settling(), self.peer() as peer:
                before = self.served.resident()
                peer.send(request("GET", f"/v2/slow/{target}") * 500)
                time.sleep(1)
                self.assertLess(self.served.resident() - before, 32 << 20)
                self.assert_prompt()

    def test_uploads_that_break_off(self) -> None:
        """The session keeps what came; the file is free for the next request."""
        for break_off in (reset, lambda peer: peer.socket.close(), lambda peer: peer.end()):
            with self.settling():
                place = path_of(self.ask("POST", "/v2/slow/blobs/uploads/", b""))
                peer = self.peer().send(
                    f"PATCH {place} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n".encode()
                )
                peer.send(b"a" * 3_000_000)
                time.sleep(0.1)
                break_off(peer)
                offset = self.offset_when_free(place)
                self.assertTrue(0 < offset <= 3_000_000)
                peer.socket.close()
            rest = b"b" * 10
            digest = sha256(b"a" * offset + rest)
            self.assertEqual(self.ask("PUT", closing(place, digest), rest).status, 201)
            self.assertEqual(sha256(self.ask("GET", f"/v2/slow/blobs/{digest}").body), digest)

    def offset_when_free(self, place: str) -> int:
        deadline = time.monotonic() + PATIENCE
        while True:
            found = self.ask("PATCH", place, b"")
            if found.status == 202 and found.headers["range"] != "0-0":  # that would be before the first byte
                return int(found.headers["range"].partition("-")[2]) + 1
            self.assertIn(found.status, (202, 416))
            self.assertLess(time.monotonic(), deadline, "the session is never free")
            time.sleep(0.02)

    def test_pushes_that_break_off(self) -> None:
        with self.settling():
            for size in (0, 1, 100_000, 2_000_000):
                for content_length in (b"Content-Length: 5000000", b"Transfer-Encoding: chunked"):
                    for target in (f"blobs/uploads/?digest={sha256(b'no')}", "blobs/uploads/", "manifests/t"):
                        method = "PUT" if target == "manifests/t" else "POST"
                        with self.peer() as peer:
                            peer.send(f"{method} /v2/broken/{target} HTTP/1.1\r\nHost: x\r\n".encode())
                            peer.send(content_length + b"\r\n\r\n", b"%x\r\n" % size, b"a" * size)
        self.assertEqual(self.ask("GET", "/v2/broken/tags/list").status, 404)
        self.assertEqual(self.ask("HEAD", f"/v2/broken/blobs/{sha256(b'no')}").status, 404)


def reset(peer: Peer) -> None:
    peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.socket.close()
