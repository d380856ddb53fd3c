"""
URLs that answers carry, as the client must see them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote_plus

from attrs import frozen
from twisted.internet.address import IPv6Address

from ..digest import Digest

_HOST = re.compile(r"[A-Za-z0-9._~-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?")
_LOCAL = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?", re.IGNORECASE)
_FORWARDED = re.compile(r'(?:^|[;,])[ \t]*(proto|host)=("[^"]*"|[^;,\s]*)', re.IGNORECASE)
_FORWARDING = frozenset({b"Forwarded", b"X-Forwarded-Proto", b"X-Forwarded-Host"})

RawHeaders = Mapping[bytes, Sequence[bytes]]
"""Canonical names to values."""


@frozen
class Links:
    """
    :ivar prefix: of all paths, ``/`` at its start and none at its end; empty without ``http.prefix``.
    :ivar host: ``http.host``: the URL that the registry is known by, no slash at its end; empty to go by the request.
    :ivar relative: ``http.relativeurls``: give only paths in ``Location``.
    """

    prefix: str = ""
    host: str = ""
    relative: bool = False

    def location(self, request: Any, path: str) -> bytes:
        """The value of ``Location`` for a path below ``/v2/``."""
        base = "" if self.relative else self.base_url(request)
        return f"{base}{self.prefix}/v2/{path}".encode("ascii")

    def base_url(self, request: Any, headers: RawHeaders | None = None) -> str:
        """
        Scheme and host: configured, or ``Forwarded``, or ``X-Forwarded-Proto`` and ``-Host`` (the first of several), or
        ``Host``. What is no scheme or host is not taken.

        :param headers: of the request, if the caller has them.
        """
        if self.host:
            return self.host
        scheme, host = self._said(request, _headers(request) if headers is None else headers)
        return f"{scheme or _own_scheme(request)}://{host}"

    def sign_in_url(self, request: Any) -> str:
        """
        Scheme and host for clients to send a password to. As :meth:`base_url`, but where nothing says that a request
        came without TLS, and it is not for this machine, TLS is assumed: not every proxy that ends TLS says so.
        """
        if self.host:
            return self.host
        scheme, host = self._said(request, _headers(request))
        return f"{scheme or (_own_scheme(request) if _LOCAL.fullmatch(host) else 'https')}://{host}"

    def _said(self, request: Any, headers: RawHeaders) -> tuple[str, str]:
        """The scheme, empty if no header has one, and the host."""
        scheme, host = "", _last(headers, b"Host")
        if not _FORWARDING.isdisjoint(headers):
            scheme, host = _as_forwarded(headers, host)
        if not _HOST.fullmatch(host):
            address = request.getHost()
            name = f"[{address.host}]" if isinstance(address, IPv6Address) else getattr(address, "host", "")
            host = f"{name}:{address.port}" if name else "localhost"
        return scheme, host

    def blob(self, request: Any, name: str, digest: Digest) -> bytes:
        return self.location(request, f"{name}/blobs/{digest}")

    def manifest(self, request: Any, name: str, digest: Digest) -> bytes:
        return self.location(request, f"{name}/manifests/{digest}")

    def upload(self, request: Any, name: str, uuid: str) -> bytes:
        return self.location(request, f"{name}/blobs/uploads/{uuid}")

    def next_page(self, path: str, query: Mapping[str, str | int]) -> bytes:
        """A ``Link`` to the next page, in distribution's form: relative, the query's keys sorted."""
        pairs = "&".join(f"{key}={quote_plus(str(query[key]))}" for key in sorted(query))
        return f'<{self.prefix}/v2/{path}?{pairs}>; rel="next"'.encode("ascii")


def _own_scheme(request: Any) -> str:
    return "https" if request.isSecure() else "http"


def _headers(request: Any) -> RawHeaders:
    return dict(request.requestHeaders.getAllRawHeaders())


def _last(headers: RawHeaders, name: bytes) -> str:
    values = headers.get(name)
    return values[-1].decode("latin-1") if values else ""


def _as_forwarded(headers: RawHeaders, host: str) -> tuple[str, str]:
    """The scheme, empty if proxies say none, and the host, the given one if they say none."""
    forwarded = _last(headers, b"Forwarded")
    if forwarded:
        found = _forwarded(forwarded)
    else:
        found = {
            "proto": _last(headers, b"X-Forwarded-Proto").partition(",")[0].strip(),
            "host": _last(headers, b"X-Forwarded-Host").partition(",")[0].strip(),
        }
    scheme = found.get("proto", "").lower()
    if _HOST.fullmatch(found.get("host", "")):
        host = found["host"]
    return scheme if scheme in ("http", "https") else "", host


def _forwarded(header: str) -> dict[str, str]:
    """``proto`` and ``host`` of the first element of a ``Forwarded`` header (RFC 7239) that has them."""
    found: dict[str, str] = {}
    for key, value in _FORWARDED.findall(header):
        found.setdefault(key.lower(), value.strip('"'))
    return found
