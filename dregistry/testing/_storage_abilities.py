"""
The storage suite: what only some drivers provide.
"""

from __future__ import annotations

import io
import os
from itertools import count
from typing import Any

from twisted.internet.threads import blockingCallFromThread, deferToThread
from zope.interface.verify import verifyObject

from ..storage import IDirectorySearch, ILocalFiles, ILock, ILocking, PathNotFound
from ._storage_case import StorageCase


class LocalFilesSuite(StorageCase):
    """What drivers that provide :class:`ILocalFiles` keep to, too."""

    driver: Any

    async def test_interface_of_local_files(self) -> None:
        verifyObject(ILocalFiles, self.driver)

    async def test_open_local(self) -> None:
        await self.put("/folder/file", content=b"0123456789")
        with self.driver.open_local("/folder/file") as file:
            self.assertIsInstance(file, io.RawIOBase)
            self.assertEqual(os.pread(file.fileno(), 4, 3), b"3456")
            self.assertEqual(file.read(), b"0123456789")

    async def test_open_local_nothing(self) -> None:
        await self.put("/folder/file")
        for path in ("/nothing", "/folder", "/folder/file/below"):
            await self.assert_refused(PathNotFound, self.driver.open_local, path)

    async def test_open_local_then_change(self) -> None:
        for change in (self.driver.delete, self.put, self.write):
            await self.put("/file", content=b"before")
            with self.driver.open_local("/file") as file:
                await change("/file")
                self.assertEqual(file.read(), b"before")


class LockingSuite(StorageCase):
    """What drivers that provide :class:`ILocking` keep to, too."""

    driver: Any

    async def test_interface_of_locks(self) -> None:
        verifyObject(ILocking, self.driver)
        lock = await self.driver.lock("/folder")
        verifyObject(ILock, lock)
        lock.release()

    async def test_lock_again(self) -> None:
        for path in ("/folder", "/other", "/folder"):
            lock = await self.driver.lock(path)
            lock.release()

    async def test_locks_of_several_paths(self) -> None:
        locks = [await self.driver.lock(path) for path in ("/a", "/b", "/a/b")]
        for lock in locks:
            lock.release()

    async def test_lock_has_no_effect_on_others(self) -> None:
        lock = await self.driver.lock("/folder")
        await self.put("/folder/file", content=b"content")
        await self.assert_content("/folder/file", b"content")
        await self.driver.delete("/folder/file")
        lock.release()


class DirectorySearchSuite(StorageCase):
    """What drivers that provide :class:`IDirectorySearch` keep to, too. Needs ``hypothesis``."""

    driver: Any

    async def test_interface_of_search(self) -> None:
        verifyObject(IDirectorySearch, self.driver)

    async def test_find_in_order_of_whole_paths(self) -> None:
        """``a-b`` and ``a.b`` come between ``a`` and ``a/b``, since ``-`` and ``.`` are less than ``/``."""
        expected = ["a", "a-b", "a-b/c", "a.b", "a/b", "a/b-c", "a/b/c", "a0", "a_b", "aa", "b/b"]
        await self.put(*(f"/root/{path}/_m/file" for path in reversed(expected)))
        for start, after in enumerate(["", *expected]):
            for limit in (0, 1, 4, 100):
                found = await self.driver.find_directories("/root", "_m", after, limit)
                self.assertEqual(found, expected[start:][:limit])
        self.assertEqual(await self.driver.find_directories("/root/a", "_m", "", 9), ["b", "b-c", "b/c"])

    async def test_find_nothing(self) -> None:
        await self.put("/root/a/other/file", "/root/b/_m", "/root/_m/file", "/root/_hidden/c/_m/file", "/file")
        for path in ("/root", "/nothing", "/root/a", "/file", "/file/below"):
            self.assertEqual(await self.driver.find_directories(path, "_m", "", 9), [])

    async def test_find_what_is_left(self) -> None:
        await self.put("/root/a/_m/file", "/root/a/b/_m/file", "/root/c/_m/file")
        await self.driver.delete("/root/a/_m/file")
        await self.driver.delete("/root/c/_m")
        self.assertEqual(await self.driver.find_directories("/root", "_m", "", 9), ["a/b"])

    async def test_find_as_the_model_does(self) -> None:
        """Random trees, compared with a search by brute force."""
        # Hypothesis drives synchronous functions: it has a thread of its own and hands each example to the reactor's.
        await deferToThread(self._examples())

    def _examples(self) -> Any:
        from hypothesis import HealthCheck, given, settings, strategies  # noqa: PLC0415 -- only this test needs it
        from twisted.internet import reactor  # noqa: PLC0415 -- importing it installs it

        in_reactor: Any = blockingCallFromThread
        name = strategies.sampled_from(["a", "a-b", "a.b", "a0", "b", "_m", "m", "_u"])
        relative = strategies.lists(name, min_size=1, max_size=4).map("/".join)
        numbers = count()

        @settings(
            deadline=None,
            max_examples=60,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.differing_executors],
        )
        @given(
            folders=strategies.sets(relative, max_size=8),
            child=strategies.sampled_from(["_m", "m"]),
            after=strategies.one_of(strategies.just(""), relative, strategies.text("ab-./_", max_size=4)),
            limit=strategies.integers(0, 6),
        )
        def example(folders: set[str], child: str, after: str, limit: int) -> None:
            root = f"/example{next(numbers)}"
            in_reactor(reactor, self._check_example, root, folders, child, after, limit)

        return example

    async def _check_example(self, root: str, folders: set[str], child: str, after: str, limit: int) -> None:
        paths = [f"{folder}/file" for folder in folders]
        await self.put(*(f"{root}/{path}" for path in paths))
        expected = [path for path in search(paths, child) if path > after][:limit]
        self.assertEqual(await self.driver.find_directories(root, child, after, limit), expected)


def search(paths: list[str], child: str) -> list[str]:
    """By brute force, in a directory that has files at ``paths``."""
    found = set()
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts) - 1):
            hidden = any(part.startswith("_") for part in parts[:depth])
            if parts[depth] == child and not hidden:
                found.add("/".join(parts[:depth]))
    return sorted(found)
