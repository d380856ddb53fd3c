"""
Going through the repositories of a storage.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import frozen

from ..storage import Tree, paths
from ._ahead import ahead
from ._digests import Keyed, key_of


@frozen
class Place:
    """
    A repository.

    :ivar parts: the names of its directories that begin with ``_``.
    """

    name: str
    parts: frozenset[str]


def repositories(tree: Tree) -> Iterator[Place]:
    """Every directory that has a part of a repository, whatever part."""
    return _repositories(tree, "", tree.names(paths.REPOSITORIES))


def _repositories(tree: Tree, below: str, names: Sequence[str]) -> Iterator[Place]:
    """:param names: of what is directly below."""
    parts = frozenset(name for name in names if name.startswith("_"))
    if parts and below:
        yield Place(below, parts)
    children = [f"{below}/{name}" if below else name for name in names if name not in parts]
    listings = ahead(tree, lambda child: tree.names(paths.repository(child)), children)
    for child, listing in zip(children, listings, strict=True):
        yield from _repositories(tree, child, listing)


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
