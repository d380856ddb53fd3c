"""
Content digests: ``algorithm:hex``.

:data:`ALGORITHMS` are the ones this registry computes: sha256, the canonical one, and sha512, as the OCI image
specification registers them ("Digests").
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from attrs import field, frozen

from .errors import DigestInvalid

if TYPE_CHECKING:
    from hashlib import _Hash

CANONICAL = "sha256"
ALGORITHMS = {"sha256": 64, "sha512": 128}
"""Algorithm name to the number of hexadecimal digits of its digests."""

_HEX = {name: re.compile(rf"[a-f0-9]{{{length}}}") for name, length in ALGORITHMS.items()}


@frozen(order=True)
class Digest:
    """
    A digest whose grammar and length have been checked. Build one with :meth:`parse` or :meth:`of`.

    ``str()`` gives the ``algorithm:hex`` form back.
    """

    algorithm: str
    hex: str
    _text: str = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_text", f"{self.algorithm}:{self.hex}")

    @classmethod
    def parse(cls, text: str) -> Digest:
        """:raise DigestInvalid: for bad grammar, an unknown algorithm, a wrong length or upper case."""
        return _parse(text)

    @classmethod
    def of(cls, content: bytes, algorithm: str = CANONICAL) -> Digest:
        """
        The digest of ``content``.

        :raise DigestInvalid: if this registry does not compute that algorithm.
        """
        running = new_hash(algorithm)
        running.update(content)
        return cls(algorithm, running.hexdigest())

    def __str__(self) -> str:
        return self._text


@lru_cache(4096)
def _parse(text: str) -> Digest:
    algorithm, _, encoded = text.partition(":")
    pattern = _HEX.get(algorithm)
    if pattern is None:
        raise DigestInvalid(f"unsupported digest algorithm or format: {text[:160]!r}")
    if pattern.fullmatch(encoded) is None:
        raise DigestInvalid(
            f"a {algorithm} digest is {ALGORITHMS[algorithm]} lower-case hexadecimal digits: {text[:160]!r}"
        )
    return Digest(algorithm, encoded)


def new_hash(algorithm: str) -> _Hash:
    """
    A hash object to feed piece by piece.

    :raise DigestInvalid: if this registry does not compute that algorithm.
    """
    if algorithm not in ALGORITHMS:
        raise DigestInvalid(f"unsupported digest algorithm: {algorithm[:32]!r}")
    return hashlib.new(algorithm)
