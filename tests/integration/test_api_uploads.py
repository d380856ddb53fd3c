"""Blob uploads over HTTP: every way to push, for both algorithms, and what is refused."""

from __future__ import annotations

from urllib.parse import urlsplit

from tests.integration.client import OCTETS, ApiCase, Response, digest_of, random_bytes

CHUNK = 1024


def bare(location: str) -> str:
    """Without its query."""
    return location.partition("?")[0]


class UploadFlows:
    """For each algorithm; the flows of the conformance suite's blob tests."""

    algorithm: str

    def setUp(self) -> None:
        super().setUp()
        self.content = random_bytes(CHUNK * 3 - 5)
        self.digest = digest_of(self.content, self.algorithm)

    def pieces(self) -> list[tuple[str, bytes]]:
        """The content in three chunks, each with its Content-Range."""
        starts = range(0, len(self.content), CHUNK)
        return [(f"{s}-{min(s + CHUNK, len(self.content)) - 1}", self.content[s : s + CHUNK]) for s in starts]

    def start(self) -> str:
        return self.assert_status(self.client.start_upload(self.repo), 202).location

    def post(self, digest: str, content: bytes, **more: object) -> Response:
        headers = {"Content-Type": OCTETS}
        url = f"/v2/{self.repo}/blobs/uploads/"
        if "chunks" in more:
            return self.client.request("POST", url, headers=headers, query={"digest": digest}, chunks=more["chunks"])
        return self.client.request("POST", url, content, headers, {"digest": digest})

    def assert_created(self, answer: Response) -> None:
        self.assert_status(answer, 201)
        self.assertEqual(answer["Docker-Content-Digest"], self.digest)
        self.assertEqual(answer["Content-Length"], "0")
        self.assertEqual(urlsplit(answer.location).path, f"/v2/{self.repo}/blobs/{self.digest}")
        self.assertEqual(self.client.get(answer.location).body, self.content)
        self.assert_blob(self.content, self.digest)

    def assert_accepted(self, answer: Response, length: int) -> str:
        """The answer of a PATCH after which `length` bytes are there; where to go on."""
        self.assert_status(answer, 202)
        self.assertEqual(answer["Range"], f"0-{length - 1}")
        self.assertEqual(answer["Content-Length"], "0")
        self.assertTrue(answer["Docker-Upload-UUID"])
        return answer.location

    def assert_refused(self, answer: Response, location: str | None = None) -> None:
        """The digest was wrong: no blob, and no session."""
        self.assert_error(answer, 400, "DIGEST_INVALID")
        self.assert_no_blob(self.digest)
        if location is not None:
            self.assert_no_session(location)

    def assert_no_session(self, location: str) -> None:
        """Nothing is in storage. The first Location would begin anew."""
        self.assert_error(self.client.get(bare(location)), 404, "BLOB_UPLOAD_UNKNOWN")

    def test_start(self) -> None:
        answer = self.assert_status(self.client.start_upload(self.repo), 202)
        self.assertEqual(answer["Range"], "0-0")
        self.assertEqual(answer["Content-Length"], "0")
        self.assertIn(answer["Docker-Upload-UUID"], answer.location)

    def test_start_without_length_or_body(self) -> None:
        answer = self.client.request("POST", f"/v2/{self.repo}/blobs/uploads/", chunks=[])
        self.assert_status(answer, 202)

    def test_post_only(self) -> None:
        self.assert_created(self.post(self.digest, self.content))

    def test_post_only_chunked(self) -> None:
        self.assert_created(self.post(self.digest, b"", chunks=[piece for _, piece in self.pieces()]))

    def test_post_only_empty(self) -> None:
        self.content = b""
        self.digest = digest_of(b"", self.algorithm)
        self.assert_created(self.post(self.digest, b""))

    def test_post_only_bad_digest(self) -> None:
        self.assert_refused(self.post(self.digest, self.content + b"more"))
        self.assert_refused(self.post(self.digest, b""))

    def test_post_put(self) -> None:
        self.assert_created(self.client.finish(self.start(), self.digest, self.content))

    def test_post_put_chunked(self) -> None:
        answer = self.client.request(
            "PUT", self.start(), query={"digest": self.digest}, chunks=[piece for _, piece in self.pieces()]
        )
        self.assert_created(answer)

    def test_post_put_bad_digest(self) -> None:
        location = self.start()
        self.assert_refused(self.client.finish(location, self.digest, self.content + b"more"), location)

    def test_patch_stream(self) -> None:
        answer = self.client.request("PATCH", self.start(), headers={"Content-Type": OCTETS}, chunks=[self.content])
        location = self.assert_accepted(answer, len(self.content))
        self.assert_created(self.client.finish(location, self.digest))

    def test_patch_stream_without_content_type(self) -> None:
        location = self.assert_accepted(self.client.request("PATCH", self.start(), self.content), len(self.content))
        self.assert_created(self.client.finish(location, self.digest))

    def test_patch_streams_append(self) -> None:
        location, length = self.start(), 0
        for _, piece in self.pieces():
            length += len(piece)
            answer = self.client.request("PATCH", location, headers={"Content-Type": OCTETS}, chunks=[piece])
            location = self.assert_accepted(answer, length)
        self.assert_created(self.client.finish(location, self.digest))

    def test_patch_stream_bad_digest(self) -> None:
        answer = self.client.request("PATCH", self.start(), headers={"Content-Type": OCTETS}, chunks=[b"other"])
        location = self.assert_accepted(answer, 5)
        self.assert_refused(self.client.finish(location, self.digest), location)

    def test_one_chunk(self) -> None:
        answer = self.client.patch(self.start(), self.content, f"0-{len(self.content) - 1}")
        location = self.assert_accepted(answer, len(self.content))
        self.assert_created(self.client.finish(location, self.digest))

    def test_chunks(self) -> None:
        location, length = self.start(), 0
        for span, piece in self.pieces():
            length += len(piece)
            location = self.assert_accepted(self.client.patch(location, piece, span), length)
            status = self.assert_status(self.client.get(location), 204)
            self.assertEqual(status["Range"], f"0-{length - 1}")
        self.assert_created(self.client.finish(location, self.digest))

    def test_chunks_at_the_first_location(self) -> None:
        location = self.start()
        for span, piece in self.pieces():
            self.assert_status(self.client.patch(location, piece, span), 202)
        self.assert_created(self.client.finish(location, self.digest))

    def test_put_last_chunk(self) -> None:
        location = self.start()
        *first, (span, piece) = self.pieces()
        for other_span, other in first:
            location = self.client.patch(location, other, other_span).location
        self.assert_created(self.client.finish(location, self.digest, piece, span))

    def test_chunks_bad_digest(self) -> None:
        location = self.start()
        *first, (span, piece) = self.pieces()
        for other_span, other in first:
            location = self.client.patch(location, other, other_span).location
        with_last = self.client.start_upload(self.repo).location
        self.assert_refused(self.client.finish(location, self.digest, piece[::-1], span), location)
        self.assert_status(self.client.patch(with_last, b"other", "0-4"), 202)
        self.assert_refused(self.client.finish(with_last, self.digest), with_last)

    def recover(self, location: str, length: int) -> str:
        """What a client does after 416: ask where to go on."""
        answer = self.assert_status(self.client.get(location, query={"digest": self.digest}), 204)
        self.assertEqual(answer["Range"], f"0-{max(length - 1, 0)}")
        return answer.location

    def out_of_order(self, put_last: bool) -> None:
        location, length = self.start(), 0
        pieces = self.pieces()
        for number, (span, piece) in enumerate(pieces):
            bad_span, bad = pieces[(number + 1) % len(pieces)]
            if put_last and number == len(pieces) - 2:
                answer = self.client.finish(location, self.digest, bad, bad_span)
            else:
                answer = self.client.patch(location, bad, bad_span)
            self.assert_error(answer, 416, "RANGE_INVALID")
            location = self.recover(location, length)
            length += len(piece)
            if put_last and number == len(pieces) - 1:
                self.assert_created(self.client.finish(location, self.digest, piece, span))
                return
            location = self.assert_accepted(self.client.patch(location, piece, span), length)
        self.assert_created(self.client.finish(location, self.digest))

    def test_chunks_out_of_order(self) -> None:
        self.out_of_order(put_last=False)

    def test_chunks_out_of_order_and_put_last(self) -> None:
        self.out_of_order(put_last=True)

    def test_refused_chunk_tells_where_to_go_on(self) -> None:
        location = self.client.patch(self.start(), self.content[:100], "0-99").location
        for method, query in (("PATCH", {}), ("PUT", {"digest": self.digest})):
            for span in ("0-99", "99-198", "101-200", "500-599"):
                with self.subTest(span, method=method):
                    headers = {"Content-Type": OCTETS, "Content-Range": span}
                    answer = self.client.request(method, location, self.content[100:200], headers, query)
                    self.assert_error(answer, 416, "RANGE_INVALID")
                    self.assertEqual(answer["Range"], "0-99", repr(answer))
                    self.assertEqual(self.client.head(answer.location)["Range"], "0-99")
        self.assert_created(self.client.finish(location, self.digest, self.content[100:]))

    def test_put_of_a_chunk_beyond_an_empty_upload(self) -> None:
        location = self.start()
        self.assert_error(self.client.finish(location, self.digest, b"abc", "50-52"), 416, "RANGE_INVALID")
        self.assert_created(self.client.finish(location, self.digest, self.content))

    def test_status(self) -> None:
        location = self.start()
        for length in (0, 512, 1024):
            if length:
                location = self.client.patch(location, self.content[length - 512 : length]).location
            for method in ("GET", "HEAD"):
                answer = self.assert_status(self.client.request(method, location), 204)
                self.assertEqual(answer["Range"], f"0-{max(length - 1, 0)}")
                self.assertEqual(urlsplit(answer.location).path, urlsplit(location).path)
                self.assertTrue(answer["Docker-Upload-UUID"])
                self.assertEqual(answer.body, b"")

    def test_cancel(self) -> None:
        location = self.client.patch(self.start(), self.content[:100]).location
        self.assert_status(self.client.delete(location), 204)
        for method, query in (("GET", {}), ("PATCH", {}), ("PUT", {"digest": self.digest}), ("DELETE", {})):
            with self.subTest(method):
                body = None if method in ("GET", "DELETE") else self.content
                self.assert_error(self.client.request(method, location, body, query=query), 404, "BLOB_UPLOAD_UNKNOWN")
        self.assert_status(self.client.head(location), 404)
        self.assert_no_blob(self.digest)

    def test_session_is_gone_when_finished(self) -> None:
        """A first Location that is used again is one of nothing yet."""
        for first in (b"", self.content[:100]):
            start = location = self.start()
            if first:
                location = self.client.patch(start, first).location
            self.assert_created(self.client.finish(location, self.digest, self.content[len(first) :]))
            self.assert_no_session(location)
            answer = self.client.finish(bare(location), self.digest)
            self.assert_error(answer, 404, "BLOB_UPLOAD_UNKNOWN")
            self.assertEqual(self.assert_status(self.client.get(start), 204)["Range"], "0-0")
            self.assert_created(self.client.finish(start, self.digest))  # as when the answer was lost
            other = digest_of(b"another", self.algorithm)
            self.assert_error(self.client.finish(start, other), 400, "DIGEST_INVALID")

    def test_cancel_before_any_bytes(self) -> None:
        location = self.start()
        self.assert_status(self.client.delete(location), 204)
        for place in (location, bare(location)):
            for method, query in (("GET", {}), ("PATCH", {}), ("PUT", {"digest": self.digest}), ("DELETE", {})):
                with self.subTest(place, method=method):
                    body = None if method in ("GET", "DELETE") else self.content
                    answer = self.client.request(method, place, body, query=query)
                    self.assert_error(answer, 404, "BLOB_UPLOAD_UNKNOWN")
        self.assert_no_blob(self.digest)

    def test_where_to_go_on(self) -> None:
        """A Location states the algorithm until it leads to bytes in storage."""
        answer = self.client.start_upload(self.repo, digest_algorithm=self.algorithm)
        start = self.assert_status(answer, 202).location
        self.assertEqual(urlsplit(start).query, f"_state={self.algorithm}")
        self.assertEqual(self.assert_status(self.client.get(start), 204).location, start)
        self.assertEqual(self.assert_status(self.client.patch(start, b""), 202).location, start)
        self.assert_no_session(start)
        location = self.client.patch(start, self.content[:1]).location
        self.assertEqual(location, bare(start))
        self.assert_status(self.client.get(location), 204)
        self.assert_created(self.client.finish(location, self.digest, self.content[1:]))

    def test_push_again(self) -> None:
        for _ in range(2):
            self.assert_created(self.client.finish(self.start(), self.digest, self.content))

    def test_digest_algorithm(self) -> None:
        answer = self.assert_status(self.client.start_upload(self.repo, digest_algorithm=self.algorithm), 202)
        location = self.client.patch(answer.location, self.content[:CHUNK]).location
        self.assert_created(self.client.finish(location, self.digest, self.content[CHUNK:]))

    def test_large_blob_in_chunks(self) -> None:
        self.content = random_bytes(12 * 1024 * 1024 + 17)
        self.digest = digest_of(self.content, self.algorithm)
        location, size = self.start(), 5 * 1024 * 1024
        for start in range(0, len(self.content), size):
            piece = self.content[start : start + size]
            location = self.client.patch(location, piece, f"{start}-{start + len(piece) - 1}").location
        self.assert_created(self.client.finish(location, self.digest))


class Sha256Uploads(UploadFlows, ApiCase):
    algorithm = "sha256"


class Sha512Uploads(UploadFlows, ApiCase):
    algorithm = "sha512"
