"""
The storage suite: paths; content that is put, described, moved and deleted.
"""

from __future__ import annotations

from ..storage import FileInfo, IDirectorySearch, ILocalFiles, InvalidPath, PathNotFound, WriterBusy
from ._storage_case import StorageCase, at_once

INVALID_PATHS = (
    "",
    "/",
    "a",
    "a/b",
    "/a/",
    "//a",
    "/a//b",
    "/.",
    "/..",
    "/../a",
    "/a/../b",
    "/a/./b",
    "/a/..",
    "/a b",
    "/a~",
    "/a:b",
    "/a\\b",
    "/a%2Fb",
    "/a\n",
    "/a\x00b",
    "/\u00e4",
    "/\u0661",
    "/\ud800",
    "/" + "a" * 256,
    "/aaaaaaaaa" * 100 + "/a",
)
VALID_PATHS = (
    "/a",
    "/A/z/0",
    "/.../..a/a..",
    "/.hidden/.x.tmp",
    "/-/_/--__.",
    "/b" + "/" + "b" * 255,
    "/c" + "/" + "/".join(["ccccccccc"] * 99),
)


class PathTests(StorageCase):
    async def test_invalid_paths(self) -> None:
        driver = self.driver
        await self.put("/valid")
        for path in INVALID_PATHS:
            await self.assert_refused(InvalidPath, driver.get_content, path)
            await self.assert_refused(InvalidPath, driver.get_contents, ["/valid", path])
            await self.assert_refused(InvalidPath, driver.put_content, path, b"")
            await self.assert_refused(InvalidPath, self.content, path)
            await self.assert_refused(InvalidPath, driver.stat, path)
            await self.assert_refused(InvalidPath, driver.stats, ["/valid", path])
            await self.assert_refused(InvalidPath, driver.children, path)
            await self.assert_refused(InvalidPath, driver.writer, path)
            await self.assert_refused(InvalidPath, driver.writer, path)
            await self.assert_refused(InvalidPath, driver.move, path, "/elsewhere")
            await self.assert_refused(InvalidPath, driver.move, "/valid", path)
            await self.assert_refused(InvalidPath, driver.delete, path)
            if ILocalFiles.providedBy(driver):
                await self.assert_refused(InvalidPath, driver.open_local, path)
            if IDirectorySearch.providedBy(driver):
                await self.assert_refused(InvalidPath, driver.find_directories, path, "child", "", 1)
        await self.assert_content("/valid", b"content")

    async def test_valid_paths(self) -> None:
        for path in VALID_PATHS:
            await self.driver.put_content(path, path.encode())
        for path in VALID_PATHS:
            await self.assert_content(path, path.encode())
            folder, _, name = path.rpartition("/")
            if folder:
                self.assertEqual(await self.driver.children(folder), [name])
            await self.driver.delete(path)
            await self.write(path, b"again")
            self.assertEqual(await self.driver.get_content(path), b"again")
            await self.driver.delete(path)
        await self.assert_absent(*VALID_PATHS)


class ContentTests(StorageCase):
    async def test_get_and_put(self) -> None:
        for durable in (True, False):
            for content in (b"one", b"another", b"", b"\x00\xff\r\n"):
                await self.driver.put_content("/folder/file", content, durable=durable)
                found = await self.driver.get_content("/folder/file")
                self.assertEqual((type(found), found), (bytes, content))

    async def test_get_nothing(self) -> None:
        await self.put("/folder/file")
        await self.assert_absent("/nothing", "/folder", "/folder/nothing", "/folder/file/below")

    async def test_get_contents(self) -> None:
        await self.put("/b", content=b"1")
        await self.put("/folder/a", content=b"")
        wanted = ["/b", "/nothing", "/folder/a", "/folder", "/b", "/b/below"]
        self.assertEqual(await self.driver.get_contents(wanted), [b"1", None, b"", None, b"1", None])
        self.assertEqual(await self.driver.get_contents([]), [])

    async def test_put_concurrently(self) -> None:
        """All in the same new directories: none is lost, each is one of what was put there."""
        puts = [(f"/new/folder/{number % 8}", b"%d" % number * 2000) for number in range(32)]
        ended = await at_once(*(self.driver.put_content(path, content, False) for path, content in puts))
        self.assertEqual(ended, [None] * 32)
        for name in "01234567":
            content = await self.driver.get_content(f"/new/folder/{name}")
            self.assertIn((f"/new/folder/{name}", content), puts)

    async def test_put_is_atomic(self) -> None:
        """Readers see one content, whole, while others are put."""
        contents = [bytes([number]) * (100_000 + number) for number in range(8)]
        await self.put("/file", content=contents[0])

        async def put() -> None:
            for content in contents * 4:
                await self.driver.put_content("/file", content, durable=False)

        async def read() -> None:
            for _ in range(16):
                self.assertIn(await self.driver.get_content("/file"), contents)
                self.assertIn(await self.content("/file"), contents)
                self.assertIn((await self.driver.stat("/file")).size, [len(content) for content in contents])

        self.assertEqual(await at_once(put(), read(), put(), read()), [None] * 4)

    async def test_stat(self) -> None:
        await self.put("/folder/sub/file", content=b"12345")
        found = await self.driver.stat("/folder/sub/file")
        self.assertEqual(found, FileInfo("/folder/sub/file", 5, False, found.modified))
        for folder in ("/folder", "/folder/sub"):
            info = await self.driver.stat(folder)
            self.assertEqual((info.path, info.size, info.is_dir), (folder, 0, True))
        for nothing in ("/nothing", "/folder/nothing", "/folder/sub/file/below", "/fold"):
            await self.assert_refused(PathNotFound, self.driver.stat, nothing)

    async def test_stats(self) -> None:
        await self.put("/b", "/folder/a")
        found = await self.driver.stats(["/b", "/nothing", "/folder/a", "/b/below", "/folder", "/b"])
        self.assertEqual([info and info.path for info in found], ["/b", None, "/folder/a", None, "/folder", "/b"])
        self.assertEqual([info and info.is_dir for info in found], [False, None, False, None, True, False])
        self.assertEqual(found[0], await self.driver.stat("/b"))
        self.assertEqual(await self.driver.stats([]), [])

    async def test_modified(self) -> None:
        async def modified() -> float:
            found = (await self.driver.stat("/file")).modified
            return 0.0 if found is None else found

        await self.put("/file")
        before = await modified()
        self.assertIsInstance(before, float)
        await self.put("/file", content=b"changed")
        changed = await modified()
        self.assertTrue(before <= changed)

    async def test_move(self) -> None:
        await self.put("/source/file", content=b"moved")
        await self.put("/source/other", content=b"stays")
        await self.driver.move("/source/file", "/new/folder/file")
        await self.assert_content("/new/folder/file", b"moved")
        await self.assert_absent("/source/file")
        await self.assert_content("/source/other", b"stays")
        await self.driver.move("/source/other", "/new/folder/file")
        await self.assert_content("/new/folder/file", b"stays")
        self.assertEqual(await self.names("/source"), [])

    async def test_move_to_itself(self) -> None:
        await self.put("/folder/file")
        await self.driver.move("/folder/file", "/folder/file")
        await self.assert_content("/folder/file", b"content")

    async def test_move_nothing(self) -> None:
        await self.put("/folder/file")
        for source in ("/nothing", "/folder/nothing", "/folder", "/folder/file/below"):
            await self.assert_refused(PathNotFound, self.driver.move, source, "/destination")
            await self.assert_refused(PathNotFound, self.driver.move, source, "/folder/file")
        await self.assert_absent("/destination")
        await self.assert_content("/folder/file", b"content")

    async def test_move_what_is_being_written(self) -> None:
        writer = await self.driver.writer("/file", create=True)
        await self.assert_refused(WriterBusy, self.driver.move, "/file", "/destination")
        await self.assert_absent("/destination")
        await writer.write(b"whole")
        await writer.commit()
        await self.driver.move("/file", "/destination")
        await self.assert_content("/destination", b"whole")

    async def test_move_concurrently(self) -> None:
        """Of many that move the same content, one does."""
        await self.put("/source")
        ended = await at_once(*(self.driver.move("/source", f"/folder/{number}") for number in range(8)))
        self.assertEqual(ended.count(None), 1)
        for result in ended:
            self.assertIsInstance(result, (type(None), PathNotFound, WriterBusy))
        self.assertEqual(await self.driver.children("/folder"), [str(ended.index(None))])

    async def test_delete(self) -> None:
        await self.put("/folder/a", "/folder/a-b", "/folder/b/c/d", "/folder/b/e", "/folderly")
        await self.driver.delete("/folder/a")
        await self.assert_absent("/folder/a")
        await self.assert_content("/folder/a-b", b"content")
        await self.driver.delete("/folder/b")
        await self.assert_absent("/folder/b", "/folder/b/c/d", "/folder/b/e")
        self.assertEqual(await self.driver.children("/folder"), ["a-b"])
        await self.driver.delete("/folder")
        await self.assert_absent("/folder/a-b")
        self.assertEqual(await self.names("/folder"), [])
        await self.assert_content("/folderly", b"content")

    async def test_delete_nothing(self) -> None:
        await self.put("/folder/file")
        for path in ("/nothing", "/folder/nothing", "/folder/fil", "/folder/file/below"):
            await self.assert_refused(PathNotFound, self.driver.delete, path)
        await self.assert_content("/folder/file", b"content")
        await self.driver.delete("/folder/file")
        await self.assert_refused(PathNotFound, self.driver.delete, "/folder/file")

    async def test_put_after_delete(self) -> None:
        for _ in range(3):
            await self.put("/a/b/c/file")
            await self.assert_content("/a/b/c/file", b"content")
            await self.driver.delete("/a")
            await self.assert_absent("/a/b/c/file")

    async def test_put_while_deleting(self) -> None:
        """Directories that become empty, and vanish, do not take with them what is put there meanwhile."""

        async def churn(name: str) -> None:
            for number in range(16):
                await self.put(f"/a/b/{name}", content=b"%d" % number)
                await self.assert_content(f"/a/b/{name}", b"%d" % number)
                await self.driver.delete(f"/a/b/{name}")
            await self.put(f"/a/b/{name}")

        self.assertEqual(await at_once(*(churn(name) for name in "abcd")), [None] * 4)
        self.assertEqual(await self.driver.children("/a/b"), ["a", "b", "c", "d"])
