"""
The repositories of the registry, in order of the bytes of their names.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..storage import IDirectorySearch, IStorageDriver, PathNotFound, paths

_PAGE = 1000


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
