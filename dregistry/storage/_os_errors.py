"""
What the operating system's errors are to the contract.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ._interfaces import PathNotFound, StorageError, StorageFull, StorageUnavailable, WriterBusy

_ABSENT: tuple[type[OSError], ...] = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


@contextmanager
def translated(path: str, absent: tuple[type[OSError], ...] = _ABSENT) -> Iterator[None]:
    """
    Let ``OSError`` out as the contract's errors, without the place of the root.

    :param absent: what means that there is no content at ``path``.
    """
    try:
        yield
    except OSError as error:
        raise translation(path, error, absent) from error


def translation(path: str, error: OSError, absent: tuple[type[OSError], ...] = _ABSENT) -> StorageError:
    """What ``error`` is to the contract."""
    if isinstance(error, absent):
        return PathNotFound(path)
    if isinstance(error, BlockingIOError):
        return WriterBusy(path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(path)
    return StorageUnavailable(f"{path}: {error.strerror}")
