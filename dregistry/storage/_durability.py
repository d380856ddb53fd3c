"""
When files are safe from a power cut. Every function here blocks; errors are ``OSError``.

A change is a set of new files that are written aside, and then get their names in a certain order. It must be durable
as a whole, and after a cut at any moment a file that has its name must have its content, and must not be there without
those that got theirs before it.

:class:`EachFile` asks for no more than POSIX gives: every file is fsynced before it gets its name, and every directory
whose entries changed is fsynced afterwards. Each of these calls waits for the disk.

:class:`OrderedJournal` waits twice for a whole change. It is for file systems whose journal keeps the order of all
changes of metadata, and whose fsync of a file brings everything to the disk that came before it there: ext4 (and ext3)
and XFS. There it is enough that the contents have reached the disk before the names are given, and that the last file
is fsynced when it has its name.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Protocol

_WAIT_BEFORE, _WRITE, _WAIT_AFTER = 1, 2, 4
_ORDERED = frozenset({"ext3", "ext4", "xfs"})


class Durability(Protocol):
    def begin(self, descriptor: int, offset: int, length: int) -> None:
        """Let a part of a content set out for the disk, without waiting for it."""

    def contents(self, descriptors: Sequence[int], folders: Iterable[str]) -> None:
        """
        The contents of files may be relied upon by names that are given from now on.

        :param folders: new directories that hold them.
        """

    def names(self, last: int, folders: Iterable[str]) -> None:
        """
        All names that were given are safe.

        :param last: descriptor of the file that got its name last.
        :param folders: directories that have a new entry.
        """


class EachFile:
    """What POSIX gives."""

    def begin(self, descriptor: int, offset: int, length: int) -> None:
        """The system does as it likes."""

    def contents(self, descriptors: Sequence[int], folders: Iterable[str]) -> None:
        for descriptor in descriptors:
            os.fsync(descriptor)
        sync_directories(folders)

    def names(self, last: int, folders: Iterable[str]) -> None:
        sync_directories(folders)


class OrderedJournal:
    """
    What ext4 and XFS give.

    :param sync_range: ``sync_file_range(2)``.
    """

    def __init__(self, sync_range: Callable[[int, int, int, int], int]) -> None:
        self._sync_range = sync_range

    def begin(self, descriptor: int, offset: int, length: int) -> None:
        self._sync_range(descriptor, offset, length, _WRITE)

    def contents(self, descriptors: Sequence[int], folders: Iterable[str]) -> None:
        for flags in (_WRITE, _WAIT_BEFORE | _WRITE | _WAIT_AFTER):  # all on their way before one is waited for
            for descriptor in descriptors:
                if self._sync_range(descriptor, 0, 0, flags) != 0:
                    os.fsync(descriptor)  # which also tells what is wrong

    def names(self, last: int, folders: Iterable[str]) -> None:
        os.fsync(last)


def durability_of(folder: str) -> Durability:
    """The one that the file system of ``folder``, or of where it will be, allows."""
    if file_system_of(folder) in _ORDERED:
        with suppress(OSError, AttributeError):
            sync_range = ctypes.CDLL(None, use_errno=True).sync_file_range
            sync_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
            return OrderedJournal(sync_range)
    return EachFile()


def file_system_of(folder: str) -> str:
    """The type of the file system that a directory is or will be on; empty if the system does not tell."""
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    device = os.stat(folder).st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[2] == wanted:
                return fields[fields.index("-") + 1]
    return ""


def sync_directories(folders: Iterable[str]) -> None:
    """Fsync each of them once."""
    for folder in dict.fromkeys(folders):
        with suppress(FileNotFoundError):  # removed by another meanwhile: nothing left to keep
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
