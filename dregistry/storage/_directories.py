"""
Find directories by a child they contain, in the order of their whole relative paths.

Plain order of paths is not the order of a walk: ``a-b`` sorts between ``a`` and ``a/b``, since ``-`` is less than
``/``. So each directory stands twice among its siblings: as itself (``a``), and as what is below it (``a/``).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from itertools import islice

from ._files import is_temporary


def search_directories(root: str, child: str, after: str, limit: int) -> list[str]:
    """
    See :meth:`dregistry.storage._interfaces.IDirectorySearch.find_directories`; ``root`` is a directory of the local
    file system. Blocks. A missing ``root`` has none.
    """
    return list(islice(_search(root, "", child, after), limit))


def _search(root: str, prefix: str, child: str, after: str) -> Iterator[str]:
    """``prefix`` is empty or ends with a slash."""
    for entry in _entries(f"{root}/{prefix}"):
        if not entry.endswith("/"):
            if prefix + entry > after and _holds(f"{root}/{prefix}{entry}/{child}"):
                yield prefix + entry
        elif prefix + entry > after or after.startswith(prefix + entry):
            yield from _search(root, prefix + entry, child, after)


def _entries(folder: str) -> list[str]:
    names: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("_") and not is_temporary(entry.name) and _is_directory(entry):
                    names += (entry.name, entry.name + "/")
    except (FileNotFoundError, NotADirectoryError):
        return []
    names.sort()
    return names


def _is_directory(entry: os.DirEntry[str]) -> bool:
    """Links are followed, but not in circles."""
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:
            return False
        raise


def _holds(folder: str) -> bool:
    """Whether it exists and has an entry."""
    try:
        with os.scandir(folder) as entries:
            return any(not is_temporary(entry.name) for entry in entries)
    except (FileNotFoundError, NotADirectoryError):
        return False
