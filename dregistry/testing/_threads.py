"""
A thread runner without threads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, execute

T = TypeVar("T")


class InlineThreads:
    """Provides :class:`dregistry.storage.Threads` by making the call at once, where it is asked for."""

    def run(self, call: Callable[..., T], *args: Any) -> Awaitable[T]:
        done: Deferred[T] = execute(call, *args)
        return done
