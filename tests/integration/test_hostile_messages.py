"""Messages that break the rules of HTTP, or nearly do, sent to a real server."""

from __future__ import annotations

from .raw import ABSENT, ServedTestCase, request, sha256

BLOB = b"kept"
DELETE = request("DELETE", f"/v2/victim/blobs/{sha256(BLOB)}")
"""What no server may find behind a message that it refuses."""
UPLOADS = "/v2/hostile/blobs/uploads/"
EMPTY_END = b"\r\n\r\n"


def message(head: str | bytes, *lines: str | bytes, body: bytes = b"") -> bytes:
    encoded = [line if isinstance(line, bytes) else line.encode("latin-1") for line in (head, "Host: x", *lines)]
    return b"\r\n".join(encoded) + EMPTY_END + body


POST = f"POST {UPLOADS}?digest={ABSENT} HTTP/1.1"


class FramingTests(ServedTestCase):
    def setUp(self) -> None:
        super().setUp()
        with self.peer() as peer:
            peer.push_blob("victim", BLOB)

    def assert_kept(self) -> None:
        self.assertEqual(self.ask("HEAD", f"/v2/victim/blobs/{sha256(BLOB)}").status, 200)

    def assert_refused(self, *messages: bytes) -> None:
        """Each is answered once, and the connection closed; what follows in the same stream is not looked at."""
        peers = [self.peer().send(sent + DELETE) for sent in messages]
        for peer, sent in zip(peers, messages, strict=True):
            with self.subTest(sent=sent[:200]):
                found = peer.answer()
                assert found is not None, "closed without an answer"
                self.assertEqual(found.status, 400)
                self.assertLessEqual({"code", "message"}, found.json()["errors"][0].keys())
                self.assertEqual(peer.rest(), b"")
        self.assert_kept()

    def test_content_lengths_that_are_no_lengths(self) -> None:
        values = ("-1", "+5", "0x10", "1e3", "5 5", "5,5", "5, 6", "1_0", '"5"', "5;", "", "\u0665", "9" * 30)
        self.assert_refused(
            *(message(POST, b"Content-Length: " + value.encode("utf-8"), body=b"x" * 5) for value in values)
        )

    def test_a_length_stated_twice(self) -> None:
        pairs = (("5", "5"), ("5", "6"), ("5", "0"), ("0", "5"), ("0", "0"))
        self.assert_refused(
            *(message(POST, f"Content-Length: {a}", f"content-length: {b}", body=b"x" * 5) for a, b in pairs)
        )

    def test_length_beside_chunks(self) -> None:
        chunked, length = "Transfer-Encoding: chunked", "Content-Length: 4"
        both = ((chunked, length), (length, chunked), (chunked, "content-length: 0"), ("Content-Length: 0", chunked))
        self.assert_refused(*(message(POST, *lines, body=b"0\r\n\r\n") for lines in both))

    def test_transfer_codings_that_nobody_knows(self) -> None:
        values = ("xchunked", "chunked, chunked", "gzip, chunked", "chunked;a=b", "\x0bchunked", "chunked,", "deflate")
        chunked = "Transfer-Encoding: chunked"
        self.assert_refused(
            *(message(POST, f"Transfer-Encoding: {value}", body=b"0\r\n\r\n") for value in values),
            message(POST, chunked, chunked, body=b"0\r\n\r\n"),
            message(POST, chunked, "Transfer-Encoding: x", body=b"0\r\n\r\n"),
        )

    def test_the_identity_coding(self) -> None:
        """
        RFC 9112, 6.3: where chunked is not the last coding, the end is in doubt, and the request MUST be refused: an
        intermediary may see chunks, or no body, where this sees a length.
        """
        chunked, identity = "Transfer-Encoding: chunked", "Transfer-Encoding: identity"
        self.assert_refused(
            message(POST, identity, "Content-Length: 3", body=b"abc"),
            message(POST, chunked, identity, body=b"0\r\n\r\n"),
            message("GET /v2/ HTTP/1.1", identity),
        )

    def test_header_fields_that_are_none(self) -> None:
        lines = (
            b"Content-Length : 0",
            b"Transfer-Encoding : chunked",
            b"no colon",
            b": no name",
            b"Na me: x",
            b"Nul: a\0b",
            b"Return: a\rb",
            b"Feed: a\nContent-Length: 44",
            b"Feed: a\nTransfer-Encoding: chunked",
            b"\xff\xfe: x",
            b"(x): y",
        )
        self.assert_refused(*(message("GET /v2/ HTTP/1.1", line) for line in lines))
        self.assert_refused(*(message(POST, line, "Content-Length: 0") for line in lines))
        self.assert_refused(*(message(POST, "Content-Length: 0", line) for line in lines))

    def test_folded_lines(self) -> None:
        """Refused, or put together: never taken for a field of their own."""
        for folded in (" Content-Length: 3", "\tTransfer-Encoding: chunked"):
            with self.peer() as peer:
                peer.send(message(POST, "X-A: b", folded), request("GET", "/v2/", None, connection="close"))
                found = peer.answer("POST")
                assert found is not None
                self.assertEqual(found.status, 400)

    def test_request_lines_that_are_none(self) -> None:
        lines = (
            b"GET",
            b"GET /v2/",
            b"GET  /v2/ HTTP/1.1",
            b"GET /v2/ HTTP/1.1 x",
            b"GET /v2/ x HTTP/1.1",
            b"GET /v2/ HTTP/2.0",
            b"GET /v2/ HTTP/1.10",
            b"GET /v2/ http/1.1",
            b"GET /v2/ XTTP/1.1",
            b"G\0T /v2/ HTTP/1.1",
            b"G\xc3\xa9T /v2/ HTTP/1.1",
            b"GET /v2/\0 HTTP/1.1",
            b"GET /v2/\xff HTTP/1.1",
            b"GET\t/v2/\tHTTP/1.1",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            b"PRI * HTTP/2.0",
        )
        self.assert_refused(*(line + b"\r\nHost: x\r\n\r\n" for line in lines))

    def test_bombs(self) -> None:
        get = "GET /v2/ HTTP/1.1"
        self.assert_refused(
            b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
            message(get, "X: " + "a" * 17000),
            message(get, *(f"X-{n}: y" for n in range(501))),
            message(get, *(f"X-{n}: {'y' * 1000}" for n in range(20))),
            message(get, "X: y", *(" " + "a" * 1000 for _ in range(20))),
            b"A" * 200_000,
        )

    def test_chunks_that_are_none(self) -> None:
        bodies = (
            b"x\r\nabc\r\n0\r\n\r\n",
            b"-3\r\nabc\r\n0\r\n\r\n",
            b"+3\r\nabc\r\n0\r\n\r\n",
            b"0x3\r\nabc\r\n0\r\n\r\n",
            b"3 \r\nabc\r\n0\r\n\r\n",
            b"\r\nabc\r\n0\r\n\r\n",
            b"3\r\nabcd\r\n0\r\n\r\n",
            b"3\nabc\n0\n\n\r\n\r\n",
            b"3;a\x00b\r\nabc\r\n0\r\n\r\n",
            b"3;a\nb\r\nabc\r\n0\r\n\r\n",
            b"3" + b"0" * 2000 + b"\r\n",
            b"3;" + b"a" * 2000 + b"\r\nabc\r\n0\r\n\r\n",
            b"0\r\n" + b"".join(b"T%d: x\r\n" % n for n in range(9000)) + b"\r\n",
            b"0\r\n" + b"T" * 70000,
            b"3_0\r\nabc\r\n0\r\n\r\n",
        )
        self.assert_refused(*(message(POST, "Transfer-Encoding: chunked", body=body) for body in bodies))

    def test_a_size_of_a_chunk_beyond_all_memory(self) -> None:
        with self.peer() as peer:
            peer.send(message(POST, "Transfer-Encoding: chunked", body=b"f" * 900 + b"\r\n" + b"a" * 100_000)).end()
            self.assertEqual(peer.rest(), b"")

    def test_extensions_and_trailers_are_of_no_account(self) -> None:
        body = b'3;name="va;lue"\r\nabc\r\n0;x\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n'
        with self.peer() as peer:
            head = f"POST {UPLOADS}?digest={sha256(b'abc')} HTTP/1.1"
            found = peer.send(message(head, "Transfer-Encoding: Chunked", body=body)).answer()
            assert found is not None
            self.assertEqual(found.status, 201)
            self.assertEqual(peer.ask("GET", "/v2/").status, 200)

    def test_what_follows_a_close_is_not_looked_at(self) -> None:
        for first in (
            request("GET", "/v2/", None, connection="close"),
            message("GET /v2/ HTTP/1.0"),
            message("PUT /v2/x/manifests/t HTTP/1.1", f"Content-Length: {5 << 20}", body=b"x" * (1 << 20)),
        ):
            with self.subTest(first=first[:60]), self.peer() as peer:
                self.assertIsNotNone(peer.send(first + DELETE).answer())
                self.assertEqual(peer.rest(), b"")
                self.assert_kept()

    def test_an_unread_body_is_not_a_request(self) -> None:
        """Bodies that are refused at their headers, which hold a request."""
        for target in (
            "PUT /v2/UPPER/manifests/t",
            "PUT /nowhere",
            f"PATCH {UPLOADS}nothing",
            "GET /v2/",
            "HEAD /v2/",
        ):
            with self.subTest(target=target), self.peer() as peer:
                sent = message(f"{target} HTTP/1.1", f"Content-Length: {len(DELETE)}", body=DELETE)
                first = peer.send(sent).answer(target.split()[0])
                assert first is not None
                self.assertLess(first.status, 500)
                second = peer.send(request("GET", "/v2/")).answer()
                self.assertTrue(second is None or second.status == 200)
                self.assert_kept()
