"""``/v2/``."""

from __future__ import annotations

from ._api import Call


async def version(call: Call) -> bytes:
    """The API version check (distribution-spec, end-1)."""
    return call.content(b"{}", "application/json")
