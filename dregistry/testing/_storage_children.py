"""
The storage suite: listing.
"""

from __future__ import annotations

from ..storage import PathNotFound
from ._storage_case import StorageCase

NAMES = ["-", ".a", "0", "10", "2", "A", "B", "Z", "_", "_a", "a", "a-b", "a.b", "a0", "aB", "a_b", "aa", "b", "z"]
"""In the order of their bytes, which is that of no language's dictionaries."""


class ChildrenTests(StorageCase):
    async def test_children(self) -> None:
        await self.put("/folder/file", "/folder/sub/file", "/folder/sub/deep/file", "/folderly/file")
        self.assertEqual(await self.driver.children("/folder"), ["file", "sub"])
        self.assertEqual(await self.driver.children("/folder/sub"), ["deep", "file"])

    async def test_children_of_nothing(self) -> None:
        await self.put("/folder/file")
        for path in ("/nothing", "/folder/nothing", "/fold"):
            self.assertEqual(await self.names(path), [])
        for path in ("/folder/file", "/folder/file/below"):
            await self.assert_refused(PathNotFound, self.driver.children, path)

    async def test_children_in_order(self) -> None:
        for number, name in enumerate(reversed(NAMES)):
            await self.put(f"/folder/{name}/file" if number % 2 else f"/folder/{name}")
        self.assertEqual(await self.driver.children("/folder"), NAMES)

    async def test_children_after(self) -> None:
        await self.put(*(f"/folder/{name}" for name in NAMES))
        for after in [*NAMES, "", "!", "a!", "a/", "~"]:
            expected = [name for name in NAMES if name > after]
            self.assertEqual(await self.driver.children("/folder", after), expected)
            for limit in (0, 1, 3, 18, 19, 100):
                self.assertEqual(await self.driver.children("/folder", after, limit), expected[:limit])

    async def test_children_page_by_page(self) -> None:
        names = sorted(f"{number:x}" for number in range(0, 5000, 23))
        await self.put(*(f"/folder/{name}" for name in names))
        found: list[str] = []
        while page := await self.driver.children("/folder", found[-1] if found else "", 20):
            self.assertTrue(len(page) == 20 or page[-1] == names[-1])
            found += page
        self.assertEqual(found, names)

    async def test_children_change(self) -> None:
        await self.put("/folder/a", "/folder/b", "/folder/c/file")
        await self.driver.delete("/folder/a")
        await self.driver.move("/folder/b", "/folder/d")
        await self.driver.delete("/folder/c")
        self.assertEqual(await self.driver.children("/folder"), ["d"])
        await self.driver.delete("/folder/d")
        self.assertEqual(await self.names("/folder"), [])
