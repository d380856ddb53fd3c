"""
The storage suite: writers.
"""

from __future__ import annotations

from ..storage import InvalidPath, PathNotFound, StorageError, WriterBusy
from ._storage_case import PIECE, StorageCase, at_once, pattern


class WriterTests(StorageCase):
    async def test_write(self) -> None:
        writer = await self.driver.writer("/new/folder/file")
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

    async def test_write_anew(self) -> None:
        await self.put("/file", content=b"a longer content")
        await self.write("/file", b"short")
        await self.assert_content("/file", b"short")
        await self.write("/file")
        await self.assert_content("/file", b"")

    async def test_append(self) -> None:
        await self.put("/file", content=b"put")
        writer = await self.driver.writer("/file", append=True)
        self.assertEqual(writer.size, 3)
        await writer.write(b", written")
        self.assertEqual(writer.size, 12)
        await writer.commit()
        await self.write("/file", b", written again", append=True)
        await self.assert_content("/file", b"put, written, written again")

    async def test_append_to_nothing(self) -> None:
        await self.put("/folder/file")
        for path in ("/nothing", "/folder/nothing", "/folder", "/folder/file/below"):
            await self.assert_refused(PathNotFound, self.driver.writer, path, append=True)
        await self.assert_absent("/nothing")

    async def test_one_writer_at_a_time(self) -> None:
        writer = await self.driver.writer("/file")
        await writer.write(b"first")
        for append in (True, False):
            error = await self.assert_refused(WriterBusy, self.driver.writer, "/file", append=append)
            self.assertEqual(error.path, "/file")
        other = await self.driver.writer("/other")
        await other.cancel()
        await writer.write(b", goes on")
        await writer.commit()
        await self.assert_content("/file", b"first, goes on")

    async def test_one_of_many_writers(self) -> None:
        for append in (False, True):
            await self.put("/folder/file", content=b"")
            ended = await at_once(*(self.driver.writer("/folder/file", append=append) for _ in range(8)))
            writers = [each for each in ended if not isinstance(each, WriterBusy)]
            self.assertEqual(len(writers), 1, ended)
            await writers[0].close()

    async def test_close_and_resume(self) -> None:
        for number in range(4):
            writer = await self.driver.writer("/folder/file", append=number > 0)
            self.assertEqual(writer.size, number * 2)
            await writer.write(b"%d," % number)
            await writer.close()
            await writer.close()
            self.assertEqual(writer.size, number * 2 + 2)
            self.assertEqual((await self.driver.stat("/folder/file")).size, number * 2 + 2)
        await self.assert_content("/folder/file", b"0,1,2,3,")

    async def test_close_without_a_write(self) -> None:
        writer = await self.driver.writer("/file")
        await writer.close()
        await self.assert_content("/file", b"")
        writer = await self.driver.writer("/file", append=True)
        await writer.close()
        await self.assert_content("/file", b"")

    async def test_closed(self) -> None:
        """A closed writer writes no more, and leaves the path to the next one."""
        for end in ("close", "commit", "cancel"):
            writer = await self.driver.writer("/file")
            await getattr(writer, end)()
            await self.write("/file", b"another's")
            await self.assert_refused(StorageError, writer.write, b"late")
            await self.assert_refused(StorageError, writer.commit)
            await self.assert_refused(StorageError, writer.commit, "/destination")
            await writer.close()
            await writer.cancel()
            await self.assert_content("/file", b"another's")
            await self.assert_absent("/destination")

    async def test_cancel(self) -> None:
        await self.put("/folder/other")
        writer = await self.driver.writer("/folder/file")
        await writer.write(b"partial")
        await writer.cancel()
        await self.assert_absent("/folder/file")
        self.assertEqual(await self.driver.children("/folder"), ["other"])
        await self.assert_refused(PathNotFound, self.driver.writer, "/folder/file", append=True)

    async def test_cancel_what_others_wrote(self) -> None:
        await self.put("/file", content=b"earlier")
        writer = await self.driver.writer("/file", append=True)
        await writer.cancel()
        await self.assert_absent("/file")


class CommitTests(StorageCase):
    async def test_commit_and_move(self) -> None:
        await self.put("/uploads/data", content=b"begun")
        writer = await self.driver.writer("/uploads/data", append=True)
        await writer.write(b", ended")
        await writer.commit("/blobs/new/data")
        await self.assert_content("/blobs/new/data", b"begun, ended")
        await self.assert_absent("/uploads/data")
        await self.assert_refused(PathNotFound, self.driver.writer, "/uploads/data", append=True)
        await self.write("/uploads/data", b"another")
        await self.assert_content("/blobs/new/data", b"begun, ended")

    async def test_commit_and_replace(self) -> None:
        await self.put("/destination", content=b"a longer content")
        writer = await self.driver.writer("/file")
        await writer.write(b"short")
        await writer.commit("/destination")
        await self.assert_content("/destination", b"short")
        await self.assert_absent("/file")

    async def test_commit_to_its_own_path(self) -> None:
        writer = await self.driver.writer("/file")
        await writer.write(b"content")
        await writer.commit("/file")
        await self.assert_content("/file", b"content")

    async def test_commit_to_an_invalid_path(self) -> None:
        """The writer is as before."""
        writer = await self.driver.writer("/file")
        await writer.write(b"content")
        await self.assert_refused(InvalidPath, writer.commit, "destination")
        await writer.write(b"!")
        await writer.commit("/destination")
        await self.assert_content("/destination", b"content!")

    async def test_commit_of_many(self) -> None:
        """The same content from many writers to one new place, as pushes of one blob are."""

        async def push(number: int) -> None:
            writer = await self.driver.writer(f"/uploads/{number}/data")
            await writer.write(b"the same" * 10_000)
            await writer.commit("/blobs/new/data")

        self.assertEqual(await at_once(*(push(number) for number in range(8))), [None] * 8)
        await self.assert_content("/blobs/new/data", b"the same" * 10_000)
        await self.assert_absent(*(f"/uploads/{number}/data" for number in range(8)))

    async def test_deleted_while_open(self) -> None:
        """What is written after that is lost, without a sound until it was to be moved."""
        for deleted in ("/folder/file", "/folder"):
            for end in ("close", "commit", "cancel"):
                writer = await self.driver.writer("/folder/file")
                await writer.write(b"before")
                await self.driver.delete(deleted)
                await writer.write(b"after")
                await getattr(writer, end)()
                await self.assert_absent("/folder/file")
            writer = await self.driver.writer("/folder/file")
            await self.driver.delete(deleted)
            await self.assert_refused(PathNotFound, writer.commit, "/destination")
            await self.assert_absent("/folder/file", "/destination")

    async def test_deleted_and_begun_anew(self) -> None:
        """A writer of what was deleted does not touch what is there since."""
        for end in ("close", "commit", "cancel"):
            first = await self.driver.writer("/folder/file")
            await self.driver.delete("/folder")
            second = await self.driver.writer("/folder/file")
            await first.write(b"lost")
            await second.write(b"kept")
            await getattr(first, end)()
            await self.assert_refused(WriterBusy, self.driver.writer, "/folder/file")
            await second.commit()
            await self.assert_content("/folder/file", b"kept")

    async def test_commit_of_what_was_begun_anew(self) -> None:
        first = await self.driver.writer("/folder/file")
        await self.driver.delete("/folder")
        await self.put("/folder/file", content=b"another's")
        await self.assert_refused(PathNotFound, first.commit, "/destination")
        await self.assert_content("/folder/file", b"another's")
        await self.assert_absent("/destination")
