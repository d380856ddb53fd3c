"""
Web pages from elsewhere that use the API in a browser (the Fetch standard, "HTTP CORS protocol").
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from attrs import field, frozen

_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
_ALLOWED = (
    b"Authorization, Accept, Cache-Control, Content-Type, Content-Range, If-None-Match, If-Match, Range, X-Request-Id"
)
_EXPOSED = (
    b"Content-Length, Content-Range, Docker-Content-Digest, Docker-Distribution-API-Version, Docker-Upload-UUID, ETag, "
    b"Link, Location, OCI-Filters-Applied, OCI-Subject, OCI-Tag, Range, Retry-After, WWW-Authenticate, X-Request-Id"
)
_LIFETIME = b"600"
"""Seconds for which a browser need not ask again."""


def _bytes(origins: Collection[str]) -> frozenset[bytes]:
    return frozenset(origin.encode("ascii") for origin in origins)


@frozen
class Cors:
    """
    :ivar origins: schemes and hosts of the pages; ``*`` for all.
    :ivar credentials: whether a browser may send what it knows of a user. Pages that have a password or a token
        themselves do without.
    """

    origins: frozenset[bytes] = field(converter=_bytes)
    credentials: bool = False

    def apply(self, request: Any) -> None:
        """Set the headers of the answer."""
        headers = request.responseHeaders
        everybody = b"*" in self.origins
        if not everybody:
            headers.addRawHeader(b"vary", b"Origin")
        origin = request.getHeader(b"origin")
        if origin is None or not (everybody or origin in self.origins):
            return
        headers.setRawHeaders(b"access-control-allow-origin", [b"*" if everybody else origin])
        if self.credentials:
            headers.setRawHeaders(b"access-control-allow-credentials", [b"true"])
        if request.method == b"OPTIONS":
            headers.setRawHeaders(b"access-control-allow-methods", [_METHODS])
            headers.setRawHeaders(b"access-control-allow-headers", [_ALLOWED])
            headers.setRawHeaders(b"access-control-max-age", [_LIFETIME])
        else:
            headers.setRawHeaders(b"access-control-expose-headers", [_EXPOSED])
