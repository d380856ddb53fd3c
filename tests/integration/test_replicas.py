"""Two nodes on one bucket and one Redis, behind a load balancer."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.storage.s3_service import s3_settings

from .balancer import SERVED_BY, Balancer
from .client import Client, digest_of, random_bytes
from .redis_server import RunningRedis
from .retrying import Acknowledged, RetryingClient
from .server import RunningRegistry

MIB = 1 << 20
PATIENCE = 120.0
PUSHERS = 3
IMAGES = 4
"""Of each pusher."""
SIZES = (6 * MIB, 2000)
"""Of their layers: the first has parts, with a rest."""


class ReplicaCase(SynchronousTestCase):
    tcp = False
    """Whether the balancer knows connections only."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.running = ExitStack()
        cls.addClassCleanup(cls.running.close)
        cls.redis = cls.running.enter_context(RunningRedis())
        settings: dict[str, Any] = {
            "storage": {
                "filesystem": None,
                "s3": {**s3_settings(), "chunksize": 5 * MIB},
                "redirect": {"disable": True},
                "cache": {"blobdescriptor": "redis"},
            },
            "redis": {"addr": cls.redis.address},
            "http": {"workers": 2},
        }
        cls.nodes = [cls.running.enter_context(RunningRegistry(settings)) for _ in range(2)]
        cls.clients = [Client(node.address) for node in cls.nodes]
        cls.balancer = cls.running.enter_context(Balancer([node.address for node in cls.nodes], cls.tcp))
        cls.client = Client(cls.balancer.address)

    def tearDown(self) -> None:
        for node in self.nodes:
            self.assertNotIn("Traceback", node.read_log())

    def assert_blob(self, client: Client, repository: str, content: bytes) -> None:
        answer = client.get(f"/v2/{repository}/blobs/{digest_of(content)}")
        self.assertEqual((answer.status, answer.body == content), (200, True), answer)


class UploadTests(ReplicaCase):
    def test_spread_over_both(self) -> None:
        """One upload of eight requests, which the balancer gives to the nodes by turns."""
        asked: set[str] = set()
        deadline = time.monotonic() + PATIENCE
        while asked != {node.address for node in self.nodes}:  # one may have been away a moment ago
            asked.add(self.client.get("/v2/")[SERVED_BY])
            self.assertLess(time.monotonic(), deadline)
        pieces = [random_bytes(size) for size in (4 * MIB, 3, 9 * MIB, 100_000, 5 * MIB, 70_000)]
        answers = [self.client.start_upload("a")]
        for piece in pieces:
            answers.append(self.client.patch(answers[-1].location, piece))
        content = b"".join(pieces)
        answers.append(self.client.finish(answers[-1].location, digest_of(content)))
        self.assertEqual([answer.status for answer in answers], [202] * 7 + [201])
        served = [answer[SERVED_BY] for answer in answers]
        self.assertTrue(all(served.count(node.address) >= 3 for node in self.nodes), served)
        for client in self.clients:
            self.assert_blob(client, "a", content)

    def test_node_killed_in_the_middle(self) -> None:
        """The other goes on behind the parts that are there."""
        content = random_bytes(24 * MIB)
        first, second = self.clients
        location = first.start_upload("a").location
        connection = first.send_partly("PATCH", location, len(content), content[: 18 * MIB])
        location = second.target(location).partition("?")[0]
        deadline = time.monotonic() + PATIENCE
        while self.offset(second, location) < 10 * MIB:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.nodes[0].kill()
        self.addCleanup(self.start_again, self.nodes[0])
        connection.close()
        status = 416
        while status == 416:  # a part was still on its way to the bucket
            offset = self.offset(second, location)
            answer = self.client.patch(location, content[offset:], f"{offset}-{len(content) - 1}")
            status = answer.status
            self.assertLess(time.monotonic(), deadline)
        self.assertEqual(status, 202, answer)
        self.assertEqual(self.client.finish(answer.location, digest_of(content)).status, 201)
        self.start_again(self.nodes[0])
        self.assert_blob(first, "a", content)

    def start_again(self, node: RunningRegistry) -> None:
        if not node._pids():
            node.start()

    def offset(self, client: Client, location: str) -> int:
        answer = client.get(location)
        return 0 if answer.status == 404 else int(answer["Range"].partition("-")[2]) + 1

    def test_redis_in_use(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.redis.ask(["KEYS", "blobs::*"])[0]:
            self.assertLess(time.monotonic(), deadline)
            self.client.push_blob("a", random_bytes())

    def test_deleted_at_the_other(self) -> None:
        """No cache serves on what another node has deleted, or an old tag."""
        first, second = self.clients
        for number in range(4):
            digest = first.push_blob("a", content := random_bytes(2000))
            for client in self.clients * 4:
                self.assert_blob(client, "a", content)
            self.assertEqual(second.delete(f"/v2/a/blobs/{digest}").status, 202)
            self.assertEqual({client.get(f"/v2/a/blobs/{digest}").status for client in self.clients * 4}, {404})
            manifest = self.clients[number % 2].push_manifest("a", first.image("a"), "latest")
            found = {client.get("/v2/a/manifests/latest")["Docker-Content-Digest"] for client in self.clients * 4}
            self.assertEqual(found, {manifest["digest"]})


class KilledTests(ReplicaCase):
    tcp = True

    def test_nothing_acknowledged_is_lost(self) -> None:
        """Each node is killed while images are pushed and pulled, and comes back."""
        known = Acknowledged()
        errors: list[BaseException] = []
        ended = threading.Event()

        def guarded(work: Any, *arguments: Any) -> threading.Thread:
            def run() -> None:
                try:
                    work(RetryingClient(self.balancer.address, known, PATIENCE), *arguments)
                except BaseException as error:
                    errors.append(error)

            thread = threading.Thread(target=run, daemon=True)
            thread.start()
            return thread

        def push(client: RetryingClient, pusher: int) -> None:
            for image in range(IMAGES):
                client.push_image(f"pushed/by/{pusher}", f"image-{image}", *SIZES)

        def pull(client: RetryingClient) -> None:
            while not ended.is_set() and not errors:
                for (repository, tag), manifest in dict(known.manifests).items():
                    answer = client.read(f"/v2/{repository}/manifests/{tag}")
                    assert (answer.status, answer.body) == (200, manifest), answer
                for digest, (repository, content) in dict(known.blobs).items():
                    answer = client.read(f"/v2/{repository}/blobs/{digest}")
                    assert (answer.status, answer.body == content) == (200, True), answer

        pushers = [guarded(push, number) for number in range(PUSHERS)]
        puller = guarded(pull)
        for node, pushed in zip(self.nodes, (2, 7), strict=True):
            known.await_manifests(pushed, PATIENCE)
            node.kill()
            known.await_manifests(pushed + 2, PATIENCE)
            node.start()
        for thread in pushers:
            thread.join()
        ended.set()
        puller.join()
        self.assertEqual(errors, [])
        self.assertEqual(len(known.manifests), PUSHERS * IMAGES)
        for client in self.clients:
            for (repository, tag), manifest in known.manifests.items():
                self.assertEqual(client.get(f"/v2/{repository}/manifests/{tag}").body, manifest)
            for repository, content in known.blobs.values():
                self.assert_blob(client, repository, content)
