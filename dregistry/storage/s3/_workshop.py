"""
What all writers of a driver share.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from attrs import frozen

from ._api import Bucket
from ._copying import Copier
from ._habits import Habits
from ._reading import Budget


@frozen(eq=False)
class Workshop:
    """
    :ivar chunk: bytes of a part.
    :ivar at_once: parts of one writer that are on their way at one time.
    :ivar key_of: the key of a path; raises InvalidPath.
    :ivar put_contents: of the driver.
    :ivar release: is told of a writer that it does not hold its path any more.
    """

    bucket: Bucket
    copier: Copier
    habits: Habits
    budget: Budget
    chunk: int
    at_once: int
    key_of: Callable[[str], str]
    put_contents: Callable[[Sequence[tuple[str, bytes]]], Awaitable[None]]
    release: Callable[[Any], None]
