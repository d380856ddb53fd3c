"""
Hashes of uploads under way.

CPython's hashes cannot be stored. So the running hash of a session is kept in this process between its requests
(bounded, least recently used first out), and what a session leaves in storage is finished digests: see
:mod:`dregistry.registry.uploads`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import define, field

from ..digest import Digest, new_hash
from ..storage import IWriter, Threads

if TYPE_CHECKING:
    from hashlib import _Hash

_LIMIT = 1024
_INLINE = 1 << 16
"""Bytes up to which hashing on the calling thread is faster than the hop."""


@define
class RunningHash:
    """
    The hashes of the first ``offset`` bytes of an upload, by algorithm.
    """

    offset: int = 0
    _hashes: dict[str, _Hash] = field(factory=dict)

    @classmethod
    def start(cls, algorithm: str) -> RunningHash:
        """Of nothing yet."""
        return cls(0, {algorithm: new_hash(algorithm)})

    def update(self, pieces: Iterable[bytes]) -> None:
        """Add bytes; may run in a thread, one call at a time."""
        for piece in pieces:
            for running in self._hashes.values():
                running.update(piece)
            self.offset += len(piece)

    async def updated(self, pieces: Sequence[bytes], size: int, threads: Threads) -> None:
        """:meth:`update`, in a thread if they have many bytes."""
        if size <= _INLINE:
            self.update(pieces)
        else:
            await threads.run(self.update, pieces)

    def digest(self, algorithm: str) -> Digest | None:
        """The digest of the bytes so far, None for an algorithm that was not run over them."""
        running = self._hashes.get(algorithm)
        return None if running is None else Digest(algorithm, running.hexdigest())

    def digests(self) -> dict[str, str]:
        """Algorithm to hexadecimal digest of the bytes so far."""
        return {algorithm: running.hexdigest() for algorithm, running in self._hashes.items()}


class HashCache:
    """The running hashes that this process holds for sessions which no request is working on."""

    def __init__(self, limit: int = _LIMIT) -> None:
        self._limit = limit
        self._kept: OrderedDict[str, RunningHash] = OrderedDict()

    def keep(self, uuid: str, running: RunningHash) -> None:
        self._kept[uuid] = running
        while len(self._kept) > self._limit:
            self._kept.popitem(last=False)

    def take(self, uuid: str, offset: int) -> RunningHash | None:
        """The session's hash if it is kept and stands at ``offset``; it is kept no longer."""
        running = self._kept.pop(uuid, None)
        return running if running is not None and running.offset == offset else None


async def hash_again(writer: IWriter, algorithm: str, threads: Threads) -> Digest:
    """
    The digest of all that was written, by reading it.

    :raise PathNotFound: if it was deleted meanwhile.
    """
    running = RunningHash.start(algorithm)
    async for piece in writer.read():
        await threads.run(running.update, [piece])
    found = running.digest(algorithm)
    assert found is not None
    return found


async def hash_whole(content: bytes, algorithm: str, threads: Threads) -> Digest | None:
    """The digest of content that is at hand."""
    running = RunningHash.start(algorithm)
    await running.updated([content], len(content), threads)
    return running.digest(algorithm)
