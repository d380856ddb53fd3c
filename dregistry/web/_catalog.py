"""The catalog: ``/v2/_catalog``, as distribution has it."""

from __future__ import annotations

from ..errors import PaginationNumberInvalid
from ._api import Call

_DEFAULT = 100


async def listing(call: Call) -> bytes:
    """The page that ``n`` and ``last`` ask for."""
    try:
        n = call.page_size()
    except PaginationNumberInvalid:
        raise PaginationNumberInvalid(call.query("n") or "") from None
    if n is None:
        n = min(_DEFAULT, call.api.catalog_limit)
    elif n > call.api.catalog_limit:
        raise PaginationNumberInvalid(n)
    found = await call.api.registry.catalog(call.query("last") or "", n + 1, call.visible)
    page = found[:n]
    if page and len(found) > n:
        call.set_header(b"link", call.api.links.next_page("_catalog", {"n": n, "last": page[-1]}))
    return call.json({"repositories": page})
