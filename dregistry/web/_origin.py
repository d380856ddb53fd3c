"""
Who asks: the client's address, behind proxies or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from itertools import count
from typing import Any
from uuid import uuid4

from attrs import frozen

from ..registry import Origin
from ._links import Links, RawHeaders

_ABSENT = (b"",)
_UNIX = "unix"
_PROCESS = str(uuid4())[:-12]
_requests = count()
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:/+=@-]{1,128}")
_PORT = re.compile(r"(?P<bare>[^:\[\]]+|\[(?P<bracketed>[^\]]*)\])(?::(?P<port>\d{1,5}))?")
_FOR = re.compile(r'(?:^|[;,])[ \t]*for=("[^"]*"|[^;,\s]*)', re.IGNORECASE)

_Client = tuple[str, int | str | None]
"""An address, and its port if that is known."""


@frozen
class TrustedProxies:
    """
    Who may say whom a request comes from (``http.trustedproxies``). Nobody, without any.

    :ivar unix: whether whoever connects to a unix socket may.
    """

    networks: Sequence[IPv4Network | IPv6Network] = ()
    unix: bool = False

    @classmethod
    def parse(cls, values: Iterable[str]) -> TrustedProxies:
        """:raise ValueError: if one is neither ``unix`` nor an address nor a network."""
        values = list(values)
        return cls(tuple(ip_network(value) for value in values if value != _UNIX), _UNIX in values)

    def client(self, request: Any) -> str:
        """
        The address of the client, with its port where that is known; empty on a unix socket.

        Each proxy adds the address that it was asked from at the end of ``Forwarded`` or, without that,
        ``X-Forwarded-For``: the client is the last one there that is no trusted proxy itself.
        """
        peer = request.getClientAddress()
        if not self.networks and hasattr(peer, "port") and ":" not in peer.host:
            return f"{peer.host}:{peer.port}"
        host, port = self._client(request, peer)
        return host if port is None else _with_port(host, port)

    def address(self, request: Any) -> str:
        """The same without the port."""
        peer = request.getClientAddress()
        if not self.networks and hasattr(peer, "port") and ":" not in peer.host:
            return str(peer.host)
        return self._client(request, peer)[0]

    def _client(self, request: Any, peer: Any) -> _Client:
        if not hasattr(peer, "port"):
            return self._forwarded(request, ("", None)) if self.unix else ("", None)
        address = _address(peer.host)
        found = (peer.host if address is None else str(address), peer.port)
        return self._forwarded(request, found) if self._trusts(address) else found

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)

    def _forwarded(self, request: Any, peer: _Client) -> _Client:
        client = peer
        for text in reversed(_chain(request)):
            match = _PORT.fullmatch(text)
            address = _address(text if match is None else match["bracketed"] or match["bare"])
            if address is None:  # unknown, or a name that only the proxy understands
                break
            client = str(address), match["port"] if match is not None else None
            if not self._trusts(address):
                break
        return client


@frozen
class _Asker:
    """What requests of one connection that have the same headers have in common: most of them do."""

    headers: RawHeaders
    address: str
    host: str
    user_agent: str
    base_url: str


def origin_of(request: Any, actor: str, proxies: TrustedProxies, links: Links) -> Origin:
    """What events tell of a request."""
    headers = dict(request.requestHeaders.getAllRawHeaders())
    channel: Any = getattr(request, "channel", None)
    client: _Asker | None = getattr(channel, "client", None)
    if client is None or client.headers != headers:
        client = _Asker(
            headers,
            proxies.client(request),
            headers.get(b"Host", _ABSENT)[-1].decode("latin-1"),
            headers.get(b"User-Agent", _ABSENT)[-1].decode("utf-8", "replace"),
            links.base_url(request, headers) + links.prefix,
        )
        if hasattr(channel, "client"):
            channel.client = client
    method = request.method.decode("ascii")
    return Origin(request_id(request), actor, client.address, client.host, method, client.user_agent, client.base_url)


def request_id(request: Any) -> str:
    """
    What tells a request from others: its ``X-Request-Id``, if that is one that logs can take, else a UUID: of this
    process's requests only one has its last part, of other processes' none has the random rest.
    """
    found: str = getattr(request, "request_id", "")
    if not found:
        given = request.getHeader(b"x-request-id")
        known = given is not None and _REQUEST_ID.fullmatch(given) is not None
        found = given.decode("ascii") if known else f"{_PROCESS}{next(_requests):012x}"
        request.request_id = found
    return found


def _chain(request: Any) -> list[str]:
    """What proxies have said, the one next to us last."""
    lines = request.requestHeaders.getRawHeaders
    forwarded = b",".join(lines(b"forwarded", ())).decode("latin-1")
    if forwarded:
        return [value.strip('"') for value in _FOR.findall(forwarded)]
    listed = lines(b"x-forwarded-for") or lines(b"x-real-ip", ())
    return [part.strip() for part in b",".join(listed).decode("latin-1").split(",")]


@lru_cache(maxsize=1024)
def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _with_port(host: str, port: int | str) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
