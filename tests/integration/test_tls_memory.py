"""What TLS costs in memory: little, however large the content and however slow the client."""

from __future__ import annotations

import hashlib
import os
import ssl
import threading
import time
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .test_memory import BOUND, MIB, Watch, blocks, digest_of
from .tls_server import TlsRegistry

LARGE = 512 * MIB
PATIENCE = 60.0
MANY = 2000


class TlsMemoryTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.registry = TlsRegistry(http={"workers": 2})
        self.registry.__enter__()
        self.addCleanup(self.registry.__exit__, None, None, None)

    def peer(self) -> ssl.SSLSocket:
        made = self.registry.socket()
        made.settimeout(PATIENCE)
        self.addCleanup(made.close)
        return made

    def push(self, size: int) -> str:
        digest = digest_of(size)
        with self.peer() as peer:
            head = f"POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n"
            peer.sendall(head.encode())
            for block in blocks(size):
                peer.sendall(block)
            self.assertTrue(peer.recv(1000).startswith(b"HTTP/1.1 201 "))
        return digest

    def pull(self, digest: str, size: int, pause: float = 0.0) -> str:
        """The digest of what came."""
        hashed = hashlib.sha256()
        with self.peer() as peer:
            peer.sendall(f"GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += peer.recv(1)
            while size:
                piece = peer.recv(min(size, 1 << 16))
                if not piece:
                    break
                hashed.update(piece)
                size -= len(piece)
                time.sleep(pause)
        return f"sha256:{hashed.hexdigest()}"

    def assert_flat(self, watch: Watch) -> None:
        self.assertLess(watch.growth, BOUND, f"{watch.growth / MIB:.0f} MiB")

    def test_large(self) -> None:
        with Watch(self.registry.resident) as pushing:
            digest = self.push(LARGE)
        with Watch(self.registry.resident) as pulling:
            self.assertEqual(self.pull(digest, LARGE), digest)
        self.assert_flat(pushing)
        self.assert_flat(pulling)

    def test_slow_readers(self) -> None:
        size = 64 * MIB
        digest = self.push(size)
        results: list[Any] = []
        threads = [
            threading.Thread(target=lambda: results.append(self.pull(digest, size, 0.001)), daemon=True)
            for _ in range(8)
        ]
        with Watch(self.registry.resident) as watch:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
        self.assertEqual(results, [digest] * 8)
        self.assert_flat(watch)

    def test_a_reader_that_stops(self) -> None:
        """Nothing more is read for whoever does not take what is there."""
        digest = self.push(LARGE)
        with Watch(self.registry.resident) as watch:
            peers = [self.peer() for _ in range(8)]
            for peer in peers:
                peer.sendall(f"GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                peer.recv(1)
            time.sleep(2)
            for peer in peers:
                peer.close()
        self.assert_flat(watch)

    def test_pipelined(self) -> None:
        """Of answers that nobody takes only a few are made, and then all come in order."""
        content = os.urandom(60_000)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        with self.peer() as peer:
            head = f"POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n"
            peer.sendall(head.encode() + content)
            self.assertTrue(peer.recv(1000).startswith(b"HTTP/1.1 201 "))
        ask = f"GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        peer = self.peer()

        def send() -> None:
            for _ in range(MANY):
                peer.sendall(ask)

        sender = threading.Thread(target=send, daemon=True)
        with Watch(self.registry.resident) as watch:
            sender.start()
            time.sleep(2)
            received, count = b"", 0
            while count < MANY:
                piece = peer.recv(1 << 20)
                self.assertTrue(piece)
                received += piece
                while (end := received.find(b"\r\n\r\n")) >= 0 and len(received) >= end + 4 + len(content):
                    self.assertEqual(received[end + 4 : end + 4 + len(content)], content)
                    received = received[end + 4 + len(content) :]
                    count += 1
            sender.join(PATIENCE)
        self.assert_flat(watch)
