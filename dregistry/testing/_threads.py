"""Threads for tests: none, or some."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import maybeDeferred
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase

from .._threads import PooledThreads
from ..storage import Threads

_T = TypeVar("_T")


class InlineThreads:
    """:class:`dregistry.storage.Threads` that run each call at once, where it is made."""

    def run(self, call: Callable[..., _T], *args: Any) -> Awaitable[_T]:
        return maybeDeferred(call, *args)


def pooled_threads(case: TestCase) -> Threads:
    """Threads as a driver is served with, which last as long as a test of ``case``."""
    from twisted.internet import reactor  # noqa: PLC0415 -- importing it installs it

    pool = ThreadPool(0, 8)
    pool.start()
    case.addCleanup(pool.stop)
    return PooledThreads(reactor, pool)
