"""The form of a storage path."""

from __future__ import annotations

import re
from functools import lru_cache

from ._interfaces import InvalidPath

_PATH = re.compile(r"(?:/(?!\.\.?(?:/|$))[A-Za-z0-9._-]{1,255})+")
_LIMIT = 1000


@lru_cache(4096)
def check_path(path: str) -> str:
    """
    Give ``path`` back.

    :raise InvalidPath: if it is not of the contract's form.
    """
    if len(path) > _LIMIT or _PATH.fullmatch(path) is None:
        raise InvalidPath(path)
    return path
