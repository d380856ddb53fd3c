"""Many clients at one thing, in one server and in two that share a directory."""

from __future__ import annotations

import os
import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence

from .raw import OCI_MANIFEST, Answer, Peer, ServedTestCase, closing, descriptor, image, path_of, sha256
from .server import RunningRegistry

PARALLEL = 32
BLOB = os.urandom(200_000)
CONFIG = b"{}"
PATIENCE = 20.0
Step = Callable[[Peer], Answer]


class ConcurrencyTestCase(ServedTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.repository = "race/" + self.id().rpartition(".")[2].removeprefix("test_").replace("_", "-")

    def at_once(self, *steps: Step, ports: Sequence[int] = ()) -> list[Answer]:
        """Take each step on a connection of its own, at one moment; no failure of the server's own."""
        gate = threading.Barrier(len(steps))
        answers: dict[int, Answer] = {}

        def run(number: int, step: Step, port: int) -> None:
            with Peer(port, PATIENCE) as peer:
                peer.ask("GET", "/v2/")
                gate.wait(PATIENCE)
                answers[number] = step(peer)

        where = ports or [self.served.port]
        threads = []
        for number, step in enumerate(steps):
            threads.append(threading.Thread(target=run, args=(number, step, where[number % len(where)]), daemon=True))
            threads[-1].start()
        for thread in threads:
            thread.join(PATIENCE)
        self.assertEqual(len(answers), len(steps), "a request has no answer")
        for answer in answers.values():
            self.assertLess(answer.status, 500, answer)
        return [answers[number] for number in range(len(steps))]

    def path(self, rest: str) -> str:
        return f"/v2/{self.repository}/{rest}"

    def asking(self, method: str, rest: str, body: bytes | None = None, **headers: str) -> Step:
        return lambda peer: peer.ask(method, rest if rest.startswith("/v2/") else self.path(rest), body, **headers)

    def putting(self, tag: str, content: bytes) -> Step:
        return self.asking("PUT", f"manifests/{tag}", content, content_type=OCI_MANIFEST)

    def images(self, count: int) -> list[bytes]:
        with self.peer() as peer:
            peer.push_blob(self.repository, CONFIG)
        return [image(CONFIG, annotations={"number": str(number)}) for number in range(count)]


def statuses(answers: Sequence[Answer]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


class BlobTests(ConcurrencyTestCase):
    def test_one_blob_from_all(self) -> None:
        digest = sha256(BLOB)
        push = self.asking("POST", f"blobs/uploads/?digest={digest}", BLOB)
        self.assertEqual(statuses(self.at_once(*[push] * PARALLEL)), {201: PARALLEL})
        self.assertEqual(self.ask("GET", self.path(f"blobs/{digest}")).body, BLOB)

    def test_pushes_against_deletes(self) -> None:
        digest = sha256(b"gone")
        push = self.asking("POST", f"blobs/uploads/?digest={digest}", b"gone")
        remove = self.asking("DELETE", f"blobs/{digest}")
        get = self.asking("GET", f"blobs/{digest}")
        for _ in range(5):
            answers = self.at_once(*[push, remove, get] * 8)
            self.assertEqual({answer.status for answer in answers[::3]}, {201})
            self.assertLessEqual({answer.status for answer in answers[1::3]}, {202, 404})
            self.assertEqual({answer.body for answer in answers[2::3] if answer.status == 200} - {b"gone"}, set())
        self.assertEqual(self.at_once(push)[0].status, 201)
        self.assertEqual(self.at_once(get)[0].body, b"gone")

    def test_deletes_against_each_other(self) -> None:
        digest = sha256(CONFIG)
        for _ in range(5):
            self.images(0)
            found = statuses(self.at_once(*[self.asking("DELETE", f"blobs/{digest}")] * 16))
            self.assertLessEqual(found.keys(), {202, 404})
            self.assertGreaterEqual(found[202], 1)

    def test_mounts_against_deletes(self) -> None:
        digest = sha256(CONFIG)
        target = f"/v2/{self.repository}/to"
        for _ in range(5):
            self.images(0)
            mount = self.asking("POST", f"{target}/blobs/uploads/?mount={digest}&from={self.repository}")
            steps = [mount, self.asking("DELETE", f"blobs/{digest}"), self.asking("DELETE", f"{target}/blobs/{digest}")]
            answers = self.at_once(*steps * 8)
            self.assertLessEqual({answer.status for answer in answers[::3]}, {201, 202})
            self.assertLessEqual({answer.status for answer in answers[1::3] + answers[2::3]}, {202, 404})
            found = self.ask("GET", f"{target}/blobs/{digest}")
            self.assertIn((found.status, len(found.body) == len(CONFIG)), ((200, True), (404, False)))


class ManifestTests(ConcurrencyTestCase):
    def test_one_tag_from_all(self) -> None:
        contents = self.images(PARALLEL)
        answers = self.at_once(*(self.putting("t", content) for content in contents))
        self.assertEqual(statuses(answers), {201: PARALLEL})
        self.assertIn(self.ask("GET", self.path("manifests/t")).body, contents)
        self.assert_consistent(self.served, [self.repository])

    def test_readers_of_a_tag_that_moves(self) -> None:
        """At every moment it is there, and whole."""
        contents = self.images(8)
        self.at_once(self.putting("t", contents[0]))
        get = self.asking("GET", "manifests/t")
        for _ in range(3):
            answers = self.at_once(*(self.putting("t", content) for content in contents), *[get] * 24)
            self.assertLessEqual({answer.body for answer in answers[8:]}, set(contents))

    def test_pushes_of_a_tag_against_its_deletion(self) -> None:
        """A tag that is listed leads to a manifest, whoever wins."""
        contents = self.images(8)
        remove = self.asking("DELETE", "manifests/t")
        for _ in range(20):
            steps = [step for content in contents for step in (self.putting("t", content), remove)]
            answers = self.at_once(*steps)
            self.assertEqual({answer.status for answer in answers[::2]}, {201})
            self.assertLessEqual({answer.status for answer in answers[1::2]}, {202, 404})
            self.assert_consistent(self.served, [self.repository])

    def test_pushes_of_a_manifest_against_its_deletion(self) -> None:
        contents = self.images(4)
        for _ in range(20):
            steps = []
            for number, content in enumerate(contents):
                steps += [
                    self.putting(f"t{number}", content),
                    self.asking("DELETE", f"manifests/{sha256(content)}"),
                ] * 2
            answers = self.at_once(*steps)
            self.assertEqual({answer.status for answer in answers[::2]}, {201})
            self.assertLessEqual({answer.status for answer in answers[1::2]}, {202, 404})
            self.assert_consistent(self.served, [self.repository])

    def test_referrers_while_they_come_and_go(self) -> None:
        subject = descriptor(sha256(CONFIG), len(CONFIG), OCI_MANIFEST)
        self.images(0)
        contents = [image(CONFIG, subject=subject, annotations={"n": str(number)}) for number in range(8)]
        listing = self.asking("GET", f"referrers/{sha256(CONFIG)}")
        for _ in range(4):
            steps: list[Step] = []
            for content in contents:
                digest = sha256(content)
                steps += [self.putting(digest, content), self.asking("DELETE", f"manifests/{digest}"), listing]
            self.at_once(*steps)
        self.at_once(*(self.putting(sha256(content), content) for content in contents))
        found = self.at_once(listing)[0].json()["manifests"]
        self.assertEqual({each["digest"] for each in found}, set(map(sha256, contents)))


class SessionTests(ConcurrencyTestCase):
    other: RunningRegistry

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.other = RunningRegistry(data=cls.served.data)
        cls.other.__enter__()

    @classmethod
    def tearDownClass(cls) -> None:
        cls.other.__exit__(None, None, None)
        super().tearDownClass()

    def setUp(self) -> None:
        super().setUp()
        self._logged_by_other = len(self.other.read_log())

    def tearDown(self) -> None:
        super().tearDown()
        self.assert_clean(self.other.read_log()[self._logged_by_other :])

    @property
    def both(self) -> tuple[int, int]:
        return self.served.port, self.other.port

    def start(self) -> str:
        with self.peer() as peer:
            return peer.start(self.repository)

    def test_patches_in_one_session(self) -> None:
        """Each is taken whole or refused; the blob is the taken ones, in some order."""
        for ports in ((self.served.port,), self.both):
            for size in (10, 100_000, 1_500_000):
                place = self.start()
                pieces = [bytes([65 + number]) * size for number in range(6)]
                answers = self.at_once(*(self.asking("PATCH", place, piece) for piece in pieces), ports=ports)
                self.assertLessEqual({answer.status for answer in answers}, {202, 416})
                taken = [piece for piece, answer in zip(pieces, answers, strict=True) if answer.status == 202]
                ends = [int(answer.headers["range"].partition("-")[2]) for answer in answers if answer.status == 202]
                content = b"".join(piece for _, piece in sorted(zip(ends, taken, strict=True)))
                done = self.ask("PUT", closing(place, sha256(content)), b"")
                self.assertEqual(done.status, 201, done)
                self.assertEqual(self.ask("GET", self.path(f"blobs/{sha256(content)}")).body, content)

    def test_patches_of_one_range(self) -> None:
        for ports in ((self.served.port,), self.both):
            place = self.start()
            patch = self.asking("PATCH", place, BLOB, content_range=f"0-{len(BLOB) - 1}")
            answers = self.at_once(*[patch] * 8, ports=ports)
            self.assertEqual(statuses(answers), {202: 1, 416: 7})
            self.assertEqual(self.ask("PUT", closing(place, sha256(BLOB)), b"").status, 201)

    def test_everything_in_one_session(self) -> None:
        """PATCH, PUT and DELETE: whatever is committed has its digest."""
        chance = random.Random(1)
        for ports in ((self.served.port,), self.both) * 6:
            place = self.start()
            size = chance.choice((5, 70_000, 1_200_000))
            first, second = bytes([chance.randrange(256)]) * size, os.urandom(size)
            self.at_once(self.asking("PATCH", place, first))
            steps = [
                self.asking("PATCH", place, second),
                self.asking("PUT", closing(place, sha256(first)), b""),
                self.asking("PUT", closing(place, sha256(first + second)), b""),
                self.asking("PUT", closing(place, sha256(first + second)), second),
                self.asking("DELETE", place),
                self.asking("GET", place),
                self.asking("PATCH", place, b""),
            ]
            chance.shuffle(steps)
            self.at_once(*steps, ports=ports)
            for content in (first, first + second):
                found = self.ask("GET", self.path(f"blobs/{sha256(content)}"))
                self.assertIn(found.status, (200, 404))
                if found.status == 200:
                    self.assertEqual(sha256(found.body), sha256(content))

    def test_commits_in_one_session(self) -> None:
        for ports in ((self.served.port,), self.both):
            content = os.urandom(300_000)
            place = path_of(self.ask("PATCH", self.start(), content))
            commit = self.asking("PUT", closing(place, sha256(content)), b"")
            found = statuses(self.at_once(*[commit] * 8, ports=ports))
            self.assertEqual(found[201], 1)
            self.assertLessEqual(found.keys(), {201, 404, 416})
            self.assertEqual(self.ask("GET", self.path(f"blobs/{sha256(content)}")).body, content)

    def test_one_upload_in_two_servers_by_turns(self) -> None:
        pieces = [os.urandom(size) for size in (1, 70_000, 2_000_000, 10, 300_000)]
        content = b"".join(pieces)
        place, offset = self.start(), 0
        for number, piece in enumerate(pieces):
            with Peer(self.both[number % 2]) as peer:
                found = peer.ask("PATCH", place, piece, content_range=f"{offset}-{offset + len(piece) - 1}")
                offset += len(piece)
                self.assertEqual(found.headers["range"], f"0-{offset - 1}")
        with Peer(self.other.port) as peer:
            self.assertEqual(peer.ask("PUT", closing(place, sha256(content)), b"").status, 201)
        self.assertEqual(self.ask("GET", self.path(f"blobs/{sha256(content)}")).body, content)

    def test_what_one_server_deletes_the_other_does_not_serve(self) -> None:
        [content] = self.images(1)
        digest = sha256(content)
        with Peer(self.other.port) as peer:
            for _ in range(3):
                self.assertEqual(self.at_once(self.putting("t", content))[0].status, 201)
                for target in ("manifests/t", f"manifests/{digest}"):
                    self.assertEqual(peer.ask("GET", self.path(target)).body, content)
                self.assertEqual(self.ask("DELETE", self.path(f"manifests/{digest}")).status, 202)
                for target in ("manifests/t", f"manifests/{digest}"):
                    self.assertEqual(peer.ask("GET", self.path(target)).status, 404)

    def test_many_sessions(self) -> None:
        def upload(number: int) -> Step:
            content = random.Random(number).randbytes(50_000 * (number % 4) + 7)
            half = len(content) // 2

            def step(peer: Peer) -> Answer:
                place = peer.start(self.repository)
                place = path_of(peer.ask("PATCH", place, content[:half]))
                return peer.ask("PUT", closing(place, sha256(content)), content[half:])

            return step

        answers = self.at_once(*(upload(number) for number in range(2 * PARALLEL)), ports=self.both)
        self.assertEqual(statuses(answers), {201: 2 * PARALLEL})
        with self.peer() as peer:
            for answer in answers:
                found = peer.ask("GET", path_of(answer))
                self.assertEqual(sha256(found.body), answer.headers["docker-content-digest"])
