"""
What some drivers can do besides :class:`dregistry.storage.IStorageDriver`: each an interface of its own, asked for with
``providedBy``.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import BinaryIO

from zope.interface import Interface


class ILocalFiles(Interface):
    """An ability of drivers whose content is in local files: the web layer sends those by ``sendfile``."""

    def open_local(path: str) -> BinaryIO:
        """
        An unbuffered open file with the content of ``path``, which stays what it was when the path is replaced or
        deleted; the caller closes it. Does not block for long.

        :raise PathNotFound: also if it is a directory.
        """


class ILock(Interface):
    def release() -> None:
        """Let others have it. Once."""


class ILocking(Interface):
    """An ability of drivers whose processes can exclude one another."""

    def lock(path: str) -> Awaitable[ILock]:
        """
        The lock of ``path``, once no one else in any process has it. It has no effect on the other methods, and ends
        with the process that holds it. At most one request of a process asks for the lock of a path at one time.
        """


class IDirectorySearch(Interface):
    """An ability of drivers that find directories faster than by listing level by level."""

    def find_directories(path: str, child: str, after: str, limit: int) -> Awaitable[list[str]]:
        """
        Directories below ``path``, as paths relative to it, which contain a non-empty directory named ``child``,
        that sort after ``after``, in order of the bytes of the whole relative path, the first ``limit`` of them.

        Directories whose name begins with ``_`` are neither found nor descended into. Nothing at ``path`` has none.
        """
