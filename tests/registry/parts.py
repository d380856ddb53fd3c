"""A storage driver whose writers have a state."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from typing import Any

from zope.interface import implementer

from dregistry.storage import IWriter, PathNotFound, StorageError, WriterBusy
from dregistry.storage._path import check_path
from dregistry.storage.memory import MemoryDriver

PART = 1 << 21
"""Bytes that a writer gathers before it keeps them."""


class PartsDriver(MemoryDriver):
    """
    One that keeps what is written, until it is committed, where only the writer's state leads; as engines do that
    take content in parts.

    :ivar parts: by path and state.
    :ivar handed: the states and destinations that writers were opened with.
    """

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[tuple[str, bytes], bytes] = {}
        self.handed: list[tuple[bytes, str | None]] = []

    def crash(self) -> None:
        """The process ends: what writers have gathered is lost, and their locks end."""
        self._writing.clear()

    async def writer(
        self, path: str, state: bytes = b"", create: bool = False, destination: str | None = None
    ) -> IWriter:
        if check_path(path) in self._writing:
            raise WriterBusy(path)
        if (path, state) not in self.parts and (not create or state):
            raise PathNotFound(path)
        self.handed.append((state, destination))
        found = PartsWriter(self, path, state)
        self._writing[path] = found  # type: ignore[assignment]
        return found

    async def written(self, path: str, state: bytes = b"") -> int:
        try:
            return len(self.parts[check_path(path), state])
        except KeyError:
            raise PathNotFound(path) from None

    async def move(self, source: str, destination: str) -> None:
        if source in self._writing:
            raise WriterBusy(source)
        await super().move(source, destination)

    async def delete(self, path: str) -> None:
        check_path(path)
        found = {each for each in (*self._writing, *(of for of, _ in self.parts)) if f"{each}/".startswith(f"{path}/")}
        for each in found:
            self._forget(each)
        try:
            await super().delete(path)
        except PathNotFound:
            if not found:
                raise

    def _put(self, path: str, data: bytes, modified: float | None = None) -> None:
        self._forget(path)
        super()._put(path, data, modified)

    def _forget(self, path: str) -> None:
        self._writing.pop(path, None)
        for key in [key for key in self.parts if key[0] == path]:
            del self.parts[key]


@implementer(IWriter)
class PartsWriter:
    def __init__(self, driver: PartsDriver, path: str, state: bytes) -> None:
        self.state = state
        self._driver = driver
        self._path = path
        self._kept = driver.parts.get((path, state), b"")
        self._gathered = b""
        self._open = True

    @property
    def size(self) -> int:
        return len(self._kept) + len(self._gathered)

    async def write(self, data: bytes) -> None:
        self._check_open()
        self._gathered += data
        if len(self._gathered) >= PART:
            self._keep()

    async def read(self) -> AsyncIterator[bytes]:
        self._check_open()
        stream = BytesIO(self._kept + self._gathered)
        while piece := stream.read(1 << 20):
            yield piece

    async def commit(self, destination: str | None = None, then: Sequence[tuple[str, bytes]] = ()) -> None:
        self._check_open()
        for path in (destination or self._path, *(path for path, _ in then)):
            check_path(path)
        held, self._open = self._held, False
        if held:
            self._driver._forget(self._path)
            await self._driver.put_content(destination or self._path, self._kept + self._gathered)
        elif destination is not None:
            raise PathNotFound(self._path)
        await self._driver.put_contents(then)

    async def close(self) -> None:
        if self._open:
            self._keep()
            if self._held:
                del self._driver._writing[self._path]
            self._open = False

    async def cancel(self) -> None:
        if self._open and self._held:
            self._driver._forget(self._path)
        self._open = False

    @property
    def _held(self) -> bool:
        writing: dict[str, Any] = self._driver._writing
        return writing.get(self._path) is self

    def _keep(self) -> None:
        if not self.state and self._gathered:
            self.state = b"parts of %d" % id(self)
        self._kept, self._gathered = self._kept + self._gathered, b""
        if self._held and self.state:
            self._driver.parts[self._path, self.state] = self._kept

    def _check_open(self) -> None:
        if not self._open:
            raise StorageError(f"the writer of {self._path} is closed")
