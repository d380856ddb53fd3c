"""
Files that are replaced, moved and removed whole. Every function here blocks; errors are ``OSError``.

Names of the form ``.<name>.<random>~`` are on their way in or out: nobody else looks at them. No path of a storage
driver has a ``~``.

That a directory made earlier without an fsync is there too after a power cut, when something below it was fsynced, is
left to the journal of the file system: ext4, XFS and btrfs keep that order.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TypeVar

from attrs import define, field

from ._durability import Durability, sync_directories

_T = TypeVar("_T")

_READ = 1 << 16

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


def read_whole(target: str) -> bytes:
    """All bytes of a file. Written for small ones: three system calls, where a file object takes seven."""
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, _READ)
        if len(data) < _READ:
            return data
        pieces = [data]
        while data := os.read(descriptor, 1 << 20):
            pieces.append(data)
        return b"".join(pieces)
    finally:
        os.close(descriptor)


def read_start(target: str, size: int) -> bytes:
    """The first ``size`` bytes of a file."""
    descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def replace(contents: Sequence[tuple[str, bytes]], durability: Durability | None) -> None:
    """
    Put each content at its place in one step, missing directories included, in the order given.

    :param durability: None if it need not outlast a power cut.
    """
    with _written_aside(contents) as asides:
        if durability is not None:
            durability.contents([aside.descriptor for aside in asides], _folders(asides))
        else:
            for aside in asides:
                _close(aside)  # a network file system tells only then that there was no room
        changed = [folder for aside in asides for folder in _place(aside, durability)]
        if durability is not None:
            durability.names(asides[-1].descriptor, changed)


def move_with(
    descriptor: int, source: str, target: str, contents: Sequence[tuple[str, bytes]], durability: Durability
) -> None:
    """
    Rename a file, then put each content at its place; durable when this returns.

    :param descriptor: of the file, open and locked.
    :raise FileNotFoundError: if ``source`` is missing, or is another file: whoever removed this one may have made it.
    """
    with _written_aside(contents) as asides:
        durability.contents([descriptor, *(aside.descriptor for aside in asides)], _folders(asides))
        changed = _move_in(source, target, descriptor)
        for aside in asides:
            changed += _place(aside, durability)
        durability.names(asides[-1].descriptor if asides else descriptor, changed)


def move(source: str, target: str) -> None:
    """
    Rename a file durably, creating the directories above ``target``.

    :raise FileNotFoundError: if ``source`` is missing.
    """
    sync_directories(_rename(source, target))


def open_locked(target: str) -> int:
    """
    Open a file for writing, alone: a descriptor, which holds the lock until it is closed.

    :raise BlockingIOError: if another holds it.
    :raise FileNotFoundError: if it is missing.
    """
    for _ in range(_ATTEMPTS):
        descriptor = os.open(target, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if is_at(descriptor, target):  # else it was moved, removed or replaced before it was locked
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), target)


def lock_directory(folder: str) -> int:
    """Make the directory if need be, and lock it, alone: a descriptor, which holds the lock until it is closed."""
    while True:
        os.makedirs(folder, exist_ok=True)
        with suppress(FileNotFoundError):  # taken for an empty one and removed
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                if is_at(descriptor, folder):
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


def create_locked(target: str) -> tuple[int, list[str]]:
    """
    The same with a new, empty file, and the directories above, if it is missing.

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
        _remove_tree(doomed)
    with suppress(OSError):
        while folder != root:
            os.rmdir(folder)
            folder = os.path.dirname(folder)


def _remove_tree(doomed: str) -> None:
    """Remove it, with what writers that found its directories before they were renamed still put there."""
    for _ in range(_ATTEMPTS):
        try:
            shutil.rmtree(doomed)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.ENOENT):
                raise
        if not os.path.exists(doomed):
            return


def _persistently(call: Callable[..., _T], *args: object) -> _T:
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            return call(*args)
    return call(*args)


@define
class _Aside:
    """
    Content that is written, but is not in its place yet.

    :ivar file: where it is.
    :ivar descriptor: of the file; -1 when it is closed.
    :ivar top: the topmost of the directories that were made aside for it, and where that one belongs; None if no
        directory was missing.
    :ivar folders: all directories that were made aside.
    """

    target: str
    content: bytes = field(repr=False)
    file: str
    descriptor: int
    top: tuple[str, str] | None
    folders: list[str]


@contextmanager
def _written_aside(contents: Sequence[tuple[str, bytes]]) -> Iterator[list[_Aside]]:
    """Write each content aside. What has not been put in its place by the end is removed."""
    asides: list[_Aside] = []
    try:
        for target, content in contents:
            asides.append(_persistently(_write_aside, target, content))
        yield asides
    except BaseException:
        for aside in asides:
            _discard(aside)
        raise
    finally:
        for aside in asides:
            _close(aside)


def _close(aside: _Aside) -> None:
    descriptor, aside.descriptor = aside.descriptor, -1
    if descriptor >= 0:
        os.close(descriptor)


def _write_aside(target: str, content: bytes) -> _Aside:
    folders: list[str] = []
    top = None
    parent, name = os.path.split(target)
    if os.path.isdir(parent):
        file = _temporary_beside(target)
    else:
        top, folders = _make_aside(parent)
        file = os.path.join(folders[-1], name)
    try:
        return _Aside(target, content, file, _write_new(file, content), top, folders)
    except BaseException:
        _clear(file, folders)
        raise


def _make_aside(folder: str) -> tuple[tuple[str, str], list[str]]:
    """
    Make a directory that is missing, and those missing above it, under a temporary name of the topmost.

    :return: the temporary name, with the place that it stands for; and all that were made, topmost first.
    """
    base, name = os.path.split(folder)
    missing = [name]
    while True:
        place = os.path.join(base, missing[0])
        temporary = _temporary_beside(place)
        try:
            os.mkdir(temporary)
            break
        except FileNotFoundError:
            base, name = os.path.split(base)
            missing.insert(0, name)
    folders = [temporary]
    try:
        for name in missing[1:]:
            os.mkdir(os.path.join(folders[-1], name))
            folders.append(os.path.join(folders[-1], name))
    except BaseException:
        _clear(None, folders)
        raise
    return (temporary, place), folders


def _write_new(path: str, content: bytes) -> int:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        write_all(descriptor, content)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _place(aside: _Aside, durability: Durability | None) -> list[str]:
    """
    Give it its name; the directories that have a new entry.

    When a directory above is removed meanwhile, with what was written aside in it, it is written again.
    """
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):
            return _place_once(aside)
        if os.path.exists(aside.file):
            continue
        again = _persistently(_write_aside, aside.target, aside.content)
        _close(aside)
        aside.descriptor, aside.file, aside.top, aside.folders = again.descriptor, again.file, again.top, again.folders
        if durability is not None:
            durability.contents([aside.descriptor], aside.folders)
    return _place_once(aside)


def _place_once(aside: _Aside) -> list[str]:
    if aside.top is not None:
        temporary, place = aside.top
        try:
            os.rename(temporary, place)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return [os.path.dirname(place)]
        if not os.path.isdir(place):
            raise _vanished(place)
        changed = _make_directories(aside.target)  # another made it meanwhile
        os.rename(aside.file, aside.target)
        _clear(None, aside.folders)
        return changed
    os.rename(aside.file, aside.target)
    return [os.path.dirname(aside.target)]


def _discard(aside: _Aside) -> None:
    _clear(aside.file, aside.folders)


def _clear(file: str | None, folders: Sequence[str]) -> None:
    if file is not None:
        with suppress(OSError):
            os.unlink(file)
    for folder in reversed(folders):
        with suppress(OSError):
            os.rmdir(folder)


def _folders(asides: Sequence[_Aside]) -> list[str]:
    return [folder for aside in asides for folder in aside.folders]


def _move_in(source: str, target: str, descriptor: int) -> list[str]:
    """
    Rename a file; the directories that have a new entry. A directory that holds nothing but the file is renamed with
    it if the target's is missing: that is cheaper than to make the one and remove the other.
    """
    folder, name = os.path.split(source)
    place = os.path.dirname(target)
    if name == os.path.basename(target) and not os.path.exists(place) and os.listdir(folder) == [name]:
        changed = _make_directories(place)
        try:
            _require(source, descriptor)
            os.rename(folder, place)
        except OSError:
            pass  # another made it, or removed what is above: take the long way
        else:
            return changed
    return _rename(source, target, descriptor)


def _require(source: str, descriptor: int | None) -> None:
    """
    Just before a file is moved by its name: to wait for the disk has taken a while.

    :raise FileNotFoundError: if it is missing, or is another one than the open file.
    """
    there = os.stat(source)
    if descriptor is not None and not os.path.samestat(os.fstat(descriptor), there):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), source)


def _rename(source: str, target: str, descriptor: int | None = None) -> list[str]:
    """
    Rename a file, creating the directories above ``target``; the directories that have a new entry.

    :param descriptor: of the file that is meant, if it is open.
    """
    for _ in range(_ATTEMPTS):
        _require(source, descriptor)
        with suppress(FileNotFoundError):  # the directories made for it may be taken for empty ones and removed
            changed = _make_directories(target)
            _require(source, descriptor)
            os.rename(source, target)
            return changed
    raise OSError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), target)


def _create_locked(target: str) -> tuple[int, list[str]]:
    changed = _make_directories(target)
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o666))
    return open_locked(target), changed


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
