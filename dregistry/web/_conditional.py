"""
Preconditions on content that is named by its digest (RFC 9110, 13). The entity tag is the digest in quotes; it is
always strong. Distribution takes it bare as well, so do we.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_MEMBER = re.compile(r'[ \t,]*(W/)?(?:"([^"]*)"|([^",\s]+))[ \t]*(?:,|$)')


def none_match(header: str | None, etag: str | None) -> bool:
    """
    Whether ``If-None-Match`` lets the request proceed.

    :param etag: of what is there, without quotes; None if nothing is.
    """
    if header is None:
        return True
    if header.strip() == "*":
        return etag is None
    return all(tag != etag for _, tag in _members(header))


def match(header: str | None, etag: str | None) -> bool:
    """Whether ``If-Match`` lets the request proceed: by strong comparison, weak tags never match."""
    if header is None:
        return True
    if header.strip() == "*":
        return etag is not None
    return any(tag == etag and not weak for weak, tag in _members(header))


def range_applies(header: str | None, etag: str) -> bool:
    """Whether ``If-Range`` lets a ``Range`` count: an entity tag that matches strongly does, a date never."""
    return header is None or header.strip() == f'"{etag}"'


def _members(header: str) -> Iterator[tuple[bool, str]]:
    position = 0
    while position < len(header):
        found = _MEMBER.match(header, position)
        if found is None:
            return
        yield found[1] is not None, found[2] if found[2] is not None else found[3]
        position = found.end()
