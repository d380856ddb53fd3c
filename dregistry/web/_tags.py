"""Tags: ``/v2/<name>/tags/list`` (distribution-spec, end-8)."""

from __future__ import annotations

import json

from ._api import Call
from ._listing import PAGE, send_names


async def listing(call: Call) -> bytes | None:
    """All tags, or the page that ``n`` and ``last`` ask for."""
    tags = call.repository.tags
    last = call.query("last") or ""
    asked = call.page_size()
    if asked is None:
        first = await tags.page(last, PAGE)
        return await send_names(call, f'{{"name":{json.dumps(call.name)},"tags":[', tags.page, first)
    n = min(asked, call.api.tags_limit)
    found = await tags.page(last, n + 1)
    page = found[:n]
    if page and len(found) > n:
        call.set_header(b"link", call.api.links.next_page(f"{call.name}/tags/list", {"n": n, "last": page[-1]}))
    return call.json({"name": call.name, "tags": page})
