"""
Any driver's content, by blocking calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Protocol, TypeVar

from twisted.internet.defer import DeferredSemaphore, gatherResults

from ..storage import FileInfo, IStorageDriver, Leftover, PathNotFound

_T = TypeVar("_T")
_AT_ONCE = 16


class Wait(Protocol):
    """Runs a coroutine where its driver lives, and blocks for what comes of it."""

    def __call__(self, start: Callable[[], Coroutine[Any, Any, _T]]) -> _T: ...


class DriverTree:
    """See :class:`dregistry.storage.Tree`."""

    concurrency = _AT_ONCE

    def __init__(self, driver: IStorageDriver, wait: Wait) -> None:
        self._driver = driver
        self._wait = wait
        self._calls = count()

    def waits(self) -> int:
        return next(self._calls)

    def names(self, path: str, holding: str = "") -> list[str]:
        try:
            return self._wait(lambda: _coroutine(self._driver.children(path)))
        except PathNotFound:
            return []

    def contents(self, paths: Sequence[str], largest: int | None = None) -> list[bytes | None]:
        found = self._wait(lambda: _coroutine(self._driver.get_contents(paths)))
        if largest is None:
            return found
        return [None if content is None or len(content) > largest else content for content in found]

    def stats(self, paths: Sequence[str]) -> list[FileInfo | None]:
        return self._wait(lambda: _coroutine(self._driver.stats(paths)))

    def pieces(self, path: str) -> Iterator[memoryview | bytes]:
        pieces: Any = self._driver.read(path)
        try:
            while piece := self._wait(lambda: anext(pieces, b"")):
                yield piece
        finally:
            self._wait(lambda: _coroutine(pieces.aclose()))

    def put(self, path: str, content: bytes) -> None:
        self._wait(lambda: _coroutine(self._driver.put_content(path, content, durable=False)))

    def move(self, source: str, destination: str) -> None:
        self._wait(lambda: _coroutine(self._driver.move(source, destination)))

    def delete(self, paths: Sequence[str]) -> None:
        self._wait(lambda: self._delete(paths))

    async def _delete(self, paths: Sequence[str]) -> None:
        turns = DeferredSemaphore(_AT_ONCE)
        await gatherResults([turns.run(self._delete_one, path) for path in paths], consumeErrors=True)

    async def _delete_one(self, path: str) -> None:
        with suppress(PathNotFound):
            await self._driver.delete(path)

    def prune(self, path: str) -> bool:
        return False

    def in_use(self, path: str) -> bool:
        return False

    def leftovers(self, path: str = "") -> Iterable[Leftover]:
        return ()

    def discard(self, leftover: Leftover) -> None:
        """There are none."""


async def _coroutine(work: Awaitable[_T]) -> _T:
    return await work
