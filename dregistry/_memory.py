"""
Memory of processes: what one needs no more once it has started, and what several share.
"""

from __future__ import annotations

import ctypes
import gc
import os
import tempfile
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


def memory_file(name: str, size: int) -> int:
    """
    The descriptor of a file in memory, which no path leads to: processes that are to share it are handed that. It is
    all zeros, and what is not used takes no memory.

    :param name: for those who look at the process.
    """
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
