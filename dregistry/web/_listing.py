"""
Listings that are written as they are read, so that they cost the memory of a page whatever their length.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable

from ._api import Call
from ._sendfile import send_chunks

PAGE = 10_000
"""Names that are held in memory at one time."""


async def send_names(
    call: Call, head: str, page: Callable[[str, int], Awaitable[list[str]]], first: list[str]
) -> bytes | None:
    """
    Answer with all names: ``head``, the JSON list of ``first`` and of all pages that follow it, and ``]}``.

    :param page: gives the names after a name, at most so many.
    """
    if len(first) < PAGE:
        return call.content(f"{head}{_list(first)}]}}\n".encode("ascii"), "application/json")
    call.set_header(b"content-type", b"application/json")
    if call.request.method != b"HEAD":
        await send_chunks(call.request, _pieces(head, page, first))
    return None


async def _pieces(
    head: str, page: Callable[[str, int], Awaitable[list[str]]], names: list[str]
) -> AsyncIterator[bytes]:
    yield f"{head}{_list(names)}".encode("ascii")
    while len(names) == PAGE:
        names = await page(names[-1], PAGE)
        if names:
            yield f",{_list(names)}".encode("ascii")
    yield b"]}\n"


def _list(names: list[str]) -> str:
    return ",".join(map(json.dumps, names))
