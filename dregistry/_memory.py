"""
Memory that a process needs no more once it has started.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress


def settle() -> None:
    """
    To be called when all is imported and built: garbage of the start goes back to the system, and what is here now is
    taken for what stays, so that the collector need not look at it again.
    """
    gc.unfreeze()  # what was here at a start before this one
    gc.collect()
    with suppress(OSError, AttributeError):  # glibc's only
        ctypes.CDLL(None).malloc_trim(0)
    gc.freeze()
