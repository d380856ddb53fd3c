"""
Digests in bulk: texts, keys, and sets that take little more memory than the digests.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TypeAlias

from ..digest import Digest

_SIZE = 32
_EMPTY = bytes(_SIZE)
_PREFIX = "sha256:"
_OTHER = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]{32,255}")

Keyed: TypeAlias = dict[str, bytes]
"""Digests, each with its key, in some order."""


def key_of(digest: str) -> bytes | None:
    """
    32 bytes that are the same only for the same digest; None for what is none.

    Digests of any algorithm have one, those included that this registry does not compute.
    """
    if not digest.startswith(_PREFIX):
        return sha256(digest.encode()).digest() if _OTHER.fullmatch(digest) else None
    if len(digest) != 71 or not digest.islower():
        return None
    try:
        key = bytes.fromhex(digest[7:])
    except ValueError:
        return None
    return key if len(key) == _SIZE else None  # it passes over spaces


def unchecked(digest: str) -> Digest:
    """For a path, of whatever algorithm."""
    algorithm, _, encoded = digest.partition(":")
    return Digest(algorithm, encoded)


class DigestSet:
    """
    A set of keys, in one flat table of 32 bytes an entry.

    Python's own set of 32-byte strings takes 110 to 180 bytes an entry; a registry may have ten million blobs. Where
    an entry stands depends on a secret of the process (``hash``), so nobody can push content that makes it slow.

    While one thread adds to it, others may look; what is there may then seem not to be.
    """

    def __init__(self) -> None:
        self._table = bytearray(_SIZE << 10)
        self._count = 0
        self._has_empty = False

    def __len__(self) -> int:
        return self._count + self._has_empty

    def __contains__(self, key: bytes) -> bool:
        table = self._table
        mask = len(table) // _SIZE - 1
        slot = hash(key) & mask
        while True:
            at = slot * _SIZE
            found = table[at : at + _SIZE]
            if found == key:
                return key != _EMPTY or self._has_empty
            if found == _EMPTY:
                return False
            slot = (slot + 1) & mask

    def add(self, key: bytes) -> bool:
        """Whether it was not there before."""
        table = self._table
        mask = len(table) // _SIZE - 1
        slot = hash(key) & mask
        while True:
            at = slot * _SIZE
            found = table[at : at + _SIZE]
            if found == key:
                return key == _EMPTY and self._add_empty()
            if found == _EMPTY:
                break
            slot = (slot + 1) & mask
        table[at : at + _SIZE] = key
        self._count += 1
        if self._count * 4 > mask * 3:
            self._grow()
        return True

    def _add_empty(self) -> bool:
        """The key of zeros, which looks like no entry."""
        new, self._has_empty = not self._has_empty, True
        return new

    def _grow(self) -> None:
        before, self._count = self._table, 0
        self._table = bytearray(2 * len(before))
        for at in range(0, len(before), _SIZE):
            key = bytes(before[at : at + _SIZE])
            if key != _EMPTY:
                self.add(key)
