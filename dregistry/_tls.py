"""
Without TLS where nobody asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

_PYOPENSSL = "OpenSSL"
_SSL = "_ssl"


def without_tls() -> AbstractContextManager[None]:
    """
    What is imported inside the block finds no OpenSSL, as if neither pyOpenSSL were installed nor Python built with it.

    That saves each process some 14 MiB, as long as nothing in it speaks TLS, as a server or as a client: whoever adds
    such a thing takes its process out of here. Has no effect if OpenSSL is loaded already.
    """
    return _hiding(_PYOPENSSL, _SSL)


def without_pyopenssl() -> AbstractContextManager[None]:
    """The like for what cannot be imported without Python's own ``ssl``; it saves most of that."""
    return _hiding(_PYOPENSSL)


@contextmanager
def _hiding(*names: str) -> Iterator[None]:
    modules: dict[str, Any] = sys.modules
    hidden = [name for name in names if name not in modules]
    for name in hidden:
        modules[name] = None  # the import system takes it for a module that is not there
    try:
        yield
    finally:
        for name in hidden:
            del modules[name]


def tls_if(needed: bool) -> AbstractContextManager[None]:
    """Nothing special for a process that speaks TLS, :func:`without_tls` for others."""
    return nullcontext() if needed else without_tls()
