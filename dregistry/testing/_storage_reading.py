"""
The storage suite: content that is read in pieces.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from ..storage import InvalidOffset, PathNotFound
from ._storage_case import PIECE, StorageCase, close, pattern


class ReadTests(StorageCase):
    async def test_read_ranges(self) -> None:
        await self.put("/file", content=b"0123456789")
        for offset in range(11):
            self.assertEqual(await self.content("/file", offset), b"0123456789"[offset:])
            for length in (0, 1, 4, 10, 11, 1 << 40):
                found = await self.content("/file", offset, length)
                self.assertEqual(found, b"0123456789"[offset : offset + length])

    async def test_read_empty(self) -> None:
        await self.put("/file", content=b"")
        self.assertEqual(await self.content("/file"), b"")
        self.assertEqual(await self.content("/file", 0, 5), b"")
        await self.assert_refused(InvalidOffset, self.content, "/file", 1)

    async def test_read_pieces(self) -> None:
        content = pattern(3 * PIECE + 12_345)
        await self.put("/file", content=content)
        await self.assert_content("/file", content)
        for offset, length in ((1, PIECE), (PIECE - 1, PIECE + 2), (2 * PIECE, None), (3 * PIECE, PIECE)):
            found = await self.content("/file", offset, length)
            end = None if length is None else offset + length
            self.assertTrue(found == content[offset:end], f"wrong bytes from {offset}, {length} of them")

    async def test_read_nothing(self) -> None:
        """The failure comes with the first piece."""
        await self.put("/folder/file")
        for path in ("/nothing", "/folder", "/folder/file/below"):
            stream = self.driver.read(path)
            await self.assert_refused(PathNotFound, anext, stream)

    async def test_read_beyond_the_end(self) -> None:
        await self.put("/file", content=b"12345")
        for length in (None, 0, 5):
            stream = self.driver.read("/file", 6, length)
            error = await self.assert_refused(InvalidOffset, anext, stream)
            self.assertEqual((error.path, error.offset), ("/file", 6))

    async def test_read_begins_with_iteration(self) -> None:
        stream = self.driver.read("/file")
        await self.put("/file", content=b"put after read() was called")
        self.assertEqual(await self.rest(stream), b"put after read() was called")

    async def test_read_twice_at_once(self) -> None:
        await self.put("/file", content=b"0123456789")
        first, second = self.driver.read("/file"), self.driver.read("/file", 5)
        self.assertEqual(await self.rest(second), b"56789")
        self.assertEqual(await self.rest(first), b"0123456789")

    async def test_read_closed_in_the_middle(self) -> None:
        await self.put("/file", content=pattern(2 * PIECE + 1))
        stream = self.driver.read("/file")
        await anext(stream)
        await close(stream)
        await close(stream)
        self.assertEqual(await self.rest(stream), b"")
        await self.driver.delete("/file")
        await self.assert_absent("/file")

    async def test_read_closed_before_it_began(self) -> None:
        await self.put("/file")
        stream = self.driver.read("/file")
        await close(stream)
        self.assertEqual(await self.rest(stream), b"")

    async def test_read_what_is_put_anew(self) -> None:
        await self._assert_unmoved(lambda: self.driver.put_content("/folder/file", b"new"))

    async def test_read_what_is_moved_over(self) -> None:
        await self.put("/other", content=b"new")
        await self._assert_unmoved(lambda: self.driver.move("/other", "/folder/file"))

    async def test_read_what_is_moved_away(self) -> None:
        await self._assert_unmoved(lambda: self.driver.move("/folder/file", "/other"))

    async def test_read_what_is_deleted(self) -> None:
        await self._assert_unmoved(lambda: self.driver.delete("/folder/file"))

    async def test_read_what_is_deleted_with_its_directory(self) -> None:
        await self._assert_unmoved(lambda: self.driver.delete("/folder"))

    async def test_read_what_is_written_anew(self) -> None:
        await self._assert_unmoved(lambda: self.write("/folder/file", b"new"))

    async def test_read_what_a_commit_moves_over(self) -> None:
        writer = await self.driver.writer("/other", create=True)
        await self._assert_unmoved(lambda: writer.commit("/folder/file"))

    async def _assert_unmoved(self, change: Callable[[], Awaitable[None]]) -> None:
        """A change in the middle of a read does not show in it."""
        content = pattern(4 * PIECE)
        await self.put("/folder/file", content=content)
        stream: AsyncIterator[bytes] = self.driver.read("/folder/file")
        begin = await anext(stream)
        await change()
        found = begin + await self.rest(stream)
        self.assertTrue(found == content, f"{len(found)} of {len(content)} bytes came, or other ones")
