"""
The border that storage errors do not cross.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from twisted.logger import Logger

from ..errors import Unavailable
from ..storage import StorageError, StorageFull

_P = ParamSpec("_P")
_T = TypeVar("_T")
_log = Logger()


def guarded(call: Callable[_P, Awaitable[_T]]) -> Callable[_P, Coroutine[Any, Any, _T]]:
    """Wrap a coroutine function in :func:`unavailable`'s translation."""

    @wraps(call)
    async def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await call(*args, **kwargs)
        except StorageError as error:
            raise unavailable(error) from error

    return wrapper


async def guarded_chunks(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same for a stream of content; closing this closes that."""
    try:
        async for chunk in chunks:
            yield chunk
    except StorageError as error:
        raise unavailable(error) from error
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()


def unavailable(error: StorageError) -> Unavailable:
    """What clients are told of it; the log has the cause."""
    if isinstance(error, StorageFull):
        _log.error("storage is full: {error!r}", error=error)
        return Unavailable("no space left in the registry's storage")
    _log.error("storage failed: {error!r}", error=error)
    return Unavailable("the registry's storage failed; the cause is in its log")
