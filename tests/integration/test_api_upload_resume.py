"""Uploads that are interrupted, or worked on from two sides at once."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

from tests.integration.client import OCTETS, ApiCase, Response, digest_of, random_bytes

SENT = 256 * 1024
BATCH = 1 << 20
"""Bytes that a request holds in memory at most."""
DEADLINE = 10.0


class ResumeCase(ApiCase):
    algorithm = "sha256"

    def setUp(self) -> None:
        super().setUp()
        self.content = random_bytes(2 * SENT)
        self.digest = digest_of(self.content, self.algorithm)
        self.location = self.client.start_upload(self.repo).location

    def offset(self) -> int:
        """How many bytes the session has; one at least, since ``0-0`` does not say."""
        answer = self.assert_status(self.client.get(self.location), 204)
        first, last = answer["Range"].split("-")
        self.assertEqual(first, "0")
        return int(last) + 1

    def settled_offset(self) -> int:
        """The same, once it stands still."""
        deadline, seen = time.monotonic() + DEADLINE, -1
        while (offset := self.offset()) != seen and time.monotonic() < deadline:
            seen = offset
            time.sleep(0.2)
        return offset

    def assert_can_go_on(self, offset: int) -> None:
        middle = offset + 1000
        answer = self.client.patch(self.location, self.content[offset:middle], f"{offset}-{middle - 1}")
        self.assert_status(answer, 202)
        self.assertEqual(answer["Range"], f"0-{middle - 1}")
        last = len(self.content) - 1
        answer = self.client.finish(answer.location, self.digest, self.content[middle:], f"{middle}-{last}")
        self.assert_status(answer, 201)
        self.assert_blob(self.content, self.digest)


class DroppedConnections(ResumeCase):
    def test_patch(self) -> None:
        self.client.send_partly("PATCH", self.location, len(self.content), self.content[:SENT]).close()
        time.sleep(0.2)
        offset = self.settled_offset()
        self.assertEqual(offset, SENT)
        self.assert_can_go_on(offset)

    def test_patch_after_a_patch(self) -> None:
        self.location = self.client.patch(self.location, self.content[:1000]).location
        self.client.send_partly("PATCH", self.location, SENT, self.content[1000:SENT]).close()
        time.sleep(0.2)
        offset = self.settled_offset()
        self.assertGreaterEqual(offset, 1000)
        self.assert_can_go_on(offset)

    def test_put(self) -> None:
        """A PUT that breaks off does not commit, and does not lose what was there before."""
        self.location = self.client.patch(self.location, self.content[:1000]).location
        url = self.client.target(self.location, {"digest": self.digest})
        self.client.send_partly("PUT", url, SENT, self.content[1000:SENT]).close()
        time.sleep(0.2)
        self.assert_no_blob(self.digest)
        offset = self.settled_offset()
        self.assertGreaterEqual(offset, 1000)
        self.assert_can_go_on(offset)

    def test_post_only(self) -> None:
        url = self.client.target(f"/v2/{self.repo}/blobs/uploads/", {"digest": self.digest})
        self.client.send_partly("POST", url, SENT, self.content[: SENT // 2]).close()
        time.sleep(0.2)
        self.assert_no_blob(self.digest)
        self.client.push_blob(self.repo, self.content)
        self.assert_blob(self.content, self.digest)

    def test_next_chunk_at_once(self) -> None:
        """A client that does not wait for the server to notice gets an answer that it can act on."""
        self.client.send_partly("PATCH", self.location, len(self.content), self.content[:SENT]).close()
        deadline = time.monotonic() + DEADLINE
        while time.monotonic() < deadline:
            offset = self.offset()
            last = len(self.content) - 1
            answer = self.client.patch(self.location, self.content[offset:], f"{offset}-{last}")
            if answer.status == 202:
                break
            self.assertLess(answer.status, 500, repr(answer))
        self.assert_status(self.client.finish(answer.location, self.digest), 201)
        self.assert_blob(self.content, self.digest)


class Restarts(ResumeCase):
    def test_stop(self) -> None:
        self.location = self.client.patch(self.location, self.content[:SENT]).location
        self.server.stop()
        self.server.start()
        self.assertEqual(self.offset(), SENT)
        self.assert_can_go_on(SENT)

    def test_kill(self) -> None:
        self.location = self.client.patch(self.location, self.content[:SENT]).location
        self.server.kill()
        self.server.start()
        self.assertEqual(self.offset(), SENT)
        self.assert_can_go_on(SENT)

    def test_kill_before_the_last_put(self) -> None:
        self.location = self.client.patch(self.location, self.content).location
        self.server.kill()
        self.server.start()
        self.assert_status(self.client.finish(self.location, self.digest), 201)
        self.assert_blob(self.content, self.digest)

    def test_kill_of_a_new_session(self) -> None:
        self.server.kill()
        self.server.start()
        answer = self.assert_status(self.client.get(self.location), 204)
        self.assertEqual(answer["Range"], "0-0")
        self.assert_status(self.client.finish(answer.location, self.digest, self.content), 201)

    def test_kill_during_a_patch(self) -> None:
        connection = self.client.send_partly("PATCH", self.location, len(self.content), self.content[:SENT])
        time.sleep(0.5)
        self.server.kill()
        connection.close()
        self.server.start()
        answer = self.assert_status(self.client.get(self.location), 204)
        # "0-0" says nothing or one byte: then from the start, where a refusal tells which it is.
        offset = 0 if answer["Range"] == "0-0" else self.offset()
        self.assertLessEqual(offset, SENT)
        self.assert_can_go_on(offset)

    def test_kill_during_a_long_patch(self) -> None:
        """What is more than a batch is in storage, and so is the session."""
        self.content = random_bytes(5 * BATCH)
        self.digest = digest_of(self.content, self.algorithm)
        connection = self.client.send_partly("PATCH", self.location, len(self.content), self.content[: 3 * BATCH])
        deadline = time.monotonic() + DEADLINE
        while self.offset() < BATCH:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        self.server.kill()
        connection.close()
        self.server.start()
        self.location = self.location.partition("?")[0]
        offset = self.offset()
        self.assertTrue(BATCH <= offset <= 3 * BATCH, offset)
        self.assert_can_go_on(offset)

    def test_kill_after_commit(self) -> None:
        self.assert_status(self.client.finish(self.location, self.digest, self.content), 201)
        manifest = self.client.push_manifest(self.repo, self.client.image(self.repo), "v1")
        self.server.kill()
        self.server.start()
        self.assert_blob(self.content, self.digest)
        answer = self.assert_status(self.client.get(f"/v2/{self.repo}/manifests/v1"), 200)
        self.assertEqual(answer["Docker-Content-Digest"], manifest["digest"])


class Sha512Restarts(Restarts):
    algorithm = "sha512"


class AnnouncedSha512Restarts(Sha512Restarts):
    """As above, in sessions that were started with ``digest-algorithm``."""

    def setUp(self) -> None:
        super().setUp()
        self.location = self.client.start_upload(self.repo, digest_algorithm=self.algorithm).location


class Races(ResumeCase):
    def together(self, *calls: Callable[[], Response]) -> list[Response]:
        with ThreadPoolExecutor(len(calls)) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]

    def assert_no_failure(self, answers: list[Response]) -> list[int]:
        for answer in answers:
            self.assertLess(answer.status, 500, repr(answer))
        return sorted(answer.status for answer in answers)

    def test_two_patches_of_one_range(self) -> None:
        for _ in range(5):
            location = self.client.start_upload(self.repo).location
            span = f"0-{len(self.content) - 1}"
            answers = self.together(*[partial(self.client.patch, location, self.content, span)] * 2)
            statuses = self.assert_no_failure(answers)
            self.assertEqual(statuses[0], 202, answers)
            self.assertGreaterEqual(statuses[1], 400, answers)
            self.assertEqual(self.client.get(location)["Range"], span)
            self.assert_status(self.client.finish(location, self.digest), 201)
            self.assert_blob(self.content, self.digest)

    def test_two_streams(self) -> None:
        """They follow each other, or one is refused: never bytes of both mixed."""
        for _ in range(5):
            location = self.client.start_upload(self.repo).location
            answers = self.together(*[partial(self.client.patch, location, self.content)] * 2)
            statuses = self.assert_no_failure(answers)
            self.assertEqual(statuses[0], 202, answers)
            content = self.content * statuses.count(202)
            self.assertEqual(self.client.get(location)["Range"], f"0-{len(content) - 1}")
            self.assert_status(self.client.finish(location, digest_of(content)), 201)
            self.assert_blob(content, digest_of(content))

    def test_two_puts(self) -> None:
        for _ in range(5):
            location = self.client.start_upload(self.repo).location
            answers = self.together(*[partial(self.client.finish, location, self.digest, self.content)] * 2)
            self.assertEqual(self.assert_no_failure(answers)[0], 201, answers)
            self.assert_blob(self.content, self.digest)

    def test_the_same_blob_twice_at_once(self) -> None:
        locations = [self.client.start_upload(self.repo).location for _ in range(6)]
        answers = self.together(*[partial(self.client.finish, place, self.digest, self.content) for place in locations])
        self.assertEqual(self.assert_no_failure(answers), [201] * 6)
        self.assert_blob(self.content, self.digest)

    def during_a_patch(self, call: Callable[[], Response], start: int = 0) -> Response:
        """`call` while half of a PATCH has arrived; the PATCH breaks off if it is waited for."""
        rest = len(self.content) - start
        connection = self.client.send_partly("PATCH", self.location, rest, self.content[start:SENT])
        time.sleep(0.3)
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(call)
            wait([future], 3)
            connection.close()
            return future.result()

    def test_put_during_a_patch(self) -> None:
        for digest in (self.digest, digest_of(self.content[:SENT])):
            answer = self.during_a_patch(partial(self.client.finish, self.location, digest))
            self.assertLess(answer.status, 500, repr(answer))
            self.assert_no_blob(self.digest)
            if answer.status == 201:
                self.assert_blob(self.content[:SENT], digest)
            self.location = self.client.start_upload(self.repo).location

    def test_first_patch_during_the_first_patch(self) -> None:
        """Of a session that has no bytes yet: the one that ends first has begun it."""
        answer = self.during_a_patch(lambda: self.client.patch(self.location, self.content[:1000], "0-999"))
        self.assert_status(answer, 202)
        self.assert_can_go_on(self.settled_offset())

    def test_loser_of_two_first_patches(self) -> None:
        """It is told where to go on, and what it sent is in no blob."""
        connection = self.client.send_partly("PATCH", self.location, SENT, bytes(SENT - 1))
        time.sleep(0.3)
        self.assert_status(self.client.patch(self.location, self.content[:1000], "0-999"), 202)
        connection.sendall(b"x")
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        self.assertEqual((answer.status, answer.getheader("Range")), (416, "0-999"))
        self.assertEqual(
            answer.getheader("Location", "").partition("?")[0].partition("/v2/")[2],
            self.location.partition("?")[0].partition("/v2/")[2],
        )
        connection.close()
        self.assert_can_go_on(1000)

    def test_patch_during_a_patch(self) -> None:
        self.location = self.client.patch(self.location, self.content[:1000]).location
        answer = self.during_a_patch(lambda: self.client.patch(self.location, self.content[1000:]), 1000)
        self.assert_error(answer, 416, "RANGE_INVALID")
        self.assert_can_go_on(self.settled_offset())

    def test_status_during_a_patch(self) -> None:
        answer = self.during_a_patch(lambda: self.client.get(self.location))
        self.assert_status(answer, 204)

    def test_cancel_during_a_patch(self) -> None:
        answer = self.during_a_patch(lambda: self.client.delete(self.location))
        self.assert_status(answer, 204)
        time.sleep(0.3)
        self.assert_error(self.client.get(self.location), 404, "BLOB_UPLOAD_UNKNOWN")

    def test_patch_ends_when_cancelled(self) -> None:
        """The interrupted PATCH is not told that all is well."""
        connection = self.client.send_partly("PATCH", self.location, len(self.content), self.content[:SENT])
        time.sleep(0.3)
        with ThreadPoolExecutor(1) as pool:
            cancel = pool.submit(self.client.delete, self.location)
            wait([cancel], 3)
            waited = not cancel.done()
            try:
                connection.sendall(self.content[SENT:])
                line = connection.recv(4096).split(b"\r\n")[0]
            except ConnectionError:
                line = b""
            connection.close()
            self.assert_status(cancel.result(), 204)
        if not waited and line:
            self.assertIn(line.split()[1], (b"404", b"400", b"409", b"416"), line)
        self.assert_error(self.client.get(self.location), 404, "BLOB_UPLOAD_UNKNOWN")

    def test_idle_sessions_do_not_disturb_each_other(self) -> None:
        locations = [self.client.start_upload(self.repo).location for _ in range(20)]
        for number, location in enumerate(locations):
            headers = {"Content-Type": OCTETS}
            self.assert_status(self.client.request("PATCH", location, bytes([number]) * 100, headers), 202)
        for number, location in enumerate(locations):
            content = bytes([number]) * 100
            self.assert_status(self.client.finish(location, digest_of(content)), 201)
            self.assert_blob(content, digest_of(content))
