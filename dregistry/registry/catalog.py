"""
The repositories of the registry, in order of the bytes of their names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from ..storage import IDirectorySearch, IStorageDriver, PathNotFound, paths

_PAGE = 1000
_FIRST_PAGE = 16
_LAST = "~"
"""Sorts after every character of a name."""


class Selection(Protocol):
    """Some repositories."""

    @property
    def prefixes(self) -> Sequence[str]:
        """Each of the repositories begins with one of these, none of which begins with another; in order."""

    def __contains__(self, name: str) -> bool: ...


async def find_repositories(driver: IStorageDriver, child: str, after: str, limit: int) -> list[str]:
    """
    Names of repositories that hold a non-empty directory ``child``, which sort after ``after``: the first ``limit``.

    Neither the time nor the memory grows with the repositories before ``after`` or beyond the page, but for the
    directories on the way to them.
    """
    if IDirectorySearch.providedBy(driver):
        found: list[str] = await driver.find_directories(paths.REPOSITORIES, child, after, limit)
        return found
    names: list[str] = []
    async for name in _search(driver, "", child, after):
        names.append(name)
        if len(names) == limit:
            break
    return names


async def select_repositories(
    driver: IStorageDriver, child: str, after: str, limit: int, selection: Selection
) -> list[str]:
    """
    As :func:`find_repositories`, but only those of a selection. Memory does not grow with those that are left out; time
    does, but for those that begin with none of the prefixes.
    """
    found: list[str] = []
    page = max(limit, _FIRST_PAGE)
    for prefix in selection.prefixes:
        cursor = max(after, _before(prefix))
        while cursor < prefix + _LAST:
            names = await find_repositories(driver, child, cursor, page)
            found += [name for name in names if name.startswith(prefix) and name in selection]
            if len(found) >= limit:
                return found[:limit]
            if len(names) < page:
                break
            cursor = names[-1]
            page = max(page, min(2 * page, _PAGE))
    return found


def _before(prefix: str) -> str:
    """Sorts before every name that begins with ``prefix``, and after every other that does not sort after those."""
    return prefix[:-1] + chr(ord(prefix[-1]) - 1) + _LAST if prefix else ""


async def _search(driver: IStorageDriver, prefix: str, child: str, after: str) -> AsyncIterator[str]:
    """
    As :mod:`dregistry.storage._directories` does it: a directory stands among its siblings as itself (``a``) and as
    what is below it (``a/``).
    """
    entries: list[str] = []
    for name in await _children(driver, f"{paths.REPOSITORIES}/{prefix}".rstrip("/")):
        if not name.startswith("_"):
            entries += (name, name + "/")
    for entry in sorted(entries):
        if not entry.endswith("/"):
            if prefix + entry > after and await _children(driver, f"{paths.REPOSITORIES}/{prefix}{entry}/{child}", 1):
                yield prefix + entry
        elif prefix + entry > after or after.startswith(prefix + entry):
            async for name in _search(driver, prefix + entry, child, after):
                yield name


async def _children(driver: IStorageDriver, path: str, limit: int | None = None) -> list[str]:
    try:
        return await driver.children(path, "", limit)
    except PathNotFound:
        return []
