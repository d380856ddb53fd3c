"""Threads for tests that want none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from twisted.internet.defer import maybeDeferred

_T = TypeVar("_T")


class InlineThreads:
    """:class:`dregistry.storage.Threads` that run each call at once, where it is made."""

    def run(self, call: Callable[..., _T], *args: Any) -> Awaitable[_T]:
        return maybeDeferred(call, *args)
