"""
Where lines go.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Protocol


class Output(Protocol):
    """Takes whole lines. What cannot be written is lost: a registry serves on with a full disk."""

    def write(self, line: str) -> None:
        """:param line: without its end."""


class Descriptor:
    """:param descriptor: such as 1, standard output."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, line: str) -> None:
        with suppress(OSError):
            _write(self._descriptor, line)


class AppendedFile:
    """
    A file that several processes append to, line by line.

    Whoever rotates it moves it away: the next line goes to a new file of its name, or where that cannot be made, to the
    old one.

    :param path: absolute.
    :raise OSError: if it cannot be opened.
    """

    def __init__(self, path: str, mode: int = 0o640) -> None:
        self.path = path
        self._mode = mode
        self._descriptor = -1
        self._identity = (-1, -1)
        self._open()

    def write(self, line: str) -> None:
        """As :meth:`Output.write` says."""
        with suppress(OSError):
            self.append(line)

    def append(self, line: str) -> None:
        """:raise OSError: if it cannot be written."""
        if not self._is_in_place():
            with suppress(OSError):
                self._open()
        _write(self._descriptor, line)

    def close(self) -> None:
        os.close(self._descriptor)

    def _is_in_place(self) -> bool:
        try:
            found = os.stat(self.path)
        except OSError:
            return False
        return (found.st_dev, found.st_ino) == self._identity

    def _open(self) -> None:
        opened = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, self._mode)
        before, self._descriptor = self._descriptor, opened
        found = os.fstat(opened)
        self._identity = (found.st_dev, found.st_ino)
        if before >= 0:
            os.close(before)


def _write(descriptor: int, line: str) -> None:
    data = (line + "\n").encode("utf-8", "backslashreplace")
    while data:  # one call does it, but into a full pipe
        data = data[os.write(descriptor, data) :]
