"""
The sizes of blobs that have been looked at before: the cache of blob descriptors.

Content that a digest names has one size, for ever, so what is kept here never gets wrong. It says nothing of who holds
a blob: whoever uses it looks at the repository's link in the storage each time. All blobs have one media type, so the
size is all there is to a descriptor.

A look at content in the storage renews its lease (docs/design/online-gc.md), and an answer from the cache does not. So
a look counts for :data:`LOOK_LASTS` only, whichever process made it.

It cannot know that somebody removed content meanwhile and left the links to it in place: :meth:`Descriptors.forget` is
for whoever finds out.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from attrs import frozen
from zope.interface import Interface

from ..digest import Digest

LOOK_LASTS = 1800.0
"""Seconds."""
_CLOCKS_DIFFER = 60.0
"""Seconds by which those of two machines may."""


@frozen
class Known:
    """
    :ivar size: bytes of a blob.
    :ivar looked: when its content was last seen in the storage, in seconds since the epoch.
    """

    size: int
    looked: float


class ISharedDescriptors(Interface):
    """
    A cache that other processes use, too. It may lose anything at any time, and be out of reach: then it knows nothing,
    and takes what it is told without effect. Nothing here raises, and no call takes long.
    """

    def get(digest: Digest) -> Awaitable[Known | None]:
        """What was last put; None if that is not known."""

    def put(digest: Digest, known: Known) -> None:
        """Remember it, soon, for :data:`LOOK_LASTS` at least."""

    def forget(digest: Digest) -> Awaitable[None]:
        """The content is gone."""

    def unlink(name: str, digest: Digest) -> Awaitable[None]:
        """The repository ``name`` does not hold the blob any more."""

    def close() -> None:
        """Let go of what is held open. Nothing is asked from then on."""


class Descriptors:
    """
    What this process remembers, least recently used first out, before what it shares with others.

    :param limit: how many are kept in memory; 0 for no bound.
    :param now: seconds since the epoch.
    """

    def __init__(
        self, limit: int, shared: ISharedDescriptors | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self._limit = limit
        self._shared = shared
        self._now = now
        self._kept: OrderedDict[Digest, Known] = OrderedDict()
        self._tell: Callable[[bool], None] | None = None

    def watch(self, tell: Callable[[bool], None]) -> None:
        """:param tell: called for each time that a size was asked for, with whether it was known."""
        self._tell = tell

    async def size(self, digest: Digest) -> int | None:
        """The bytes of a blob; None if they are not known, or if it is time to look again."""
        size = await self._size(digest)
        if self._tell is not None:
            self._tell(size is not None)
        return size

    async def _size(self, digest: Digest) -> int | None:
        found = self._kept.get(digest)
        if found is not None and self._counts(found):
            self._kept.move_to_end(digest)
            return found.size
        if self._shared is not None:
            found = await self._shared.get(digest)
            if found is not None and self._counts(found):
                self._keep(digest, found)
                return found.size
        return None

    def put(self, digest: Digest, size: int) -> None:
        """Content is in the storage by that very digest, and its lease was renewed if need be."""
        known = Known(size, self._now())
        self._keep(digest, known)
        if self._shared is not None:
            self._shared.put(digest, known)

    async def forget(self, digest: Digest) -> None:
        """The content is not in the storage, or of another size."""
        self._kept.pop(digest, None)
        if self._shared is not None:
            await self._shared.forget(digest)

    async def unlink(self, name: str, digest: Digest) -> None:
        """The repository ``name`` does not hold the blob any more; its content may soon be gone."""
        self._kept.pop(digest, None)
        if self._shared is not None:
            await self._shared.unlink(name, digest)

    def close(self) -> None:
        if self._shared is not None:
            self._shared.close()

    def _counts(self, known: Known) -> bool:
        return -_CLOCKS_DIFFER < self._now() - known.looked < LOOK_LASTS

    def _keep(self, digest: Digest, known: Known) -> None:
        self._kept[digest] = known
        self._kept.move_to_end(digest)
        if self._limit and len(self._kept) > self._limit:
            self._kept.popitem(last=False)
