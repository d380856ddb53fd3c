"""
Bytes of an upload that wait in memory.
"""

from __future__ import annotations

_SMALL = 1 << 12
"""Bytes of pieces that are put together: each by itself would take more memory than it holds."""


class Pieces:
    """:ivar size: bytes of all."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[bytes] = []
        self._tail = bytearray()

    def add(self, piece: bytes) -> None:
        if len(piece) < _SMALL:
            self._tail += piece
        else:
            self._end_tail()
            self._pieces.append(piece)
        self.size += len(piece)

    def take(self) -> list[bytes]:
        """All of them, which then wait no more."""
        self._end_tail()
        pieces, self._pieces, self.size = self._pieces, [], 0
        return pieces

    def _end_tail(self) -> None:
        if self._tail:
            self._pieces.append(bytes(self._tail))
            self._tail.clear()
