"""``/`` and ``/v2/``."""

from __future__ import annotations

from ._api import Call


async def alive(call: Call) -> bytes:
    """For load balancers: 200 while the process serves."""
    call.set_header(b"cache-control", b"no-cache")
    return call.empty(200)


async def version(call: Call) -> bytes:
    """The API version check (distribution-spec, end-1)."""
    return call.content(b"{}", "application/json")
