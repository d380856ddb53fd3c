"""
Directories that contain a certain one, in order of their whole paths.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

from attrs import frozen
from twisted.internet.defer import Deferred

from ._api import Bucket
from ._listing import children, exists

_PAGE = 1000
_LOOKED_INTO = 16
"""Directories that are looked into at one time, ahead of their turn."""


@frozen
class _Directory:
    """
    :ivar found: whether it contains what is searched for.
    :ivar deeper: whether there is anything else to search below it.
    """

    found: bool
    deeper: bool


class Search:
    """
    One search, from one directory down.

    :param root: ends with a slash.
    :param child: the name of the directory to find.
    :param after: only paths that sort after it.
    """

    def __init__(self, bucket: Bucket, root: str, child: str, after: str) -> None:
        self._bucket = bucket
        self._root = root
        self._child = child
        self._after = after

    async def first(self, limit: int) -> list[str]:
        """The first of them, as paths relative to the root."""
        found: list[str] = []
        if limit > 0:
            async for path in self._below(""):
                found.append(path)
                if len(found) == limit:
                    break
        return found

    async def _below(self, parent: str) -> AsyncIterator[str]:
        """
        A directory stands among its siblings as itself (``a``) and as what is below it (``a/``), which comes after
        ``a-b``. So what is below waits until a sibling comes that sorts after it.

        :param parent: relative, empty or with a slash at its end.
        """
        waiting: list[str] = []
        async for name, directory in self._siblings(parent):
            while waiting and waiting[-1] < parent + name:
                async for path in self._below(waiting.pop()):
                    yield path
            if directory.found and parent + name > self._after:
                yield parent + name
            if directory.deeper:
                waiting.append(f"{parent}{name}/")
        while waiting:
            async for path in self._below(waiting.pop()):
                yield path

    async def _siblings(self, parent: str) -> AsyncIterator[tuple[str, _Directory]]:
        """The directories of a level that matter, looked into."""
        under_way: deque[tuple[str, Deferred[_Directory]]] = deque()
        try:
            async for name in self._names(parent):
                under_way.append((name, Deferred.fromCoroutine(self._look(f"{self._root}{parent}{name}/"))))
                if len(under_way) == _LOOKED_INTO:
                    first, looked = under_way.popleft()
                    yield first, await looked
            while under_way:
                first, looked = under_way.popleft()
                yield first, await looked
        finally:
            for _, looked in under_way:
                looked.addErrback(lambda _: None)
                looked.cancel()

    async def _look(self, prefix: str) -> _Directory:
        page = await self._bucket.page(prefix, "/")
        wanted = f"{prefix}{self._child}/"
        others = [found for found in page.prefixes if not found[len(prefix) :].startswith("_")]
        found = wanted in page.prefixes or bool(page.next)
        return _Directory(found and await exists(self._bucket, wanted), bool(others) or bool(page.next))

    async def _names(self, parent: str) -> AsyncIterator[str]:
        """
        Of the directories of a level that may be found, or have such below them, in order: the one on the way to
        ``after`` and its like, then those that sort after it.
        """
        prefix = self._root + parent
        start = self._after[len(parent) :].partition("/")[0] if self._after.startswith(parent) else ""
        if self._after > parent and not self._after.startswith(parent):
            return  # all that is below sorts before
        for name in _on_the_way(start):
            if not name.startswith("_"):
                yield name
        while True:
            names = await children(self._bucket, prefix, start, _PAGE, directories_only=True)
            for name in names:
                if not name.startswith("_"):
                    yield name
            if len(names) < _PAGE:
                return
            start = names[-1]


def _on_the_way(name: str) -> list[str]:
    """
    A name, and those before it by name whose content is not: ``a/x`` comes after ``a-b``. Whether there are such
    directories is not said.
    """
    return [*(name[:end] for end, letter in enumerate(name) if letter < "/" and end > 0), *([name] if name else [])]
