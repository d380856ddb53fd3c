"""
One at a time: for what must read and then write without another in between.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from twisted.internet.defer import DeferredLock

from ..storage import ILocking, IStorageDriver


class Locks:
    """
    Locks by path: among the requests of this process, and among all processes if the driver can.
    """

    def __init__(self) -> None:
        self._held: dict[str, DeferredLock] = {}

    @asynccontextmanager
    async def exclusively(self, driver: IStorageDriver, path: str) -> AsyncIterator[None]:
        """Hold the lock of ``path`` inside the block."""
        lock = self._held.setdefault(path, DeferredLock())
        await lock.acquire()
        try:
            if ILocking.providedBy(driver):
                held = await driver.lock(path)
                try:
                    yield
                finally:
                    held.release()
            else:
                yield
        finally:
            lock.release()
            if not lock.locked:
                self._held.pop(path, None)
