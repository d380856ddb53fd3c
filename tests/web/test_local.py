"""Tests of :mod:`dregistry.web._local`: files on their way through TLS."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from dregistry.web import _local
from dregistry.web._local import local_chunks
from dregistry.web._sendfile import send_chunks

from ..storage.support import temporary_directory

PIECE = _local._PIECE


class LocalCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.content = os.urandom(3 * PIECE + 17)
        path = os.path.join(temporary_directory(self), "blob")
        with open(path, "wb") as file:
            file.write(self.content)
        self.file: Any = open(path, "rb", buffering=0)  # noqa: SIM115
        self.addCleanup(self.file.close)
        self.clock = Clock()
        self.slow: list[tuple[int, int]] = []

    async def read(self, offset: int, length: int) -> AsyncIterator[bytes]:
        self.slow.append((offset, length))
        yield self.content[offset : offset + length]

    def chunks(self, offset: int, length: int) -> AsyncIterator[bytes | memoryview]:
        return local_chunks(self.file, offset, length, self.read, self.clock.callLater)

    def collected(self, offset: int, length: int) -> bytes:
        async def collect() -> bytes:
            return b"".join([bytes(chunk) async for chunk in self.chunks(offset, length)])

        return self.successResultOf(Deferred.fromCoroutine(collect()))

    def forbid(self, *calls: int) -> None:
        """Have the kernel say that it would have to wait, at these calls."""
        real, count = os.preadv, iter(range(1000))

        def preadv(*arguments: Any) -> int:
            if next(count) in calls:
                raise BlockingIOError(errno.EAGAIN, "not in memory")
            return real(*arguments)

        self.patch(_local.os, "preadv", preadv)


class ChunksTests(LocalCase):
    def test_parts(self) -> None:
        size = len(self.content)
        for offset, length in ((0, size), (0, 1), (size - 1, 1), (PIECE - 1, 2), (5, PIECE), (7, size - 9), (3, 0)):
            self.assertEqual(self.collected(offset, length), self.content[offset : offset + length])
        self.assertEqual(self.slow, [])

    def test_what_is_not_in_memory(self) -> None:
        """That part comes by the other way, and the next ones are tried again."""
        self.patch(_local, "_SLOW", 1000)
        self.forbid(1, 2)
        self.assertEqual(self.collected(0, len(self.content)), self.content)
        self.assertEqual(self.slow, [(PIECE, 1000), (PIECE + 1000, 1000)])

    def test_a_kernel_that_cannot_tell(self) -> None:
        self.forbid(*range(1000))
        self.assertEqual(self.collected(2, 2 * PIECE), self.content[2 : 2 + 2 * PIECE])

    def test_a_file_that_ends_early(self) -> None:
        """The driver is asked, which says what is wrong."""

        async def read(offset: int, length: int) -> AsyncIterator[bytes]:
            raise OSError(f"no {length} bytes at {offset}")
            yield b""

        async def collect() -> None:
            size = len(self.content)
            async for _ in local_chunks(self.file, size - 5, 10, read, self.clock.callLater):
                pass

        failure = self.failureResultOf(Deferred.fromCoroutine(collect()))
        self.assertEqual(str(failure.value), f"no 5 bytes at {len(self.content)}")

    def test_turns(self) -> None:
        """After a part of a large file others have theirs."""
        self.patch(_local, "_TURN", PIECE)
        received: list[int] = []
        waiting: list[Any] = []

        async def collect() -> None:
            chunks = local_chunks(self.file, 0, len(self.content), self.read, lambda *call: waiting.append(call))
            async for chunk in chunks:
                received.append(len(chunk))

        collected = Deferred.fromCoroutine(collect())
        for count in (1, 2, 3):
            self.assertEqual((len(received), len(waiting)), (count, 1))
            delay, call, *arguments = waiting.pop()
            self.assertEqual(delay, 0)
            call(*arguments)
        self.successResultOf(collected)
        self.assertEqual(sum(received), len(self.content))

    def test_counted(self) -> None:
        """Those that were broken off are not under way any more."""

        async def one() -> None:
            chunks: Any = self.chunks(0, len(self.content))
            await anext(chunks)
            self.assertEqual(_local._under_way, 1)
            await chunks.aclose()

        self.successResultOf(Deferred.fromCoroutine(one()))
        self.assertEqual(_local._under_way, 0)


class _Request:
    """A client that takes nothing after each piece until it is told to."""

    def __init__(self) -> None:
        self.channel = object()
        self.written = b""
        self.producer: Any = None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def notifyFinish(self) -> Deferred[None]:
        return Deferred()

    def write(self, data: bytes) -> None:
        self.written += data
        self.producer.pauseProducing()


class SharedBufferTests(LocalCase):
    def test_two_slow_clients(self) -> None:
        """What waits for one is not overwritten by what is read for the other."""
        requests = [_Request(), _Request()]
        parts = [(0, 2 * PIECE), (PIECE + 17, 2 * PIECE)]
        sent = [
            Deferred.fromCoroutine(send_chunks(request, self.chunks(*part)))
            for request, part in zip(requests, parts, strict=True)
        ]
        while any(request.producer for request in requests):
            for request in requests:
                if request.producer:
                    request.producer.resumeProducing()
        for request, (offset, length), end in zip(requests, parts, sent, strict=True):
            self.successResultOf(end)
            self.assertEqual(request.written, self.content[offset : offset + length])
