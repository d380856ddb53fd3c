"""
Directories, of which S3 has none: the names between two slashes of keys.
"""

from __future__ import annotations

from ._api import Bucket
from ._concurrent import concurrently


async def exists(bucket: Bucket, prefix: str) -> bool:
    """Whether any object is below a directory. ``prefix`` ends with a slash."""
    page = await bucket.page(prefix, limit=2)  # consoles make an object of the directory's own name
    return any(found.key != prefix for found in page.objects)


async def children(
    bucket: Bucket, prefix: str, after: str = "", limit: int | None = None, directories_only: bool = False
) -> list[str]:
    """
    Names below a directory that sort after ``after``, in order of their bytes, the first ``limit`` of them.

    Keys are listed in order of *their* bytes, where a directory ``a`` stands as ``a/``, which comes after ``a-b`` and
    ``a.b``. So when a listing stops at some key, the only names before that key that have not come are those of
    directories whose name the key begins with, before a ``-`` or a ``.``; they are asked for one by one. (Services
    that list names instead, as SeaweedFS does, have delivered them already.)

    :param prefix: ends with a slash.
    """
    if limit == 0:
        return []
    names: set[str] = set()
    token = last = ""
    start = prefix + after if after else ""
    while True:
        page = await bucket.page(prefix, "/", "" if token else start, token)
        found = {name[len(prefix) : -1] for name in page.prefixes}
        if not directories_only:
            found |= {each.key[len(prefix) :] for each in page.objects}
        names |= {name for name in found if name > after}
        last = max([last, *(each.key[len(prefix) :] for each in page.objects), *found])
        token = page.next
        if not token:
            return sorted(names)[:limit]
        if limit is not None and len(names) >= limit:
            break
    hidden = [name for name in _hidden_before(last) if name > after and name not in names]
    there = await concurrently(lambda name: exists(bucket, f"{prefix}{name}/"), hidden)
    names |= {name for name, found in zip(hidden, there, strict=True) if found}
    return sorted(names)[:limit]


def _hidden_before(key: str) -> list[str]:
    """Names of directories that sort before a name, but whose keys come after it."""
    return [key[:end] for end, letter in enumerate(key) if letter in "-." and end > 0]
