"""
The tags of one repository.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..digest import Digest
from ..errors import ManifestUnknown, NameUnknown
from ..storage import PathNotFound, paths
from ._core import Core, parse_link
from ._guard import guarded
from .listener import DELETE, TAG, OriginSource, RegistryEvent

_PAGE = 1000


class Tags:
    def __init__(self, core: Core, name: str, origin: OriginSource) -> None:
        self._core = core
        self._name = name
        self._origin = origin

    @guarded
    async def page(self, after: str, limit: int) -> list[str]:
        """
        The first ``limit`` tags that sort after ``after``, in order of their bytes.

        :raise NameUnknown: if the repository has neither tags nor manifests.
        """
        try:
            found = await self._core.driver.children(paths.tags(self._name), after, limit)
        except PathNotFound:
            found = []
        if not found and not await self._exists():
            raise NameUnknown(self._name)
        return found

    async def _exists(self) -> bool:
        for directory in (paths.tags(self._name), paths.revisions(self._name)):
            try:
                if await self._core.driver.children(directory, "", 1):
                    return True
            except PathNotFound:
                continue
        return False

    @guarded
    async def get(self, tag: str) -> Digest | None:
        """What the tag points at, None if there is no such tag."""
        return await self._core.read_link(paths.tag_current_link(self._name, tag))

    @guarded
    async def delete(self, tag: str) -> None:
        """
        Remove a tag; its manifest stays.

        :raise Unsupported: if deletion is disabled.
        :raise ManifestUnknown: if there is no such tag.
        """
        self._core.require_delete()
        try:
            await self._core.driver.delete(paths.tag(self._name, tag))
        except PathNotFound:
            raise ManifestUnknown(self._name, tag) from None
        await self._core.tell(RegistryEvent(DELETE, self._name, self._origin(), tag=tag, kind=TAG))

    @guarded
    async def delete_pointing_at(self, digest: Digest) -> None:
        """Remove every tag that points at that manifest."""
        async for tag, target in self._targets():
            if target == digest:
                try:
                    await self.delete(tag)
                except ManifestUnknown:
                    continue  # another request was faster

    async def _targets(self) -> AsyncIterator[tuple[str, Digest | None]]:
        after = ""
        while True:
            try:
                page = await self._core.driver.children(paths.tags(self._name), after, _PAGE)
            except PathNotFound:
                return
            links = await self._core.driver.get_contents([paths.tag_current_link(self._name, tag) for tag in page])
            for tag, link in zip(page, links, strict=True):
                yield tag, parse_link(link or b"")
            if len(page) < _PAGE:
                return
            after = page[-1]
