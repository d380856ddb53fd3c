"""
The storage suite: several contents at once.
"""

from __future__ import annotations

from ..storage import InvalidPath, PathNotFound
from ._storage_case import StorageCase, at_once


class BatchTests(StorageCase):
    async def test_put_contents(self) -> None:
        await self.put("/old", content=b"before")
        contents = [("/a/b/one", b"1"), ("/a/two", b""), ("/old", b"after"), ("/a/b/three", b"3" * 100_000)]
        await self.driver.put_contents(contents)
        for path, content in contents:
            await self.assert_content(path, content)

    async def test_put_contents_of_nothing(self) -> None:
        await self.driver.put_contents([])

    async def test_put_contents_twice_at_one_path(self) -> None:
        await self.driver.put_contents([("/file", b"first"), ("/file", b"second")])
        await self.assert_content("/file", b"second")

    async def test_put_contents_invalid_path(self) -> None:
        """Nothing of it is there then."""
        contents = [("/one", b"1"), ("not a path", b"2")]
        await self.assert_refused(InvalidPath, self.driver.put_contents, contents)
        await self.assert_absent("/one")

    async def test_put_contents_at_once(self) -> None:
        """Of two that meet at the same paths one is last, everywhere whole."""
        paths = [f"/folder/{number}" for number in range(5)]
        await at_once(*(self.driver.put_contents([(path, letter * 1000) for path in paths]) for letter in (b"a", b"b")))
        for path in paths:
            self.assertIn(await self.content(path), (b"a" * 1000, b"b" * 1000))

    async def test_commit_then(self) -> None:
        writer = await self.driver.writer("/uploads/x/data", create=True)
        await writer.write(b"content")
        await writer.commit("/blobs/y/data", [("/links/one", b"1"), ("/links/two", b"2")])
        await self.assert_content("/blobs/y/data", b"content")
        await self.assert_content("/links/one", b"1")
        await self.assert_content("/links/two", b"2")
        await self.assert_absent("/uploads/x/data")

    async def test_commit_then_at_its_own_path(self) -> None:
        writer = await self.driver.writer("/file", create=True)
        await writer.write(b"content")
        await writer.commit(None, [("/link", b"1")])
        await self.assert_content("/file", b"content")
        await self.assert_content("/link", b"1")

    async def test_commit_then_of_what_was_deleted(self) -> None:
        """What is to follow does not."""
        writer = await self.driver.writer("/uploads/data", create=True)
        await writer.write(b"content")
        await self.driver.delete("/uploads")
        await self.assert_refused(PathNotFound, writer.commit, "/blobs/data", [("/link", b"1")])
        await self.assert_absent("/blobs/data", "/link")
