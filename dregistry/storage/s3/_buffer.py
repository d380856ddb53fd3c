"""
Bytes that do not make a part yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from attrs import define, field


@define
class Buffer:
    """
    Pieces as they came: they are not put together, since that would take their memory twice.

    :ivar size: bytes in all of them.
    """

    pieces: deque[bytes] = field(factory=deque)
    size: int = 0

    def add(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.pieces.append(piece)
            self.size += len(piece)

    def take(self, size: int) -> list[bytes]:
        """The first ``size`` bytes, of at least as many."""
        taken = []
        self.size -= size
        while size:
            piece = self.pieces.popleft()
            if len(piece) > size:
                self.pieces.appendleft(piece[size:])
                piece = piece[:size]
            taken.append(piece)
            size -= len(piece)
        return taken

    def clear(self) -> None:
        self.pieces.clear()
        self.size = 0
