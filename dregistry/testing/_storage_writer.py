"""
The storage suite: writers.
"""

from __future__ import annotations

from ..storage import IWriter, PathNotFound, StorageError, WriterBusy
from ._storage_case import PIECE, StorageCase, at_once, pattern


class WriterTests(StorageCase):
    async def test_write(self) -> None:
        writer = await self.driver.writer("/new/folder/file", create=True)
        self.assertEqual(writer.size, 0)
        await writer.write(b"one ")
        self.assertEqual(writer.size, 4)
        await writer.write(b"")
        await writer.write(b"two")
        self.assertEqual(writer.size, 7)
        await writer.commit()
        self.assertEqual(writer.size, 7)
        await self.assert_content("/new/folder/file", b"one two")

    async def test_write_nothing(self) -> None:
        await self.write("/file")
        self.assertEqual((await self.driver.stat("/file")).size, 0)
        await self.assert_content("/file", b"")

    async def test_write_pieces_of_all_sizes(self) -> None:
        content = pattern(2 * PIECE + 700_000)
        pieces, start = [], 0
        for size in (1, 4095, 65536, 65537, PIECE, PIECE + 1, len(content)):
            pieces.append(content[start : start + size])
            start += size
        await self.write("/file", *pieces)
        await self.assert_content("/file", content)

    async def test_append_to_nothing(self) -> None:
        await self.put("/folder/file")
        for path in ("/nothing", "/folder/nothing", "/folder", "/folder/file/below"):
            await self.assert_refused(PathNotFound, self.driver.writer, path)
        await self.assert_absent("/nothing")

    async def test_one_writer_at_a_time(self) -> None:
        writer = await self.driver.writer("/file", create=True)
        await writer.write(b"first")
        error = await self.assert_refused(WriterBusy, self.driver.writer, "/file", create=True)
        self.assertEqual(error.path, "/file")
        await self.assert_refused(WriterBusy, self.driver.writer, "/file", writer.state)
        other = await self.driver.writer("/other", create=True)
        await other.cancel()
        await writer.write(b", goes on")
        await writer.commit()
        await self.assert_content("/file", b"first, goes on")

    async def test_one_of_many_writers(self) -> None:
        state = b""
        for _ in range(2):
            ended = await at_once(*(self.driver.writer("/folder/file", state, create=True) for _ in range(8)))
            writers = [each for each in ended if not isinstance(each, WriterBusy)]
            self.assertEqual(len(writers), 1, ended)
            await writers[0].write(b"kept")
            await writers[0].close()
            state = writers[0].state

    async def test_close_and_resume(self) -> None:
        state = b""
        for number in range(4):
            writer = await self.driver.writer("/folder/file", state, create=number == 0)
            self.assertEqual(writer.size, number * 2)
            await writer.write(b"%d," % number)
            await writer.close()
            await writer.close()
            self.assertEqual(writer.size, number * 2 + 2)
            state = self.assert_state(writer)
            self.assertEqual(await self.driver.written("/folder/file", state), number * 2 + 2)
        writer = await self.driver.writer("/folder/file", state)
        await writer.commit()
        await self.assert_content("/folder/file", b"0,1,2,3,")

    async def test_resume_much(self) -> None:
        """More than a driver would hold back, in pieces that fit nothing."""
        content = pattern(23 * PIECE + 12_345)
        state, start = b"", 0
        for size in (3, 9 * PIECE + 7, 100_000, 14 * PIECE):
            writer = await self.driver.writer("/folder/file", state, create=start == 0)
            self.assertEqual(writer.size, start)
            for offset in range(start, min(start + size, len(content)), PIECE):
                await writer.write(content[offset : min(offset + PIECE, start + size)])
            start = writer.size
            await writer.close()
            state = self.assert_state(writer)
        self.assertEqual(start, len(content))
        writer = await self.driver.writer("/folder/file", state)
        await writer.commit("/destination")
        await self.assert_content("/destination", content)

    async def test_close_without_a_write(self) -> None:
        writer = await self.driver.writer("/file", create=True)
        await writer.close()
        writer = await self.driver.writer("/file", writer.state, create=True)
        self.assertEqual(writer.size, 0)
        await writer.commit()
        await self.assert_content("/file", b"")

    async def test_create_is_no_fresh_start(self) -> None:
        """What earlier writers left is not cut off."""
        writer = await self.driver.writer("/file", create=True)
        await writer.write(b"kept")
        await writer.close()
        writer = await self.driver.writer("/file", writer.state, create=True)
        self.assertEqual(writer.size, 4)
        await writer.commit()
        await self.assert_content("/file", b"kept")

    async def test_written(self) -> None:
        await self.put("/folder/other")
        for path in ("/nothing", "/folder", "/folder/nothing"):
            await self.assert_refused(PathNotFound, self.driver.written, path)
        writer = await self.driver.writer("/folder/file", create=True)
        await writer.write(b"some bytes")
        await writer.close()
        self.assertEqual(await self.driver.written("/folder/file", writer.state), 10)
        self.assertEqual(await self.driver.written("/folder/file", writer.state), 10)

    async def test_written_while_open(self) -> None:
        """Never more than there is."""
        writer = await self.driver.writer("/folder/file", create=True)
        for number in range(1, 13):
            await writer.write(b"x" * PIECE)
            try:
                found = await self.driver.written("/folder/file", self.assert_state(writer))
            except PathNotFound:
                found = 0
            self.assertTrue(0 <= found <= number * PIECE, found)
        await writer.cancel()

    async def test_an_earlier_state(self) -> None:
        """As after a crash: what is there begins like what was written."""
        content = pattern(17 * PIECE)
        writer = await self.driver.writer("/folder/file", create=True)
        states = [self.assert_state(writer)]
        for offset in range(0, len(content), PIECE):
            await writer.write(content[offset : offset + PIECE])
            if writer.state != states[-1]:
                states.append(self.assert_state(writer))
        await writer.close()
        self.assertTrue(len(states) < 5, "the state changes too often to be stored each time")
        writer = await self.driver.writer("/folder/file", states[-1], create=True)
        self.assertTrue(0 <= writer.size <= len(content))
        await writer.write(content[writer.size :])
        await writer.commit("/destination")
        await self.assert_content("/destination", content)

    async def test_read(self) -> None:
        content = pattern(12 * PIECE + 5)
        writer = await self.driver.writer("/folder/file", create=True)
        await writer.write(content[: 7 * PIECE])
        await writer.close()
        writer = await self.driver.writer("/folder/file", writer.state)
        for offset in range(7 * PIECE, len(content), PIECE):
            await writer.write(content[offset : offset + PIECE])
        self.assertEqual(await self.rest(writer.read()), content)
        await writer.commit("/destination")
        await self.assert_content("/destination", content)
        await self.assert_absent("/folder/file")

    async def test_read_and_end(self) -> None:
        for end in ("close", "cancel"):
            writer = await self.driver.writer(f"/folder/{end}", create=True)
            await writer.write(b"content")
            self.assertEqual(await self.rest(writer.read()), b"content")
            await getattr(writer, end)()
            await self.assert_refused(StorageError, self.rest, writer.read())
        await self.assert_absent("/folder/cancel")

    async def test_read_nothing(self) -> None:
        writer = await self.driver.writer("/folder/file", create=True)
        self.assertEqual(await self.rest(writer.read()), b"")
        await writer.commit()
        await self.assert_content("/folder/file", b"")

    async def test_closed(self) -> None:
        """A closed writer writes no more, and leaves the path to the next one."""
        for end in ("close", "commit", "cancel"):
            writer = await self.driver.writer(f"/{end}", create=True)
            await getattr(writer, end)()
            await self.put(f"/{end}", content=b"another's")
            await self.assert_refused(StorageError, writer.write, b"late")
            await self.assert_refused(StorageError, writer.commit)
            await self.assert_refused(StorageError, writer.commit, "/destination")
            await writer.close()
            await writer.cancel()
            await self.assert_content(f"/{end}", b"another's")
            await self.assert_absent("/destination")

    async def test_cancel(self) -> None:
        await self.put("/folder/other")
        writer = await self.driver.writer("/folder/file", create=True)
        await writer.write(b"partial")
        await writer.cancel()
        await self.assert_absent("/folder/file")
        self.assertEqual(await self.driver.children("/folder"), ["other"])
        await self.assert_refused(PathNotFound, self.driver.writer, "/folder/file")

    async def test_cancel_what_others_wrote(self) -> None:
        writer = await self.driver.writer("/file", create=True)
        await writer.write(b"earlier")
        await writer.close()
        writer = await self.driver.writer("/file", writer.state)
        await writer.cancel()
        await self.assert_absent("/file")
        await self.assert_refused(PathNotFound, self.driver.written, "/file", writer.state)

    def assert_state(self, writer: IWriter) -> bytes:
        state = writer.state
        self.assertIsInstance(state, bytes)
        self.assertTrue(len(state) <= 1024, len(state))
        return state
