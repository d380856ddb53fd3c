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
_FEW = 1 << 16
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
    A set of keys.

    Many are kept in one flat table, 32 bytes an entry: in Python's own set they take 110 to 180, and a registry may
    have ten million blobs. Where an entry stands depends on a secret of the process (``hash``), so nobody can push
    content that makes it slow. Up to 65536 are in Python's set, which is faster.

    While one thread adds to it, others may look; what is there may then seem not to be.
    """

    def __init__(self) -> None:
        self._few: set[bytes] = set()
        self._table: bytearray | None = None
        self._count = 0
        self._has_empty = False

    def __len__(self) -> int:
        return len(self._few) + self._count + self._has_empty

    def __contains__(self, key: bytes) -> bool:
        table = self._table
        if table is None:
            return key in self._few
        if key == _EMPTY:
            return self._has_empty
        at = _place(table, key)
        return table[at : at + _SIZE] == key

    def add(self, key: bytes) -> bool:
        """Whether it was not there before."""
        if self._table is not None:
            return self._add_to_table(self._table, key)
        before = len(self._few)
        self._few.add(key)
        if len(self._few) > _FEW:
            self._leave_set()
            return True
        return len(self._few) > before

    def _leave_set(self) -> None:
        table = bytearray(_SIZE * _FEW * 2)
        for key in self._few - {_EMPTY}:
            _put(table, _place(table, key), key)
        self._has_empty = _EMPTY in self._few  # it looks like no entry
        self._count = len(self._few) - self._has_empty
        self._table, self._few = table, set()

    def _add_to_table(self, table: bytearray, key: bytes) -> bool:
        if key == _EMPTY:
            new, self._has_empty = not self._has_empty, True
            return new
        at = _place(table, key)
        if table[at : at + _SIZE] == key:
            return False
        _put(table, at, key)
        self._count += 1
        if self._count * _SIZE * 4 > len(table) * 3:
            self._table = _doubled(table)
        return True


def _place(table: bytearray, key: bytes) -> int:
    """Where in the table a key is, or would be put."""
    mask = len(table) // _SIZE - 1
    slot = hash(key) & mask
    while True:
        at = slot * _SIZE
        if table[at : at + _SIZE] in (key, _EMPTY):
            return at
        slot = (slot + 1) & mask


def _put(table: bytearray, at: int, key: bytes | bytearray) -> None:
    table[at : at + _SIZE] = key


def _doubled(table: bytearray) -> bytearray:
    larger = bytearray(2 * len(table))
    for at in range(0, len(table), _SIZE):
        key = bytes(table[at : at + _SIZE])
        if key != _EMPTY:
            _put(larger, _place(larger, key), key)
    return larger
