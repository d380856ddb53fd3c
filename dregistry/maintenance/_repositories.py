"""
Going through the repositories of a storage.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from attrs import frozen

from ..storage import Tree, paths
from ._digests import Keyed, key_of

_T = TypeVar("_T")
_R = TypeVar("_R")


@frozen
class Place:
    """
    A repository.

    :ivar parts: the names of its directories that begin with ``_``.
    """

    name: str
    parts: frozenset[str]


def repositories(tree: Tree, below: str = "") -> Iterator[Place]:
    """Every directory that has a part of a repository, whatever part."""
    names = tree.names(f"{paths.REPOSITORIES}/{below}".rstrip("/"))
    parts = frozenset(name for name in names if name.startswith("_"))
    if parts and below:
        yield Place(below, parts)
    for name in names:
        if name not in parts:
            yield from repositories(tree, f"{below}/{name}" if below else name)


def digests_below(tree: Tree, path: str, holding: str = "") -> Keyed:
    """
    The digests that directories below ``path`` name, as ``<algorithm>/<hex>``. Other directories are passed over.

    :param holding: see :meth:`dregistry.storage.Tree.names`.
    """
    return {
        digest: key
        for algorithm in tree.names(path)
        for name in tree.names(f"{path}/{algorithm}", holding)
        if (key := key_of(digest := f"{algorithm}:{name}")) is not None
    }


def ahead(call: Callable[[_T], _R], arguments: Iterable[_T], at_once: int) -> Iterator[_R]:
    """``map(call, arguments)``, in that order, with so many calls under way at one time."""
    if at_once == 1:
        yield from map(call, arguments)
        return
    waiting = iter(arguments)
    with ThreadPoolExecutor(at_once) as pool:
        under_way = deque(pool.submit(call, each) for each in islice(waiting, 2 * at_once))
        try:
            while under_way:
                yield under_way.popleft().result()
                under_way.extend(pool.submit(call, each) for each in islice(waiting, 1))
        finally:
            pool.shutdown(cancel_futures=True)
