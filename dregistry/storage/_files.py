"""
Files that are replaced, moved and removed whole. Every function here blocks; errors are ``OSError``.

Names of the form ``.<name>.<random>~`` are on their way in or out: nobody else looks at them. No path of a storage
driver has a ``~``.

What is durable rests on two kinds of fsync: of a file before it gets its name, and of each directory that got a new
entry. That a directory made earlier without one (``durable=False``) is there too after a power cut, when something
below it was fsynced, is left to the journal of the file system: ext4, XFS and btrfs keep that order.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TypeVar

_T = TypeVar("_T")

_ATTEMPTS = 64
"""How often to start again when another process removes the (empty) directories that were just made."""


def is_temporary(name: str) -> bool:
    return name.endswith("~")


def write_all(descriptor: int, data: bytes, offset: int = 0) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view = view[written:]
        offset += written


def replace(target: str, content: bytes, durable: bool) -> None:
    """Put ``content`` at ``target`` in one step, missing directories included."""
    _persistently(_replace, target, content, durable)


def move(source: str, target: str) -> None:
    """
    Rename a file durably, creating the directories above ``target``.

    :raise FileNotFoundError: if ``source`` is missing.
    """
    for _ in range(_ATTEMPTS):
        os.stat(source)
        with suppress(FileNotFoundError):  # the directories made for it may be taken for empty ones and removed
            return _move(source, target)
    raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), target)


def open_locked(target: str) -> int:
    """
    Open a file for writing, alone: a descriptor, which holds the lock until it is closed.

    :raise BlockingIOError: if another holds it.
    :raise FileNotFoundError: if it is missing.
    """
    for _ in range(_ATTEMPTS):
        descriptor = os.open(target, os.O_WRONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(descriptor, target):  # else it was moved, removed or replaced before it was locked
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), target)


def create_locked(target: str) -> tuple[int, list[str]]:
    """
    The same with a new, empty file, in place of one that may be there, and the directories above.

    :return: also the directories that got an entry, for :func:`sync_directories`.
    """
    return _persistently(_create_locked, target)


def _vanished(target: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), target)


def is_at(descriptor: int, target: str) -> bool:
    """Whether the open file is (still) the one at ``target``."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(target))
    except (FileNotFoundError, NotADirectoryError):
        return False


def remove(target: str, root: str) -> None:
    """Remove a file or a tree in one step, and the directories above it, up to ``root``, that this leaves empty."""
    folder, _ = os.path.split(target)
    try:
        os.unlink(target)
    except (IsADirectoryError, PermissionError):  # POSIX lets unlink refuse a directory with EPERM
        if not os.path.isdir(target):
            raise
        doomed = _temporary_beside(target)
        os.rename(target, doomed)
        shutil.rmtree(doomed)
    with suppress(OSError):
        while folder != root:
            os.rmdir(folder)
            folder = os.path.dirname(folder)


def _persistently(call: Callable[..., _T], *args: object) -> _T:
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            return call(*args)
    return call(*args)


def _replace(target: str, content: bytes, durable: bool) -> None:
    base, missing = _missing_above(target)
    if not missing:
        temporary = _temporary_beside(target)
        try:
            _write_new(temporary, content, durable)
            os.rename(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
    else:
        _replace_with_directories(base, missing, target, content, durable)
    if durable:
        sync_directories([base])


def _replace_with_directories(base: str, missing: list[str], target: str, content: bytes, durable: bool) -> None:
    """Build the missing directories aside, with the content in them, and rename the topmost of them into place."""
    top = os.path.join(base, missing[0])
    temporary = _temporary_beside(top)
    folders = [os.path.join(temporary, *missing[1 : depth + 1]) for depth in range(len(missing))]
    file = os.path.join(folders[-1], os.path.basename(target))
    try:
        for folder in folders:
            os.mkdir(folder)
        _write_new(file, content, durable)
        if durable:
            sync_directories(folders)
        try:
            os.rename(temporary, top)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            raise _vanished(top) from None  # another made it meanwhile: begin again, inside it
    except BaseException:
        with suppress(OSError):
            os.unlink(file)
        for folder in reversed(folders):
            with suppress(OSError):
                os.rmdir(folder)
        raise


def _write_new(path: str, content: bytes, durable: bool) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        write_all(descriptor, content)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _move(source: str, target: str) -> None:
    changed = _make_directories(target)
    os.rename(source, target)
    sync_directories(changed)


def _create_locked(target: str) -> tuple[int, list[str]]:
    changed = _make_directories(target)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o666))
    descriptor = open_locked(target)
    if os.fstat(descriptor).st_size:
        try:  # whoever reads the old content reads on
            os.unlink(target)
        finally:
            os.close(descriptor)
        raise _vanished(target)  # begin again
    return descriptor, changed


def _make_directories(target: str) -> list[str]:
    """Make those missing above ``target``; the directories that get a new entry when ``target`` does."""
    folder, missing = _missing_above(target)
    changed = [folder]
    for name in missing:
        folder = os.path.join(folder, name)
        with suppress(FileExistsError):
            os.mkdir(folder)
        changed.append(folder)
    return changed


def _missing_above(target: str) -> tuple[str, list[str]]:
    """The deepest existing directory above ``target``, and the names of those missing between, topmost first."""
    missing: list[str] = []
    folder = os.path.dirname(target)
    while not os.path.isdir(folder):
        folder, name = os.path.split(folder)
        missing.insert(0, name)
    return folder, missing


def _temporary_beside(target: str) -> str:
    folder, name = os.path.split(target)
    return f"{folder}/.{name[:128]}.{secrets.token_hex(8)}~"


def sync_directories(folders: Iterable[str]) -> None:
    for folder in folders:
        with suppress(FileNotFoundError):  # removed by another meanwhile: nothing left to keep
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
