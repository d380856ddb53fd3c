"""
The registry's events: ``/v2/_dregistry/events``, as pages and as a stream, and what became of them at the endpoints.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from ..errors import BadRequest, RouteUnknown
from ._accept import names
from ._api import Call
from ._sendfile import send_chunks

if TYPE_CHECKING:
    from ..notifications.outbox import Page, Stored
    from ..notifications.stream import EventFeed, Follower

_STREAM = "text/event-stream"
_CURSOR = re.compile(r"[0-9]{1,18}")
_DEFAULT = 100
_MOST = 1000
_RETRY = 2000
"""Milliseconds after which a client that lost its stream comes back."""


async def listing(call: Call) -> bytes | None:
    """
    A page of events: those after the cursor ``after``, ``n`` of them at most. Who accepts ``text/event-stream`` gets
    them as they come, from the event after ``Last-Event-ID`` (or ``after``) on, or from now on.
    """
    feed = _feed(call)
    if not names(call.accept(), _STREAM):
        return await _page(call, feed)
    after = _cursor(call.header(b"last-event-id")) if call.header(b"last-event-id") else _cursor(call.query("after"))
    last = (await feed.page(after, 1)).last
    _check(after, last)
    call.set_header(b"content-type", _STREAM)
    call.set_header(b"cache-control", b"no-cache")
    call.set_header(b"x-accel-buffering", b"no")
    if call.request.method == b"HEAD":
        return b""
    follower = feed.follow(last if after is None else after)
    try:
        await send_chunks(call.request, _messages(call, follower))
    finally:
        follower.end()
    return None


async def statistics(call: Call) -> bytes:
    """Of the endpoints, in the form of distribution's ``/debug/vars``."""
    return call.json({"registry": {"notifications": {"endpoints": await _feed(call).statistics()}}})


def _feed(call: Call) -> EventFeed:
    if call.api.events is None:
        raise RouteUnknown("this registry records no events: it has no notification endpoint")
    return call.api.events


async def _page(call: Call, feed: EventFeed) -> bytes:
    after = _cursor(call.query("after"))
    asked = call.page_size()
    limit = _DEFAULT if asked is None else max(1, min(asked, _MOST))
    page = await feed.page(after, limit)
    _check(after, page.last)
    cursor = page.events[-1].id if page.events else page.last if after is None else after + page.skipped
    if page.events and cursor < page.last:
        call.set_header(b"link", call.api.links.next_page("_dregistry/events", {"after": cursor, "n": limit}))
    events = ",".join(event.content for event in page.events)
    body = f'{{"events":[{events}],"cursor":"{cursor}","skipped":{page.skipped}}}\n'
    return call.content(body.encode("utf-8"), "application/json")


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if _CURSOR.fullmatch(text) is None:
        raise BadRequest("a cursor is a number that this registry has given")
    return int(text)


def _check(after: int | None, last: int) -> None:
    if after is not None and after > last:
        raise BadRequest("this registry has not given that cursor: its events have begun anew, or it is another one")


async def _messages(call: Call, follower: Follower) -> AsyncIterator[bytes]:
    call.request.notifyFinish().addBoth(lambda _: follower.end())  # send_chunks is told before
    yield f"retry: {_RETRY}\n\n".encode("ascii")
    async for page in follower:
        yield b": nothing new\n\n" if page is None else _message(page)


def _message(page: Page) -> bytes:
    skipped = f'event: skipped\ndata: {{"skipped":{page.skipped}}}\n\n' if page.skipped else ""
    return (skipped + "".join(map(_event, page.events))).encode("utf-8")


def _event(event: Stored) -> str:
    return f"id: {event.id}\ndata: {event.content}\n\n"
