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
_PORT = re.compile(r"(?P<bare>[^:\[\]]+|\[(?P<bracketed>[^\]]*)\])(?::(?P<port>\d{1,5}))?")
_FOR = re.compile(r'(?:^|[;,])[ \t]*for=("[^"]*"|[^;,\s]*)', re.IGNORECASE)


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
        if not hasattr(peer, "port"):
            return self._forwarded(request, "") if self.unix else ""
        if not self.networks and ":" not in peer.host:
            return f"{peer.host}:{peer.port}"
        address = _address(peer.host)
        text = _with_port(address, peer.port) if address is not None else f"{peer.host}:{peer.port}"
        return self._forwarded(request, text) if self._trusts(address) else text

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)

    def _forwarded(self, request: Any, peer: str) -> str:
        client = peer
        for text in reversed(_chain(request)):
            match = _PORT.fullmatch(text)
            address = _address(text if match is None else match["bracketed"] or match["bare"])
            if address is None:  # unknown, or a name that only the proxy understands
                break
            client = _with_port(address, match["port"] if match is not None else None)
            if not self._trusts(address):
                break
        return client


@frozen
class _Client:
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
    client: _Client | None = getattr(channel, "client", None)
    if client is None or client.headers != headers:
        client = _Client(
            headers,
            proxies.client(request),
            headers.get(b"Host", _ABSENT)[-1].decode("latin-1"),
            headers.get(b"User-Agent", _ABSENT)[-1].decode("utf-8", "replace"),
            links.base_url(request, headers) + links.prefix,
        )
        if hasattr(channel, "client"):
            channel.client = client
    method = request.method.decode("ascii")
    return Origin(_request_id(), actor, client.address, client.host, method, client.user_agent, client.base_url)


def _request_id() -> str:
    """A UUID that no other request has, of this process by its last part, of others by the random rest."""
    return f"{_PROCESS}{next(_requests):012x}"


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


def _with_port(address: IPv4Address | IPv6Address, port: int | str | None) -> str:
    if port is None:
        return str(address)
    return f"[{address}]:{port}" if isinstance(address, IPv6Address) else f"{address}:{port}"
