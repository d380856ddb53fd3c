"""
What the operating system's errors are to the contract.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from ._interfaces import PathNotFound, StorageFull, StorageUnavailable, WriterBusy

_ABSENT: tuple[type[OSError], ...] = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


@contextmanager
def translated(path: str, absent: tuple[type[OSError], ...] = _ABSENT) -> Iterator[None]:
    """
    Let ``OSError`` out as the contract's errors, without the place of the root.

    :param absent: what means that there is no content at ``path``.
    """
    try:
        yield
    except absent:
        raise PathNotFound(path) from None
    except BlockingIOError:
        raise WriterBusy(path) from None
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise StorageFull(path) from error
        raise StorageUnavailable(f"{path}: {error.strerror}") from error
