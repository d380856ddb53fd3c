"""
The channel that hands bodies on as they arrive: each trap that stock twisted.web sets, once.
"""

from __future__ import annotations

import inspect
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from twisted.web import http

from dregistry.errors import BadRequest, ClientDisconnected
from dregistry.web._body import DRAIN_LIMIT, HIGH_WATER, SpooledBody, request_body
from dregistry.web._channel import StreamingChannel
from dregistry.web._streaming import LINGER, StreamingRequest

from .channel import Connection

PUT = b"PUT /a HTTP/1.1\r\nHost: x\r\n"


async def echo(request: Any) -> bytes:
    return b"".join([piece async for piece in request_body(request)])


async def refuse(request: Any) -> bytes:
    request.setResponseCode(401)
    return b"no"


class Reader:
    """A handler that takes one piece whenever the test says so, and remembers how its body ended."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.ended: BaseException | None = None
        self.request: Any = None
        self._turns: list[Deferred[None]] = []

    async def __call__(self, request: Any) -> bytes:
        self.request = request
        try:
            body = aiter(request_body(request))
            while True:
                turn: Deferred[None] = Deferred()
                self._turns.append(turn)
                await turn
                self.pieces.append(await anext(body))
        except BaseException as error:
            self.ended = error
        return b"done"

    def take(self) -> None:
        self._turns.pop().callback(None)


class BodyTests(SynchronousTestCase):
    def test_routed_before_its_body(self) -> None:
        reader = Reader()
        connection = Connection(reader)
        connection.send(PUT + b"Content-Length: 6\r\n\r\n")
        self.assertEqual(reader.request.method, b"PUT")
        self.assertEqual(reader.request.args, {})

    def test_pieces_as_they_arrive(self) -> None:
        reader = Reader()
        connection = Connection(reader)
        connection.send(PUT + b"Content-Length: 6\r\n\r\nab")
        reader.take()
        self.assertEqual(reader.pieces, [b"ab"])
        reader.take()
        connection.send(b"cdef")
        self.assertEqual(reader.pieces, [b"ab", b"cdef"])
        reader.take()
        self.assertIsInstance(reader.ended, StopAsyncIteration)

    def test_chunked(self) -> None:
        connection = Connection(echo)
        connection.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        connection.send(b"2\r\nde\r\n0\r\n\r\n")
        self.assertTrue(connection.received.endswith(b"\r\n\r\nabcde"))

    def test_requests_follow_one_another(self) -> None:
        connection = Connection(echo)
        for _ in range(3):
            connection.send(PUT + b"Content-Length: 2\r\n\r\nhi")
        self.assertEqual(connection.received.count(b"HTTP/1.1 200 OK"), 3)

    def test_pipelined(self) -> None:
        connection = Connection(echo)
        connection.send((PUT + b"Content-Length: 2\r\n\r\nhi") * 3 + b"GET /b HTTP/1.1\r\n\r\n")
        self.assertEqual(connection.received.count(b"HTTP/1.1 200 OK"), 4)
        self.assertEqual(len(connection.site.logged), 4)

    def test_trap_1_no_body_and_a_synchronous_answer(self) -> None:
        connection = Connection(refuse)
        connection.send(b"POST /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n" * 2)
        self.assertEqual(connection.received.count(b"HTTP/1.1 401"), 2)
        self.assertFalse(connection.transport.disconnecting)

    def test_trap_2_continue_when_the_handler_reads(self) -> None:
        reader = Reader()
        connection = Connection(reader)
        connection.send(PUT + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(connection.received, b"")
        reader.take()
        self.assertEqual(connection.received, b"HTTP/1.1 100 Continue\r\n\r\n")

    def test_trap_2_no_continue_for_what_is_refused(self) -> None:
        connection = Connection(refuse)
        connection.send(PUT + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        self.assertNotIn(b"100 Continue", connection.received)
        self.assertIn(b"Connection: close", connection.received)

    def test_trap_3_a_small_rest_is_drained(self) -> None:
        connection = Connection(refuse)
        connection.send(PUT + b"Content-Length: %d\r\n\r\n" % DRAIN_LIMIT)
        self.assertNotIn(b"Connection: close", connection.received)
        connection.send(b"x" * DRAIN_LIMIT + b"GET /b HTTP/1.1\r\n\r\n")
        self.assertEqual(connection.received.count(b"HTTP/1.1 401"), 2)

    def test_trap_3_a_large_rest_closes_the_connection(self) -> None:
        connection = Connection(refuse)
        connection.send(PUT + b"Content-Length: %d\r\n\r\n" % (DRAIN_LIMIT + 1))
        self.assertIn(b"Connection: close", connection.received)
        connection.send(b"x" * DRAIN_LIMIT)
        self.assertFalse(connection.transport.disconnecting)
        connection.clock.advance(LINGER)
        self.assertTrue(connection.transport.disconnecting)

    def test_trap_3_after_an_early_answer_nothing_else_is_executed(self) -> None:
        connection = Connection(refuse)
        connection.send(PUT + b"Content-Length: %d\r\n\r\n" % (DRAIN_LIMIT + 1))
        connection.send(b"x" * (DRAIN_LIMIT + 1) + b"GET /b HTTP/1.1\r\n\r\n")
        self.assertEqual(connection.received.count(b"HTTP/1.1 401"), 1)
        self.assertTrue(connection.transport.disconnecting)

    def test_trap_4_a_lost_connection_fails_the_read(self) -> None:
        reader = Reader()
        connection = Connection(reader)
        connection.send(PUT + b"Content-Length: 6\r\n\r\nab")
        reader.take()
        reader.take()
        connection.lose()
        self.assertIsInstance(reader.ended, ClientDisconnected)

    def test_trap_4_what_arrived_before_is_still_read(self) -> None:
        reader = Reader()
        connection = Connection(reader)
        connection.send(PUT + b"Content-Length: 6\r\n\r\nab")
        connection.lose()
        reader.take()
        self.assertEqual(reader.pieces, [b"ab"])

    def test_trap_5_a_stalling_peer_times_out(self) -> None:
        connection = Connection(Reader())
        connection.send(PUT + b"Content-Length: 6\r\n\r\nab")
        connection.clock.pump([1] * 61)
        self.assertTrue(connection.transport.disconnecting)

    def test_trap_5_a_paused_peer_does_not(self) -> None:
        reader = Reader()
        connection = Connection(reader)
        connection.send(PUT + b"Content-Length: %d\r\n\r\n" % (3 * HIGH_WATER) + b"x" * (HIGH_WATER + 1))
        self.assertTrue(connection.paused)
        connection.clock.advance(1000)
        self.assertFalse(connection.transport.disconnecting)
        reader.take()
        self.assertFalse(connection.paused)
        connection.clock.pump([1] * 61)
        self.assertTrue(connection.transport.disconnecting)

    def test_trap_5_the_timeout_is_back_after_a_request_that_was_paused(self) -> None:
        reader = Reader()
        connection = Connection(reader)
        size = HIGH_WATER + 1
        connection.send(PUT + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
        reader.take()
        connection.clock.advance(1000)  # the handler may take its time
        self.assertFalse(connection.transport.disconnecting)
        reader.take()
        self.assertIn(b"200 OK", connection.received)
        connection.clock.pump([1] * 61)
        self.assertTrue(connection.transport.disconnecting)

    def test_trap_8_a_plain_site_has_bodies_too(self) -> None:
        plain = _Plain(b"spooled")
        body = request_body(plain)
        self.assertIsInstance(body, SpooledBody)
        self.assertEqual(body.length, 7)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(echo(plain))), b"spooled")

    def test_trap_9_content_can_be_closed(self) -> None:
        reader = Reader()
        connection = Connection(reader)
        connection.send(PUT + b"Content-Length: 1\r\n\r\n")
        connection.lose()
        self.assertTrue(reader.request.content.closed)


class LoggedTests(SynchronousTestCase):
    """The site hears of each request once."""

    def test_answered(self) -> None:
        connection = Connection(echo)
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.lose()
        self.assertEqual([request.code for request in connection.site.logged], [200])

    def test_client_gone(self) -> None:
        """Before the answer."""
        connection = Connection(Reader())
        connection.send(PUT + b"Content-Length: 6\r\n\r\nab")
        connection.lose()
        self.assertEqual([request.code for request in connection.site.logged], [499])

    def test_client_gone_in_the_middle(self) -> None:
        async def begin(request: Any) -> bytes:
            request.setHeader(b"content-length", b"6")
            request.write(b"ab")
            return await Deferred[bytes]()

        connection = Connection(begin)
        connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.lose()
        self.assertEqual([(request.code, request.sentLength) for request in connection.site.logged], [(200, 2)])

    def test_nothing_asked(self) -> None:
        connection = Connection(echo)
        connection.send(b"GET / HTTP/1.1\r\nHost")
        connection.lose()
        self.assertEqual(connection.site.logged, [])


class RefusalTests(SynchronousTestCase):
    """What is no request gets one answer, and nothing behind it is executed."""

    def refused(self, data: bytes) -> None:
        connection = Connection(echo)
        connection.send(data + b"\r\n\r\nGET /hidden HTTP/1.1\r\n\r\n")
        self.assertEqual(connection.received.count(b"\r\n\r\n"), 1, connection.received)
        self.assertTrue(connection.received.startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        self.assertIn(b'{"errors":[{"code":', connection.received)
        self.assertTrue(connection.transport.disconnecting)
        self.assertEqual(connection.site.logged, [])

    def test_no_request_line(self) -> None:
        self.refused(b"hello")

    def test_two_lengths(self) -> None:
        self.refused(PUT + b"Content-Length: 1\r\nContent-Length: 1")

    def test_length_and_coding(self) -> None:
        self.refused(PUT + b"Content-Length: 3\r\nTransfer-Encoding: chunked")
        self.refused(PUT + b"Transfer-Encoding: chunked\r\nContent-Length: 3")

    def test_unknown_coding(self) -> None:
        self.refused(PUT + b"Transfer-Encoding: gzip, chunked")

    def test_lengths_that_are_none(self) -> None:
        for length in (b"-1", b"+1", b"0x10", b"1e3", b"9" * 19, b"9" * 5000, b""):
            self.refused(PUT + b"Content-Length: " + length)

    def test_tls(self) -> None:
        """A client that tries TLS first is not left waiting."""
        connection = Connection(echo)
        connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        self.assertTrue(connection.received.startswith(b"HTTP/1.1 400"))
        self.assertTrue(connection.transport.disconnecting)

    def test_long_line(self) -> None:
        connection = Connection(echo)
        connection.send(b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n")
        self.assertTrue(connection.received.startswith(b"HTTP/1.1 400"))

    def test_broken_chunks_fail_the_body(self) -> None:
        seen: list[BaseException] = []

        async def handler(request: Any) -> bytes:
            try:
                return await echo(request)
            except BadRequest as error:
                seen.append(error)
                request.setResponseCode(400)
                return b"bad"

        connection = Connection(handler)
        connection.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n")
        connection.send(b"GET /hidden HTTP/1.1\r\n\r\n")
        self.assertEqual(len(seen), 1)
        self.assertEqual(connection.received.count(b"\r\n\r\n"), 1)
        self.assertIn(b"Connection: close", connection.received)

    def test_absolute_form(self) -> None:
        reader = Reader()
        Connection(reader).send(b"GET http://example.com/v2/?a=b HTTP/1.1\r\n\r\n")
        self.assertEqual((reader.request.path, reader.request.args), (b"/v2/", {b"a": [b"b"]}))


class RetirementTests(SynchronousTestCase):
    """A connection whose process is replaced ends after an answer, and never in place of one."""

    def test_kept(self) -> None:
        """By a client that has had its answer: it gets one more."""
        connection = Connection(echo)
        connection.send(b"GET / HTTP/1.1\r\n\r\n")
        connection.channel.announce_end()
        self.assertFalse(connection.transport.disconnecting)
        connection.transport.clear()
        connection.send(b"GET / HTTP/1.1\r\n\r\n")
        self.assertTrue(connection.received.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertIn(b"Connection: close\r\n", connection.received)
        self.assertTrue(connection.transport.disconnecting)

    def test_fresh(self) -> None:
        """Before its first request, and within the headers of one."""
        for sent in (b"", b"GET / HTTP/1.1\r\n"):
            connection = Connection(echo)
            connection.send(sent) if sent else None
            connection.channel.announce_end()
            connection.send(b"GET / HTTP/1.1\r\n\r\n"[len(sent) :])
            self.assertIn(b"Connection: close\r\n", connection.received)
            self.assertTrue(connection.transport.disconnecting)

    def test_under_way(self) -> None:
        connection = Connection(echo)
        connection.send(b"PUT / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
        connection.channel.announce_end()
        self.assertFalse(connection.transport.disconnecting)
        connection.send(b"cde")
        self.assertTrue(connection.received.endswith(b"abcde"))
        self.assertIn(b"Connection: close\r\n", connection.received)
        self.assertTrue(connection.transport.disconnecting)


class TwistedTests(SynchronousTestCase):
    """Trap 7: the private names that ``_streaming`` builds upon are what they were."""

    def test_private_names(self) -> None:
        channel = http.HTTPChannel
        for name, parameters in {
            "_respondToBadRequestAndDisconnect": ["self"],
            "_maybeChooseTransferDecoder": ["self", "header", "data"],
            "_failChooseTransferDecoder": ["self"],
            "_send100Continue": ["self"],
            "_finishRequestBody": ["self", "data"],
            "allHeadersReceived": ["self"],
            "allContentReceived": ["self"],
        }.items():
            with self.subTest(name=name):
                self.assertEqual(list(inspect.signature(getattr(channel, name)).parameters), parameters)
        self.assertEqual(list(inspect.signature(http.Request._cleanup).parameters), ["self"])
        made = channel()
        for name in ("_savedTimeOut", "_waitingForTransport", "_handlingRequest", "_transferDecoder", "requests"):
            self.assertTrue(hasattr(made, name), name)
        self.assertIn("self._command", inspect.getsource(channel.lineReceived))
        self.assertIn("self._networkProducer =", inspect.getsource(channel.connectionMade))

    def test_overridden_names_exist(self) -> None:
        for ours, theirs in ((StreamingChannel, http.HTTPChannel), (StreamingRequest, http.Request)):
            for name in vars(ours):
                if (name[0].islower() and any(letter.isupper() for letter in name)) or name == "_cleanup":
                    self.assertTrue(hasattr(theirs, name) or name in ("defaultContentType", "handshakeCompleted"), name)


class _Plain:
    """As much of a plain site's request as a body needs."""

    def __init__(self, content: bytes) -> None:
        self.content = BytesIO(content)
