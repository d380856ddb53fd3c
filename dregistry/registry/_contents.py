"""
Small content that has been served before.

What a digest names cannot change, so its bytes may be kept. Whether a repository (still) holds it can: that is checked
against the storage each time, here by whoever uses the cache.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import frozen

from ..digest import Digest

LARGEST = 1 << 20
"""Bytes of the largest content that is kept."""


@frozen
class Content:
    data: bytes
    media_type: str


class ContentCache:
    """
    Content by repository and digest, least recently used first out.

    :param limit: bytes of content that are kept.
    """

    def __init__(self, limit: int = 16 << 20) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[tuple[str, Digest], Content] = OrderedDict()

    def get(self, name: str, digest: Digest) -> Content | None:
        found = self._kept.get((name, digest))
        if found is not None:
            self._kept.move_to_end((name, digest))
        return found

    def put(self, name: str, digest: Digest, content: Content) -> None:
        """Keep it, unless it is too large."""
        if len(content.data) > LARGEST:
            return
        before = self._kept.pop((name, digest), None)
        self._kept[name, digest] = content
        self._size += len(content.data) - (len(before.data) if before else 0)
        while self._size > self._limit:
            _, dropped = self._kept.popitem(last=False)
            self._size -= len(dropped.data)

    def drop(self, name: str, digest: Digest) -> None:
        """It was deleted; keeping it would only waste memory."""
        dropped = self._kept.pop((name, digest), None)
        if dropped is not None:
            self._size -= len(dropped.data)
