"""
Whether a file has changed since somebody looked.
"""

from __future__ import annotations

import os

Stamp = tuple[int, int, int]


def file_stamp(path: str) -> Stamp | None:
    """What changes with a file; None if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
