"""What load balancers and supervisors ask: ``/``, ``/livez`` and ``/readyz``."""

from __future__ import annotations

from ..errors import Unavailable
from ._api import Call


async def alive(call: Call) -> bytes:
    """200 while the process serves. ``/`` is refused as all else is while a health check fails; ``/livez`` is not."""
    call.set_header(b"cache-control", b"no-cache")
    return call.empty(200)


async def ready(call: Call) -> bytes:
    """
    200 while requests should come here.

    :raise Unavailable: while a health check fails, or the process drains.
    """
    call.set_header(b"cache-control", b"no-cache")
    reason = call.api.health.unready
    if reason is not None:
        raise Unavailable(reason)
    return call.empty(200)
