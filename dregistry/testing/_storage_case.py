"""
What the parts of the storage suite share.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from inspect import isawaitable
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.python.failure import Failure

from ..storage import IStorageDriver, PathNotFound
from ._suite import Suite, settled

_E = TypeVar("_E", bound=BaseException)

PIECE = 1 << 20
"""The most bytes that a driver may deliver in one piece."""


class StorageCase(Suite):
    """A mixin of trial's ``TestCase``: an empty driver for each test."""

    driver: IStorageDriver

    def make_driver(self) -> Any:
        """An empty driver, or an awaitable of it."""
        raise NotImplementedError("a storage driver's test case defines make_driver()")

    async def _set_up(self) -> None:
        self.driver = await settled(self.make_driver())

    async def assert_refused(self, expected: type[_E], call: Callable[..., Any], *args: Any, **kwargs: Any) -> _E:
        """Fail unless what ``call`` returns fails by ``expected``, or ``call`` itself does; give that back."""
        try:
            result = call(*args, **kwargs)
            if isawaitable(result):
                result = await result
        except expected as error:
            return error
        raise self.failureException(f"{expected.__name__} expected, but there was {result!r}")

    async def assert_absent(self, *paths: str) -> None:
        for path in paths:
            await self.assert_refused(PathNotFound, self.driver.get_content, path)

    async def assert_content(self, path: str, content: bytes) -> None:
        found = await self.content(path)
        if found != content:  # megabytes do not belong in a message
            self.fail(f"{path} has {len(found)} bytes {found[:40]!r}, not {len(content)} bytes {content[:40]!r}")

    async def put(self, *paths: str, content: bytes = b"content") -> None:
        for path in paths:
            await self.driver.put_content(path, content, durable=False)

    async def write(self, path: str, *pieces: bytes) -> None:
        """By a new writer that is committed."""
        writer = await self.driver.writer(path, create=True)
        for piece in pieces:
            await writer.write(piece)
        await writer.commit()

    async def content(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        return await self.rest(self.driver.read(path, offset, length))

    async def rest(self, stream: AsyncIterator[bytes]) -> bytes:
        """All that is still to come, with the sizes of the pieces checked."""
        pieces = []
        async for piece in stream:
            self.assertTrue(1 <= len(piece) <= PIECE, f"a piece of {len(piece)} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    async def names(self, path: str, after: str = "", limit: int | None = None) -> list[str]:
        """Of children, and none where the driver says that there is no such directory."""
        try:
            return await self.driver.children(path, after, limit)
        except PathNotFound:
            return []


async def at_once(*awaitables: Awaitable[Any]) -> list[Any]:
    """Start all, wait for all: what each returned, or the exception that it raised."""

    async def wait(awaitable: Awaitable[Any]) -> Any:
        return await awaitable

    ended = await DeferredList([Deferred.fromCoroutine(wait(each)) for each in awaitables], consumeErrors=True)
    return [result.value if isinstance(result, Failure) else result for _, result in ended]


async def close(stream: AsyncIterator[bytes]) -> None:
    """The contract's iterators can be closed."""
    await cast("AsyncGenerator[bytes, None]", stream).aclose()


def pattern(size: int, seed: int = 0) -> bytes:
    """Bytes of which no two pieces of some length are alike."""
    unit = b"".join(number.to_bytes(4, "big") for number in range(seed, seed + 4096))
    whole, rest = divmod(size, len(unit))
    return b"".join(unit[:-4] + number.to_bytes(4, "big") for number in range(whole)) + unit[:rest]
