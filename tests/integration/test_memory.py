"""What large content, slow readers and long listings cost the server in memory: little, whatever their size."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import SkipTest

from .raw import Peer, ServedTestCase, closing, path_of, request, sha256

MIB = 1 << 20
LARGE = 2 << 30
BOUND = 64 * MIB
PATIENCE = 60.0
TAGS = 100_000
REPOSITORIES = 10_000
_BLOCK = os.urandom(MIB)


def blocks(size: int) -> Iterator[bytes]:
    """Content whose every MiB differs from the one before, made as it is sent."""
    for number in range(size // MIB):
        yield b"%016x" % number
        yield memoryview(_BLOCK)[16:]


def digest_of(size: int) -> str:
    hashed = hashlib.sha256()
    for block in blocks(size):
        hashed.update(block)
    return "sha256:" + hashed.hexdigest()


class Watch:
    """The most memory that a process holds while this is open, beyond what it held before."""

    def __init__(self, resident: Callable[[], int]) -> None:
        self._resident = resident
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.growth = 0

    def __enter__(self) -> Watch:
        self._before = self._resident()
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.01):
            self.growth = max(self.growth, self._resident() - self._before)


class MemoryTestCase(ServedTestCase):
    def watched(self) -> Watch:
        return Watch(self.served.resident)

    def assert_flat(self, watch: Watch) -> None:
        self.assertLess(watch.growth, BOUND, f"{watch.growth / MIB:.0f} MiB")

    def read_blob(self, digest: str, pause: float = 0.0) -> tuple[int, str]:
        """The size and the digest of what came, read without keeping it."""
        size, found = 0, hashlib.sha256()
        buffer = bytearray(MIB)
        with Peer(self.served.port, PATIENCE) as peer:
            peer.send(request("GET", f"/v2/large/blobs/{digest}", None, connection="close"))
            head = b""
            while b"\r\n\r\n" not in head:
                head += peer.socket.recv(1)
            while count := peer.socket.recv_into(buffer):
                size += count
                found.update(memoryview(buffer)[:count])
                if pause:
                    time.sleep(pause)
        return size, "sha256:" + found.hexdigest()


class LargeBlobTests(MemoryTestCase):
    def setUp(self) -> None:
        super().setUp()
        if shutil.disk_usage(self.served.folder).free < 3 * LARGE:
            raise SkipTest("too little room on the disk")

    def send_all(self, peer: Peer, head: str, size: int) -> str:
        """The digest of what was sent."""
        hashed = hashlib.sha256()
        peer.send(f"{head} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
        for block in blocks(size):
            hashed.update(block)
            peer.send(block)
        return "sha256:" + hashed.hexdigest()

    def test_two_gibibytes(self) -> None:
        """Pushed by POST, PATCH and PUT; pulled. Then a part of them by POST and PUT."""
        with Peer(self.served.port, PATIENCE) as peer, self.watched() as pushing:
            place = peer.start("large")
            digest = self.send_all(peer, f"PATCH {place}", LARGE)
            found = peer.answer("PATCH")
            assert found is not None
            self.assertEqual(found.headers["range"], f"0-{LARGE - 1}")
            found = peer.ask("PUT", closing(path_of(found), digest), b"")
            self.assertEqual(found.status, 201)
        with self.watched() as pulling:
            self.assertEqual(self.read_blob(digest), (LARGE, digest))
        digest = digest_of(LARGE // 4)
        with Peer(self.served.port, PATIENCE) as peer, self.watched() as putting:
            self.send_all(peer, f"PUT {closing(peer.start('large'), digest)}", LARGE // 4)
            answer = peer.answer("PUT")
            assert answer is not None
            self.assertEqual(answer.status, 201)
        for watch in (pushing, pulling, putting):
            self.assert_flat(watch)

    def test_slow_readers(self) -> None:
        size = 128 * MIB
        digest = digest_of(size)
        with Peer(self.served.port, PATIENCE) as peer:
            self.send_all(peer, f"POST /v2/large/blobs/uploads/?digest={digest}", size)
            peer.answer("POST")
        results: list[tuple[int, str]] = []
        threads = [
            threading.Thread(target=lambda: results.append(self.read_blob(digest, 0.001)), daemon=True)
            for _ in range(8)
        ]
        with self.watched() as watch:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(PATIENCE)
        self.assertEqual(results, [(size, digest)] * 8)
        self.assert_flat(watch)


class SmallChunksTests(MemoryTestCase):
    def test_chunks_of_a_byte(self) -> None:
        """A body in very small pieces costs no more than its bytes, some times over."""
        piece = b"1\r\na\r\n" * 10_000
        count = 50
        digest = sha256(b"a" * 10_000 * count)
        with Peer(self.served.port, PATIENCE) as peer, self.watched() as watch:
            peer.send(f"POST /v2/large/blobs/uploads/?digest={digest} HTTP/1.1\r\n".encode())
            peer.send(b"Host: x\r\nTransfer-Encoding: chunked\r\n\r\n", *[piece] * count, b"0\r\n\r\n")
            answer = peer.answer("POST")
            assert answer is not None
            self.assertEqual(answer.status, 201)
        self.assertLess(watch.growth, 2 * BOUND)


class LongListingTests(MemoryTestCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        root = os.path.join(cls.served.data, "docker", "registry", "v2", "repositories")
        tags = os.path.join(root, "long", "_manifests", "tags")
        os.makedirs(tags)
        for number in range(TAGS):  # a listing does not look into them; links are made and removed fast
            if number % 50_000 == 0:
                origin = f"{tags}/v{number:06d}"
                open(origin, "wb").close()
            else:
                os.link(origin, f"{tags}/v{number:06d}")
        for number in range(REPOSITORIES - 1):
            manifests = f"{root}/team-{number % 50:02d}/app-{number:05d}/_manifests"
            os.makedirs(manifests)
            os.link(origin, f"{manifests}/tags")

    @classmethod
    def tearDownClass(cls) -> None:
        cls.served.kill()
        subprocess.run(["rm", "-rf", cls.served.data], check=True)  # much faster than shutil
        super().tearDownClass()

    def test_all_tags(self) -> None:
        expected = [f"v{number:06d}" for number in range(TAGS)]
        with Peer(self.served.port, PATIENCE) as peer, self.watched() as watch:
            for _ in range(2):
                self.assertEqual(peer.ask("GET", "/v2/long/tags/list").json()["tags"], expected)
        self.assert_flat(watch)

    def test_all_tags_for_one_who_does_not_read(self) -> None:
        with self.watched() as watch:
            peers = [self.peer().send(request("GET", "/v2/long/tags/list")) for _ in range(8)]
            time.sleep(1)
            for peer in peers:
                peer.socket.close()
        self.assert_flat(watch)

    def test_all_repositories(self) -> None:
        found: list[str] = []
        with Peer(self.served.port, PATIENCE) as peer, self.watched() as watch:
            target = "/v2/_catalog?n=1000"
            while target:
                answer = peer.ask("GET", target)
                found += answer.json()["repositories"]
                target = answer.headers.get("link", "").partition("<")[2].partition(">")[0]
        self.assertEqual(len(found), REPOSITORIES)
        self.assertEqual(found, sorted(set(found)))
        self.assert_flat(watch)
