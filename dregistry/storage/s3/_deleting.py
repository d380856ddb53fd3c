"""
The removal of a path and of everything below it.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, field
from twisted.logger import Logger

from ._api import MOST, Bucket
from ._concurrent import concurrently
from ._errors import Refused
from ._habits import Habits
from ._objects import Page, Stored, Upload

_log = Logger()


@define
class Deletion:
    """Of one key, and of those that have it and a slash before them."""

    _bucket: Bucket
    _habits: Habits
    _key: str
    _object: Stored | None = None
    _page: Page = field(factory=lambda: Page((), (), ""))
    _uploads: Sequence[Upload] = ()

    async def run(self) -> bool:
        """Whether there was anything."""
        await concurrently(lambda find: find(), [self._find_object, self._find_page, self._find_uploads])
        there = self._object is not None or bool(self._page.objects) or bool(self._uploads)
        if self._object is not None:
            await self._bucket.delete(self._key)
        while self._page.objects:
            last = self._page.objects[-1].key
            await self._delete([found.key for found in self._page.objects])
            if not self._page.next:
                break
            self._page = await self._bucket.page(self._key + "/", after=last)
        await concurrently(self._bucket.abort, self._uploads)
        return there

    async def _find_object(self) -> None:
        self._object = await self._bucket.head(self._key)

    async def _find_page(self) -> None:
        self._page = await self._bucket.page(self._key + "/")

    async def _find_uploads(self) -> None:
        """Parts cost money, though nobody sees them."""
        try:
            found = await self._bucket.uploads(self._key)
        except Refused as refused:
            _log.warn("S3: uploads that were given up cannot be found, and stay: {reason}", reason=refused.reason)
            return
        self._uploads = [each for each in found if each.key == self._key or each.key.startswith(self._key + "/")]

    async def _delete(self, keys: list[str]) -> None:
        if await self._habits.keeps_directories():
            keys = [*keys, *self._directories(keys)]
        if len(keys) == 1:
            await self._bucket.delete(keys[0])
            return
        for start in range(0, len(keys), MOST):
            await self._bucket.delete_many(keys[start : start + MOST])

    def _directories(self, keys: Sequence[str]) -> list[str]:
        """Those above the keys, up to the one that is deleted, the deepest first."""
        found = set()
        for key in keys:
            end = len(key)
            while (end := key.rfind("/", 0, end)) >= len(self._key):
                found.add(key[: end + 1])
        return sorted(found, reverse=True)
