"""
The filesystem driver's content, by blocking calls.
"""

from __future__ import annotations

import fcntl
import os
import resource
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from stat import S_ISDIR

from attrs import frozen
from zope.interface import implementer

from ._abilities import ILock
from ._durability import file_system_of
from ._files import is_temporary, move, open_locked, read_start, read_whole, remove, replace
from ._interfaces import FileInfo, PathNotFound
from ._os_errors import translated, translation
from ._walking import Leftover

_PIECE = 1 << 20
_ABSENT = (FileNotFoundError, NotADirectoryError)
_THREAD = getattr(resource, "RUSAGE_THREAD", resource.RUSAGE_SELF)
_COUNTED = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "tmpfs", "overlay"})
"""File systems whose reads the kernel counts to the thread that waits for them."""


class LocalTree:
    """
    See :class:`dregistry.storage.Tree`.

    :param root: the directory that paths are relative to.
    """

    concurrency = 8

    def __init__(self, root: str) -> None:
        self._root = root
        self._met: dict[str, None] = {}
        self._calls = None if file_system_of(root) in _COUNTED else count()

    def waits(self) -> int:
        """Blocks that were read from a disk; where nobody counts them, it is taken for slow."""
        return next(self._calls) if self._calls is not None else resource.getrusage(_THREAD).ru_inblock

    def names(self, path: str, holding: str = "") -> list[str]:
        try:
            found = os.listdir(self._root + path)
        except _ABSENT:
            return []
        except OSError as error:
            raise translation(path, error) from error
        if "~" in "".join(found):
            temporary = [name for name in found if is_temporary(name)]
            self._met.update(dict.fromkeys(f"{path}/{name}" for name in temporary))
            found = [name for name in found if not is_temporary(name)]
        if holding:
            found = [name for name in found if os.path.exists(f"{self._root}{path}/{name}/{holding}")]
        found.sort()
        return found

    def contents(self, paths: Sequence[str], largest: int | None = None) -> list[bytes | None]:
        return [self._content(path, largest) for path in paths]

    def _content(self, path: str, largest: int | None) -> bytes | None:
        try:
            if largest is None:
                return read_whole(self._root + path)
            start = read_start(self._root + path, largest + 1)
            return start if len(start) <= largest else None
        except (*_ABSENT, IsADirectoryError):
            return None
        except OSError as error:
            raise translation(path, error) from error

    def stats(self, paths: Sequence[str]) -> list[FileInfo | None]:
        return [self._stat(path) for path in paths]

    def _stat(self, path: str) -> FileInfo | None:
        try:
            found = os.stat(self._root + path)
        except _ABSENT:
            return None
        except OSError as error:
            raise translation(path, error) from error
        directory = S_ISDIR(found.st_mode)
        return FileInfo(path, 0 if directory else found.st_size, directory, found.st_mtime)

    def pieces(self, path: str) -> Iterator[memoryview]:
        with translated(path), open(self._root + path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            buffer = memoryview(bytearray(max(1, min(_PIECE, size))))
            while count := file.readinto(buffer):
                yield buffer[:count]

    def put(self, path: str, content: bytes) -> None:
        with translated(path, absent=()):
            replace([(self._root + path, content)], None)

    def move(self, source: str, destination: str) -> None:
        with translated(source):
            descriptor = open_locked(self._root + source)
        try:
            with translated(source, absent=(FileNotFoundError,)):
                move(self._root + source, self._root + destination)
        finally:
            os.close(descriptor)
        self.prune(os.path.dirname(source))

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            with suppress(PathNotFound), translated(path):
                remove(self._root + path, self._root)

    def prune(self, path: str) -> bool:
        try:
            os.rmdir(self._root + path)
        except OSError:
            return False
        return True

    def in_use(self, path: str) -> bool:
        try:
            os.close(open_locked(self._root + path))
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def leftovers(self, path: str = "") -> Iterable[Leftover]:
        if path:
            return self._below(path)
        met, self._met = self._met, {}
        return [leftover for each in met if (leftover := self._leftover(each)) is not None]

    def _below(self, path: str) -> Iterator[Leftover]:
        for folder, folders, files in os.walk(self._root + path):
            for name in filter(is_temporary, (*folders, *files)):
                leftover = self._leftover(os.path.join(folder, name)[len(self._root) :])
                if leftover is not None:
                    yield leftover
            folders[:] = [name for name in folders if not is_temporary(name)]

    def _leftover(self, path: str) -> Leftover | None:
        with translated(path):
            try:
                found = os.lstat(self._root + path)
                changed = max(found.st_mtime, found.st_ctime)
                if not S_ISDIR(found.st_mode):
                    return Leftover(path, found.st_size, changed)
                return self._leftover_directory(path, changed)
            except _ABSENT:
                return None

    def _leftover_directory(self, path: str, changed: float) -> Leftover:
        size = 0
        for folder, _, files in os.walk(self._root + path):
            changed = max(changed, os.lstat(folder).st_ctime)
            for name in files:
                found = os.lstat(os.path.join(folder, name))
                size += found.st_size
                changed = max(changed, found.st_ctime)
        return Leftover(path, size, changed)

    def discard(self, leftover: Leftover) -> None:
        self.delete([leftover.path])


@implementer(ILock)
@frozen
class _Attendance:
    descriptor: int

    def release(self) -> None:
        os.close(self.descriptor)


def attend(root: str) -> ILock | None:
    """See :meth:`dregistry.storage.IAttendance.attend`; made if it is missing, ``root`` is what the lock is of."""
    try:
        os.makedirs(root, exist_ok=True)
        return _locked(root, fcntl.LOCK_SH)
    except OSError:  # it may not be written to, or its file system has no locks
        return _Unheard()


def keep_out(root: str) -> ILock | None:
    """See :meth:`dregistry.storage.IAttendance.keep_out`."""
    try:
        return _locked(root, fcntl.LOCK_EX)
    except OSError:
        return _Unheard()


@implementer(ILock)
class _Unheard:
    """In place of a lock that cannot be had."""

    def release(self) -> None:
        """Nothing to do."""


def _locked(root: str, kind: int) -> ILock | None:
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except BaseException:
        os.close(descriptor)
        raise
    return _Attendance(descriptor)
