"""
Without TLS where nobody asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_BINDING = "OpenSSL"


@contextmanager
def without_tls() -> Iterator[None]:
    """
    What is imported inside the block finds no OpenSSL, as if pyOpenSSL were not installed.

    That saves each process some 13 MiB, as long as nothing in it speaks TLS, as a server or as a client: whoever adds
    such a thing takes its process out of here. Has no effect if OpenSSL is loaded already.
    """
    modules: dict[str, Any] = sys.modules
    if _BINDING in modules:
        yield
        return
    modules[_BINDING] = None  # the import system takes it for a module that is not there
    try:
        yield
    finally:
        del modules[_BINDING]
