"""
The storage that a configuration file names, for commands that block.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.threads import blockingCallFromThread
from twisted.python.threadpool import ThreadPool

from .._threads import PooledThreads
from ..backends import StorageChoice, choose_storage
from ..config import ConfigError, Configuration, load_file
from ..maintenance import DriverTree, Wait
from ..storage import DriverContext, IWalking, StorageError, Tree

_T = TypeVar("_T")
CONFIGURATION = "REGISTRY_CONFIGURATION_PATH"


class _Reactor:
    """The reactor, imported when a driver uses it: files need none, and it takes as long to load as they do."""

    def __getattr__(self, name: str) -> Any:
        from twisted.internet import reactor

        return getattr(reactor, name)


def with_storage(path: str | None, work: Callable[[Configuration, Any, Tree], int]) -> int:
    """
    Do work on the storage of a configuration file.

    :param path: of the file; None for the one that the environment names.
    :param work: is given the configuration, the driver and its content; it blocks.
    :return: the exit status: what ``work`` returns; 1 with a message if the storage cannot be used.
    """
    path = path or os.environ.get(CONFIGURATION)
    if not path:
        return fail(f"name a configuration file, or set {CONFIGURATION}", 2)
    try:
        config = load_file(path, os.environ).config
        storage = choose_storage(config, path, lambda warning: None)
        return _with_driver(config, storage, work)
    except ConfigError as error:
        return fail(str(error))
    except StorageError as error:
        return fail(f"the storage failed: {error!r}")
    except BrokenPipeError:  # whoever read the output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return fail("interrupted", 130)


def fail(message: str, status: int = 1) -> int:
    """Say what is wrong; the exit status."""
    sys.stderr.write(message + "\n")
    return status


def _with_driver(config: Configuration, storage: StorageChoice, work: Callable[[Configuration, Any, Tree], int]) -> int:
    reactor = _Reactor()
    pool = ThreadPool(0, storage.factory.max_threads(storage.options), "storage")
    driver: Any = storage.build_driver(DriverContext(reactor, PooledThreads(reactor, pool)))
    if IWalking.providedBy(driver):
        return work(config, driver, driver.tree())
    pool.start()
    try:
        return _beside_reactor(lambda wait: work(config, driver, DriverTree(driver, wait)))
    finally:
        pool.stop()


def _beside_reactor(work: Callable[[Wait], int]) -> int:
    """Run ``work`` in a thread, while the reactor that drivers need runs in this one."""
    from twisted.internet import reactor as imported

    reactor: Any = imported
    ended: list[int | BaseException] = []

    def wait(start: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
        return blockingCallFromThread(reactor, lambda: Deferred.fromCoroutine(start()))  # type: ignore[arg-type]

    def run() -> None:
        try:
            ended.append(work(wait))
        except BaseException as error:
            ended.append(error)
        finally:
            reactor.callFromThread(reactor.stop)

    reactor.callWhenRunning(threading.Thread(target=run, daemon=True).start)
    reactor.run()
    if not ended:  # by a signal: threads wait for a reactor that is gone
        fail("interrupted")
        sys.stdout.flush()
        os._exit(130)
    if isinstance(ended[0], BaseException):
        raise ended[0]
    return ended[0]
