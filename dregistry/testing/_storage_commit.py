"""
The storage suite: what becomes of what a writer wrote.
"""

from __future__ import annotations

from ..storage import InvalidPath, PathNotFound, WriterBusy
from ._storage_case import PIECE, StorageCase, at_once, pattern


class CommitTests(StorageCase):
    async def test_commit_and_move(self) -> None:
        writer = await self.driver.writer("/uploads/data", create=True)
        await writer.write(b"begun")
        await writer.close()
        writer = await self.driver.writer("/uploads/data", writer.state)
        await writer.write(b", ended")
        await writer.commit("/blobs/new/data")
        await self.assert_content("/blobs/new/data", b"begun, ended")
        await self.assert_absent("/uploads/data")
        await self.assert_refused(PathNotFound, self.driver.writer, "/uploads/data")
        await self.write("/uploads/data", b"another")
        await self.assert_content("/blobs/new/data", b"begun, ended")

    async def test_destination_known_from_the_start(self) -> None:
        """Nothing is to be seen there before."""
        content = pattern(13 * PIECE + 1)
        for before in (b"", b"what was there"):
            writer = await self.driver.writer("/uploads/data", create=True, destination="/blobs/data")
            for offset in range(0, len(content), PIECE):
                await writer.write(content[offset : offset + PIECE])
            if before:
                await self.assert_content("/blobs/data", before)
            else:
                await self.assert_absent("/blobs/data")
            await writer.commit("/blobs/data", [("/links/link", b"link")])
            await self.assert_content("/blobs/data", content)
            await self.assert_content("/links/link", b"link")
            await self.assert_absent("/uploads/data")
            await self.put("/blobs/data", content=b"what was there")

    async def test_destination_known_but_ended_otherwise(self) -> None:
        for end in ("close", "cancel"):
            writer = await self.driver.writer("/uploads/data", create=True, destination="/blobs/data")
            for _ in range(7):
                await writer.write(b"x" * PIECE)
            await getattr(writer, end)()
            await self.assert_absent("/blobs/data")
        writer = await self.driver.writer("/uploads/data", create=True, destination="/blobs/data")
        await writer.write(b"content")
        await writer.commit("/elsewhere")
        await self.assert_absent("/blobs/data")
        self.assertTrue((await self.content("/elsewhere")).endswith(b"content"))

    async def test_commit_and_replace(self) -> None:
        await self.put("/destination", content=b"a longer content")
        writer = await self.driver.writer("/file", create=True)
        await writer.write(b"short")
        await writer.commit("/destination")
        await self.assert_content("/destination", b"short")
        await self.assert_absent("/file")

    async def test_commit_to_its_own_path(self) -> None:
        writer = await self.driver.writer("/file", create=True)
        await writer.write(b"content")
        await writer.commit("/file")
        await self.assert_content("/file", b"content")

    async def test_commit_to_an_invalid_path(self) -> None:
        """The writer is as before."""
        writer = await self.driver.writer("/file", create=True)
        await writer.write(b"content")
        await self.assert_refused(InvalidPath, writer.commit, "destination")
        await writer.write(b"!")
        await writer.commit("/destination")
        await self.assert_content("/destination", b"content!")

    async def test_commit_of_many(self) -> None:
        """The same content from many writers to one new place, as pushes of one blob are."""

        async def push(number: int) -> None:
            writer = await self.driver.writer(f"/uploads/{number}/data", create=True)
            await writer.write(b"the same" * 10_000)
            await writer.commit("/blobs/new/data")

        self.assertEqual(await at_once(*(push(number) for number in range(8))), [None] * 8)
        await self.assert_content("/blobs/new/data", b"the same" * 10_000)
        await self.assert_absent(*(f"/uploads/{number}/data" for number in range(8)))

    async def test_deleted_while_open(self) -> None:
        """What is written after that is lost, without a sound until it was to be moved."""
        for deleted in ("/folder/file", "/folder"):
            for end in ("close", "commit", "cancel"):
                writer = await self.driver.writer("/folder/file", create=True)
                await writer.write(b"before")
                await self.driver.delete(deleted)
                await writer.write(b"after")
                await getattr(writer, end)()
                await self.assert_absent("/folder/file")
            writer = await self.driver.writer("/folder/file", create=True)
            await self.driver.delete(deleted)
            await self.assert_refused(PathNotFound, writer.commit, "/destination")
            await self.assert_absent("/folder/file", "/destination")

    async def test_deleted_and_begun_anew(self) -> None:
        """A writer of what was deleted does not touch what is there since."""
        for end in ("close", "commit", "cancel"):
            first = await self.driver.writer("/folder/file", create=True)
            await self.driver.delete("/folder")
            second = await self.driver.writer("/folder/file", create=True)
            await first.write(b"lost")
            await second.write(b"kept")
            await getattr(first, end)()
            await self.assert_refused(WriterBusy, self.driver.writer, "/folder/file")
            await second.commit()
            await self.assert_content("/folder/file", b"kept")

    async def test_commit_of_what_was_begun_anew(self) -> None:
        first = await self.driver.writer("/folder/file", create=True)
        await self.driver.delete("/folder")
        await self.put("/folder/file", content=b"another's")
        await self.assert_refused(PathNotFound, first.commit, "/destination")
        await self.assert_content("/folder/file", b"another's")
        await self.assert_absent("/destination")
