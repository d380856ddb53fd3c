"""What the tests of the filesystem driver share."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from dregistry.storage._durability import Durability, EachFile
from dregistry.storage.filesystem import FilesystemDriver
from dregistry.testing import InlineThreads


def temporary_directory(case: Any) -> str:
    folder = tempfile.mkdtemp(prefix="dregistry-storage-driver-")
    case.addCleanup(shutil.rmtree, folder)
    return folder


def inline_driver(root: str, durability: Durability | None = None) -> FilesystemDriver:
    return FilesystemDriver(root, InlineThreads(), durability or EachFile())


def result_of(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Of what does not wait: with :class:`InlineThreads`."""
    results: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


def tree(root: str) -> set[str]:
    """Everything below, directories with a slash at the end."""
    found = set()
    for folder, folders, files in os.walk(root):
        below = os.path.relpath(folder, root) + "/"
        found |= {os.path.normpath(below + name) + "/" for name in folders}
        found |= {os.path.normpath(below + name) for name in files}
    return found


def seen(driver: FilesystemDriver, path: str) -> Iterator[str]:
    """Everything that the driver shows below ``path``, directories with a slash at the end."""
    for name in result_of(driver.children(path)):
        below = f"{path}/{name}"
        if result_of(driver.stat(below)).is_dir:
            yield below + "/"
            yield from seen(driver, below)
        else:
            yield below


def fork(call: Callable[[], Any]) -> int:
    """Make the call in a process of its own, which ends with it: its process id."""
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        status = 70
        try:
            call()
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    return child


def ended(child: int) -> int:
    """Wait for a process: its exit status, or minus the signal that killed it."""
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
