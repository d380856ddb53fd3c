"""A storage driver that fails when a test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from zope.interface import implementer

from dregistry.storage import IStorageDriver, IWriter, StorageError

_ENDS = {"commit", "close", "cancel"}


@implementer(IStorageDriver)
class FaultyDriver:
    """
    Another driver, all of whose calls work until :meth:`fail`.

    :ivar calls: the methods that were called, in order; those of writers as ``writer.write``.
    :ivar writers: how many are open.
    """

    name = "faulty"

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.calls: list[str] = []
        self.writers = 0
        self._error: StorageError | None = None
        self._method = ""
        self._at = 0
        self._for_good = False

    def fail(self, error: StorageError, at: int, for_good: bool = False, method: str = "") -> None:
        """
        The call of that number, counted from now, raises ``error`` instead; so do all that follow, ``for_good``.

        :param method: count only the calls of this one.
        """
        self.calls.clear()
        self._error, self._at, self._for_good, self._method = error, at, for_good, method

    def mend(self) -> None:
        self._error = None
        self.calls.clear()

    def enter(self, method: str) -> None:
        counted = [call for call in self.calls if self._method in ("", call)]
        self.calls.append(method)
        if self._error is None or self._method not in ("", method):
            return
        if len(counted) == self._at or (self._for_good and len(counted) > self._at):
            raise self._error

    def __getattr__(self, method: str) -> Any:
        if method not in IStorageDriver:
            raise AttributeError(method)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.enter(method)
            return await getattr(self.inner, method)(*args, **kwargs)

        return call

    async def read(self, path: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        self.enter("read")
        async for piece in self.inner.read(path, offset, length):
            yield piece
            self.enter("read")

    async def writer(self, path: str, *args: Any, **kwargs: Any) -> Any:
        self.enter("writer")
        writer = FaultyWriter(self, await self.inner.writer(path, *args, **kwargs))
        self.writers += 1
        return writer


class Interrupted(FaultyDriver):
    """
    One during whose calls something else happens.

    :ivar interrupt: called before each call of the method named ``at``, but not while it is under way.
    """

    def __init__(self, inner: Any, at: str) -> None:
        super().__init__(inner)
        self.at = at
        self.interrupt: Callable[[], object] | None = None

    def enter(self, method: str) -> None:
        super().enter(method)
        if method == self.at and self.interrupt is not None:
            interrupt, self.interrupt = self.interrupt, None
            interrupt()
            self.interrupt = interrupt


@implementer(IWriter)
class FaultyWriter:
    """One that fails to end is closed nevertheless, and leaves what was written."""

    def __init__(self, driver: FaultyDriver, inner: Any) -> None:
        self._driver = driver
        self._inner = inner
        self._open = True

    @property
    def size(self) -> int:
        return self._inner.size

    @property
    def state(self) -> bytes:
        return self._inner.state

    async def read(self) -> AsyncIterator[bytes]:
        self._driver.enter("writer.read")
        async for piece in self._inner.read():
            yield piece
            self._driver.enter("writer.read")

    def __getattr__(self, method: str) -> Any:
        if method not in IWriter:
            raise AttributeError(method)

        async def call(*args: Any, **kwargs: Any) -> Any:
            if method in _ENDS and self._open:
                self._open = False
                self._driver.writers -= 1
            try:
                self._driver.enter(f"writer.{method}")
            except StorageError:
                if method in _ENDS:
                    await self._inner.close()
                raise
            return await getattr(self._inner, method)(*args, **kwargs)

        return call
