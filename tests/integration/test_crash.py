"""The server is killed while it takes pushes: what it has confirmed is there afterwards, and nothing in part."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any

from .raw import Answer, Peer, WellTestCase, closing, image, path_of, request, sha256
from .server import RunningRegistry

CONNECTIONS = 8
ROUNDS = 3
PIECE = 1 << 18


class Pusher(threading.Thread):
    """
    A client that pushes images, one after another, until the server is gone.

    It keeps a record of what was confirmed (blobs by digest, tags), and of the last state of its upload.
    """

    def __init__(self, port: int, number: int, round_: int) -> None:
        super().__init__(daemon=True)
        self.repository = f"crash/r{number % 3}"
        self.random = random.Random(round_ * 100 + number)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.tags: dict[str, str] = {}
        self.upload: tuple[str, bytes, int] | None = None
        self.closing = False
        self.unexpected: list[Answer] = []
        self._prefix = f"c{number}-{round_}"
        self._port = port

    def run(self) -> None:
        try:
            with Peer(self._port, 20) as peer:
                for count in range(10_000):
                    self.push_image(peer, count)
        except (AssertionError, OSError):
            return  # the server is gone

    def push_image(self, peer: Peer, count: int) -> None:
        ways = (self.whole, self.streamed, self.chunked)
        contents = [self.random.randbytes(self.random.choice((10, 5000, 300_000, 3_000_000))) for _ in range(2)]
        for content in contents:
            self.random.choice(ways)(peer, content)
        manifest = image(*contents, annotations={"of": f"{self._prefix}-{count}"})
        tag = self.random.choice((f"{self._prefix}-{count}", "shared", self._prefix))
        if self.confirm(peer.push_manifest(self.repository, tag, manifest), 201):
            self.manifests[sha256(manifest)] = manifest
            self.tags[tag] = sha256(manifest)

    def confirm(self, found: Answer | None, status: int) -> bool:
        if found is None:
            raise ConnectionError
        if found.status != status:
            self.unexpected.append(found)
        return found.status == status

    def whole(self, peer: Peer, content: bytes) -> None:
        digest = sha256(content)
        found = peer.ask("POST", f"/v2/{self.repository}/blobs/uploads/?digest={digest}", content)
        if self.confirm(found, 201):
            self.blobs[digest] = content

    def streamed(self, peer: Peer, content: bytes) -> None:
        place = peer.start(self.repository)
        self.upload = (place, content, 0)
        peer.send(f"PATCH {place} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        for start in range(0, len(content), PIECE):
            piece = content[start : start + PIECE]
            peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.confirm(peer.send(b"0\r\n\r\n").answer("PATCH"), 202)
        self.finish(peer, place, content, b"")

    def chunked(self, peer: Peer, content: bytes) -> None:
        place = peer.start(self.repository)
        self.upload = (place, content, 0)
        size = max(1, len(content) // 3)
        for start in range(0, len(content) - size, size):
            span = f"{start}-{start + size - 1}"
            place = path_of(peer.ask("PATCH", place, content[start : start + size], content_range=span))
            self.upload = (place, content, start + size)
        self.finish(peer, place, content, content[self.upload[2] :])

    def finish(self, peer: Peer, place: str, content: bytes, last: bytes) -> None:
        assert self.upload is not None
        self.upload = (place, content, len(content) - len(last))
        self.closing = True
        digest = sha256(content)
        found = peer.send(request("PUT", closing(place, digest), last)).answer("PUT")
        if found is None:
            raise ConnectionError
        self.closing = False
        self.upload = None
        if self.confirm(found, 201):
            self.blobs[digest] = content


class CrashTests(WellTestCase):
    def test_pushes(self) -> None:
        confirmed: list[Pusher] = []
        resumed = 0
        with RunningRegistry() as served:
            chance = random.Random(5)
            for round_ in range(ROUNDS):
                pushers = [Pusher(served.port, number, round_) for number in range(CONNECTIONS)]
                for pusher in pushers:
                    pusher.start()
                time.sleep(chance.uniform(0.2, 1.2))
                served.kill()
                for pusher in pushers:
                    pusher.join(20)
                    self.assertEqual(pusher.unexpected, [])
                served.start()
                confirmed += pushers
                with Peer(served.port, 20) as peer:
                    self.assert_confirmed(peer, pushers)
                    for pusher in pushers:
                        resumed += self.assert_resumable(peer, pusher)
                self.assert_consistent(served)
            with Peer(served.port, 20) as peer:
                self.assert_confirmed(peer, confirmed)
            self.assert_clean(served.read_log())
        self.assertGreater(sum(len(pusher.blobs) for pusher in confirmed), 10)
        self.assertGreater(resumed, 0)

    def assert_confirmed(self, peer: Peer, pushers: list[Pusher]) -> None:
        last = {tag: (pusher, digest) for pusher in pushers for tag, digest in pusher.tags.items()}
        for pusher in pushers:
            for digest, content in pusher.blobs.items():
                self.assertEqual(peer.ask("GET", f"/v2/{pusher.repository}/blobs/{digest}").body, content)
            for digest, content in pusher.manifests.items():
                self.assertEqual(peer.ask("GET", f"/v2/{pusher.repository}/manifests/{digest}").body, content)
        for tag, (pusher, digest) in last.items():
            found = peer.ask("HEAD", f"/v2/{pusher.repository}/manifests/{tag}")
            self.assertEqual(found.status, 200, (pusher.repository, tag))
            if tag.startswith("c") and tag.count("-") == 2:
                self.assertEqual(found.headers["docker-content-digest"], digest)

    def assert_resumable(self, peer: Peer, pusher: Pusher) -> bool:
        """The session goes on at the offset that the server states, and ends with the right bytes."""
        if pusher.upload is None:
            return False
        place, content, confirmed = pusher.upload
        status = peer.ask("GET", place)
        digest = sha256(content)
        if status.status == 404:
            self.assertTrue(pusher.closing, "a session is gone that nothing has ended")
            self.assertIn(peer.ask("HEAD", f"/v2/{pusher.repository}/blobs/{digest}").status, (200, 404))
            return False
        self.assertEqual(status.status, 204)
        last = int(status.headers["range"].partition("-")[2])
        offset = last + 1 if last else confirmed  # 0-0 is nothing, or one byte
        self.assertGreaterEqual(offset, confirmed)
        if offset < len(content):
            span = f"{offset}-{len(content) - 1}"
            found = peer.ask("PATCH", place, content[offset:], content_range=span)
            self.assertEqual(found.status, 202, (found, offset, len(content)))
        found = peer.ask("PUT", closing(place, digest), b"")
        self.assertEqual(found.status, 201, found)
        self.assertEqual(peer.ask("GET", f"/v2/{pusher.repository}/blobs/{digest}").body, content)
        return True

    def test_deletes_and_moves_of_tags(self) -> None:
        """Tags move and go, manifests go: at no moment is a tag listed that leads nowhere."""
        with RunningRegistry() as served:
            chance = random.Random(6)
            for _ in range(ROUNDS):
                with Peer(served.port) as peer:
                    peer.push_blob("crash/tags", b"{}")
                stop = threading.Event()
                workers = [
                    threading.Thread(target=until_gone, args=(served.port, step, number, stop), daemon=True)
                    for number in range(CONNECTIONS // 2)
                    for step in (move_tag, remove_tag)
                ]
                for worker in workers:
                    worker.start()
                time.sleep(chance.uniform(0.1, 0.5))
                served.kill()
                stop.set()
                for worker in workers:
                    worker.join(20)
                served.start()
                self.assert_consistent(served)
            self.assert_clean(served.read_log())


def until_gone(port: int, step: Callable[[Peer, int, int], Any], number: int, stop: threading.Event) -> None:
    try:
        with Peer(port) as peer:
            for count in range(100_000):
                if stop.is_set():
                    return
                step(peer, number, count)
    except (AssertionError, OSError):
        return


def move_tag(peer: Peer, number: int, count: int) -> None:
    peer.push_manifest("crash/tags", f"t{number}-{count % 4}", image(b"{}", annotations={"n": f"{number} {count}"}))


def remove_tag(peer: Peer, number: int, count: int) -> None:
    """A tag of its own, and one that others move."""
    content = image(b"{}", annotations={"own": f"{number} {count}"})
    peer.push_manifest("crash/tags", f"own{number}", content)
    peer.ask("DELETE", f"/v2/crash/tags/manifests/{(f'own{number}', sha256(content))[count % 2]}")
