"""
What is counted of the storage: how long its actions take, by distribution's names for them.

What distribution calls ``Move`` is here the commit of what was written, too. Reading and writing content piece by piece
is not an action.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter
from typing import Any, TypeVar

from ..storage import FileInfo, IStorageDriver, IWriter
from ..storage.middleware._wrapping import StorageMiddleware
from .families import STORAGE_ACTION
from .recorder import Histogram, Recorder

_T = TypeVar("_T")


async def _timed(histogram: Histogram, work: Awaitable[_T]) -> _T:
    began = perf_counter()
    try:
        return await work
    finally:
        histogram.observe(perf_counter() - began)


class MeasuredDriver(StorageMiddleware):
    """
    A driver whose actions are measured.

    :param name: of the driver, as in the configuration.
    """

    def __init__(self, driver: IStorageDriver, recorder: Recorder, name: str) -> None:
        super().__init__(driver)

        def of(action: str) -> Histogram:
            return recorder.histogram(STORAGE_ACTION, name, action)

        self._get, self._put = of("GetContent"), of("PutContent")
        self._stat, self._list = of("Stat"), of("List")
        self._moved, self._deleted, self._redirected = of("Move"), of("Delete"), of("RedirectURL")

    async def get_content(self, path: str) -> bytes:
        began = perf_counter()
        try:
            content: bytes = await self.wrapped.get_content(path)
        finally:
            self._get.observe(perf_counter() - began)
        return content

    def get_contents(self, paths: Sequence[str]) -> Awaitable[list[bytes | None]]:
        return _timed(self._get, self.wrapped.get_contents(paths))

    def put_content(self, path: str, content: bytes, durable: bool = True) -> Awaitable[None]:
        return _timed(self._put, self.wrapped.put_content(path, content, durable))

    def put_contents(self, contents: Sequence[tuple[str, bytes]]) -> Awaitable[None]:
        return _timed(self._put, self.wrapped.put_contents(contents))

    def stat(self, path: str) -> Awaitable[FileInfo]:
        return _timed(self._stat, self.wrapped.stat(path))

    def stats(self, paths: Sequence[str]) -> Awaitable[list[FileInfo | None]]:
        return _timed(self._stat, self.wrapped.stats(paths))

    def written(self, path: str, state: bytes = b"") -> Awaitable[int]:
        return _timed(self._stat, self.wrapped.written(path, state))

    def children(self, path: str, after: str = "", limit: int | None = None) -> Awaitable[list[str]]:
        return _timed(self._list, self.wrapped.children(path, after, limit))

    def find_directories(self, path: str, child: str, after: str, limit: int) -> Awaitable[list[str]]:
        return _timed(self._list, self.wrapped.find_directories(path, child, after, limit))

    def move(self, source: str, destination: str) -> Awaitable[None]:
        return _timed(self._moved, self.wrapped.move(source, destination))

    def delete(self, path: str) -> Awaitable[None]:
        return _timed(self._deleted, self.wrapped.delete(path))

    def redirect_url(self, path: str, method: str, client: str) -> Awaitable[str | None]:
        return _timed(self._redirected, self.wrapped.redirect_url(path, method, client))

    async def writer(
        self, path: str, state: bytes = b"", create: bool = False, destination: str | None = None
    ) -> IWriter:
        writer = await self.wrapped.writer(path, state, create, destination)
        return _MeasuredWriter(writer, self._moved)  # type: ignore[return-value]  # it has the rest by __getattr__


class _MeasuredWriter:
    def __init__(self, writer: IWriter, committed: Histogram) -> None:
        self._writer = writer
        self._committed = committed
        self.write: Callable[[bytes], Awaitable[None]] = writer.write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    def commit(self, destination: str | None = None, then: Sequence[tuple[str, bytes]] = ()) -> Awaitable[None]:
        return _timed(self._committed, self._writer.commit(destination, then))
