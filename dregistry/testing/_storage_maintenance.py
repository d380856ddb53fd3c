"""
The storage suite: what maintenance asks of some drivers.
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from ..storage import IAttendance, ILock, IRenewing, IWalking, PathNotFound, Tree
from ._storage_case import PIECE, StorageCase, pattern


class WalkingSuite(StorageCase):
    """What drivers that provide :class:`IWalking` keep to, too. The calls block, so they need no reactor."""

    driver: Any

    @property
    def tree(self) -> Tree:
        tree: Tree = self.driver.tree()
        return tree

    async def test_interface_of_walking(self) -> None:
        verifyObject(IWalking, self.driver)
        self.assertGreaterEqual(self.tree.concurrency, 1)
        self.assertIsInstance(self.tree.waits(), int)

    async def test_tree_names(self) -> None:
        await self.put("/a/c/link", "/a/b/link", "/a/b/c", "/a/d/other")
        self.assertEqual(self.tree.names("/a"), ["b", "c", "d"])
        self.assertEqual(self.tree.names("/a", "link")[:2], ["b", "c"])
        for path in ("/nothing", "/a/b/link", "/a/b/link/below"):
            self.assertEqual(self.tree.names(path), [])

    async def test_tree_contents(self) -> None:
        await self.put("/a", content=b"12345")
        await self.put("/large", content=pattern(100_000))
        self.assertEqual(self.tree.contents(["/none", "/a", "/a/b"]), [None, b"12345", None])
        self.assertEqual(self.tree.contents(["/a", "/large"], 5), [b"12345", None])
        self.assertEqual(self.tree.contents(["/a", "/large"], 4), [None, None])
        self.assertEqual(self.tree.contents(["/large"]), [pattern(100_000)])

    async def test_tree_stats(self) -> None:
        await self.put("/a/b", content=b"12345")
        nothing, file, below = self.tree.stats(["/none", "/a/b", "/a/b/c"])
        self.assertEqual((nothing, below), (None, None))
        assert file is not None
        self.assertEqual((file.path, file.size, file.is_dir), ("/a/b", 5, False))

    async def test_tree_pieces(self) -> None:
        for size in (0, 1, PIECE, 5 * PIECE // 2):
            await self.put("/a", content=pattern(size))
            pieces = [bytes(piece) for piece in self.tree.pieces("/a")]
            self.assertEqual(b"".join(pieces), pattern(size))
            self.assertTrue(all(1 <= len(piece) <= PIECE for piece in pieces))
        for path in ("/none", "/a/b"):
            await self.assert_refused(PathNotFound, lambda path=path: list(self.tree.pieces(path)))

    async def test_tree_changes(self) -> None:
        """What one way of working with a driver changes, the other sees."""
        self.tree.put("/a/b", b"one")
        self.tree.put("/a/b", b"two")
        await self.assert_content("/a/b", b"two")
        self.tree.move("/a/b", "/c/d")
        await self.assert_content("/c/d", b"two")
        await self.assert_absent("/a/b")
        await self.assert_refused(PathNotFound, self.tree.move, "/a/b", "/x")
        await self.put("/e/f/g", "/e/h")
        self.tree.delete(["/c/d", "/e/f", "/none", "/e/h/below"])
        await self.assert_absent("/c/d", "/e/f/g")
        self.assertEqual(await self.names("/e"), ["h"])

    async def test_tree_prunes_nothing_that_holds_something(self) -> None:
        await self.put("/a/b")
        for path in ("/a", "/a/b", "/none"):
            self.assertFalse(self.tree.prune(path))
        await self.assert_content("/a/b", b"content")


class RenewingSuite(StorageCase):
    """What drivers that provide :class:`IRenewing` keep to, too."""

    driver: Any

    async def test_renew(self) -> None:
        verifyObject(IRenewing, self.driver)
        await self.put("/a/b")
        before = (await self.driver.stat("/a/b")).modified
        self.driver.renew("/a/b")
        self.driver.renew("/none")
        self.assertGreaterEqual((await self.driver.stat("/a/b")).modified, before)
        await self.assert_content("/a/b", b"content")
        await self.assert_absent("/none")


class AttendanceSuite(StorageCase):
    """What drivers that provide :class:`IAttendance` keep to, too."""

    driver: Any

    async def test_attendance(self) -> None:
        verifyObject(IAttendance, self.driver)
        first, second = self.driver.attend(), self.driver.attend()
        verifyObject(ILock, first)
        for lock in (first, second):
            self.assertIsNone(self.driver.keep_out())
            lock.release()
        lock = self.driver.keep_out()
        verifyObject(ILock, lock)
        self.assertIsNone(self.driver.attend())
        self.assertIsNone(self.driver.keep_out())
        lock.release()
        self.driver.attend().release()
