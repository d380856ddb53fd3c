"""
Threads for blocking calls.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

_T = TypeVar("_T")


@frozen
class PooledThreads:
    """:class:`dregistry.storage.Threads` of one pool; whoever made the pool starts and stops it."""

    reactor: Any
    pool: ThreadPool

    def run(self, call: Callable[..., _T], *args: Any) -> Awaitable[_T]:
        return deferToThreadPool(self.reactor, self.pool, call, *args)
