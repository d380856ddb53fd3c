"""
Calls that are made ahead of the results that are looked at.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from ..storage import Tree

_T = TypeVar("_T")
_R = TypeVar("_R")
_PATIENCE = 4
_SHORTEST, _LONGEST = 16, 512


def together(call: Callable[[_T], _R], arguments: Iterable[_T], at_once: int) -> Iterator[_R]:
    """``map(call, arguments)``, in that order, with so many calls under way at one time, each in a thread."""
    if at_once == 1:
        yield from map(call, arguments)
        return
    with ThreadPoolExecutor(at_once) as pool:
        yield from _together(pool, call, iter(arguments), 2 * at_once)


def ahead(tree: Tree, call: Callable[[_T], _R], arguments: Iterable[_T]) -> Iterator[_R]:
    """
    The same for calls that read from ``tree``, as long as they wait for it.

    Where all is in the page cache, threads take twice the time of none. So calls are made here until some in a row had
    to wait; then a stretch of them is made together, and one here again, to see. If it waits, too, a longer stretch
    follows.
    """
    waiting = iter(arguments)
    pool, stretch, in_row = None, _SHORTEST, 0
    try:
        for argument in waiting:
            before = tree.waits()
            result = call(argument)
            in_row = in_row + 1 if tree.waits() > before else 0
            yield result
            if in_row < _PATIENCE or tree.concurrency == 1:
                stretch = _SHORTEST
                continue
            pool = pool or ThreadPoolExecutor(tree.concurrency)
            yield from _together(pool, call, islice(waiting, stretch), 2 * tree.concurrency)
            stretch = min(2 * stretch, _LONGEST)
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def _together(
    pool: ThreadPoolExecutor, call: Callable[[_T], _R], waiting: Iterator[_T], under_way_at_most: int
) -> Iterator[_R]:
    under_way = deque(pool.submit(call, each) for each in islice(waiting, under_way_at_most))
    try:
        while under_way:
            yield under_way.popleft().result()
            under_way.extend(pool.submit(call, each) for each in islice(waiting, 1))
    finally:
        for each in under_way:
            each.cancel()
