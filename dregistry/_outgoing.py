"""
HTTP clients for requests that go out: TLS is verified, and the environment's proxies are used.

Imports Twisted's HTTP client and TLS: only for a process that makes such requests.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool, ProxyAgent, _HTTP11ClientFactory
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory
from zope.interface import implementer

_MOST_HEAD = 16 << 10
_PORTS = {"http": 80, "https": 443}


@define
class ProxyRefused(Exception):
    """
    A proxy did not open a tunnel.

    :ivar status: the first line of its answer.
    """

    status: str

    def __str__(self) -> str:
        return f"the proxy answered {self.status}"


@frozen
class Proxy:
    """
    :ivar scheme: ``http`` or ``https``: how the proxy itself is spoken to.
    :ivar authorization: the value of ``Proxy-Authorization``; empty for none.
    """

    scheme: str
    host: str
    port: int
    authorization: bytes = b""


def proxy_for(url: str, environ: Mapping[str, str]) -> Proxy | None:
    """
    The proxy that ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` name for a URL, in either case; None for none. This
    machine itself is never asked for by a proxy.

    :raise ValueError: if the variable's value is no URL of an HTTP proxy.
    """
    parts = urlsplit(url)
    variables = {name.lower(): value for name, value in sorted(environ.items()) if name.lower().endswith("_proxy")}
    value = variables.get(f"{parts.scheme}_proxy", "")
    if not value or _is_exempt(parts, variables.get("no_proxy", "")):
        return None
    name = f"{parts.scheme}_proxy"
    try:
        found = urlsplit(value if "://" in value else f"http://{value}")
        port = found.port
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if found.scheme not in _PORTS or not found.hostname:
        raise ValueError(f"{name} must be the URL of an HTTP proxy, such as http://proxy.example.com:3128")
    authorization = b""
    if found.username is not None:
        credentials = f"{unquote(found.username)}:{unquote(found.password or '')}".encode()
        authorization = b"Basic " + b64encode(credentials)
    return Proxy(found.scheme, found.hostname, port or _PORTS[found.scheme], authorization)


def _is_exempt(url: SplitResult, exempt: str) -> bool:
    host = url.hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        if host == "localhost":
            return True
    else:
        if address.is_loopback:
            return True
        for entry in exempt.split(","):
            try:
                if address in ip_network(entry.strip(), strict=False):
                    return True
            except ValueError:
                continue
    port = url.port or _PORTS.get(url.scheme, 0)
    return bool(proxy_bypass_environment(f"{host}:{port}", {"no": exempt}))


class Outgoing:
    """
    Agents that share connections.

    :param environ: names the proxies.
    :param persistent: whether connections are kept for the next request.
    """

    def __init__(self, reactor: Any, environ: Mapping[str, str], policy: Any = None, persistent: bool = True) -> None:
        self._reactor = reactor
        self._environ = environ
        self._policy = policy or BrowserLikePolicyForHTTPS()
        self._pool = HTTPConnectionPool(reactor, persistent)
        self._pool.retryAutomatically = False
        self._pool.cachedConnectionTimeout = 30
        self._pool._factory = _Quiet

    def agent(self, url: str) -> IAgent:
        """For requests to that URL's scheme and host."""
        proxy = proxy_for(url, self._environ)
        if proxy is None:
            return Agent(self._reactor, self._policy, pool=self._pool)
        endpoint = self._endpoint(proxy)
        if urlsplit(url).scheme == "http":
            return _ForwardingAgent(ProxyAgent(endpoint, self._reactor, self._pool), proxy)
        tunnels = _Tunnels(endpoint, proxy, self._policy)
        agent: IAgent = Agent.usingEndpointFactory(self._reactor, tunnels, self._pool)
        return agent

    def _endpoint(self, proxy: Proxy) -> IStreamClientEndpoint:
        endpoint = HostnameEndpoint(self._reactor, proxy.host, proxy.port)
        if proxy.scheme == "http":
            return endpoint
        creator = self._policy.creatorForNetloc(proxy.host.encode("idna"), proxy.port)
        wrapped: IStreamClientEndpoint = wrapClientTLS(creator, endpoint)
        return wrapped

    def close(self) -> Deferred[None]:
        """Close the connections that are kept."""
        closed: Deferred[None] = self._pool.closeCachedConnections().addCallback(lambda _: None)
        return closed


class _Quiet(_HTTP11ClientFactory):
    """Without a line in the log for each connection."""

    noisy = False


@implementer(IAgent)
class _ForwardingAgent:
    """Asks a proxy for ``http`` URLs, and says who asks."""

    def __init__(self, agent: Any, proxy: Proxy) -> None:
        self._agent = agent
        self._proxy = proxy

    def request(self, method: bytes, uri: bytes, headers: Headers | None = None, bodyProducer: Any = None) -> Any:
        headers = Headers() if headers is None else headers.copy()
        if self._proxy.authorization:
            headers.setRawHeaders(b"proxy-authorization", [self._proxy.authorization])
        return self._agent.request(method, uri, headers, bodyProducer)


@implementer(IAgentEndpointFactory)
class _Tunnels:
    """Connections to ``https`` hosts, through a proxy."""

    def __init__(self, endpoint: IStreamClientEndpoint, proxy: Proxy, policy: Any) -> None:
        self._endpoint = endpoint
        self._proxy = proxy
        self._policy = policy

    def endpointForURI(self, uri: Any) -> Any:
        tunnel = _TunnelEndpoint(self._endpoint, uri.host, uri.port, self._proxy.authorization)
        return wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), tunnel)


@implementer(IStreamClientEndpoint)
class _TunnelEndpoint:
    def __init__(self, endpoint: IStreamClientEndpoint, host: bytes, port: int, authorization: bytes) -> None:
        self._endpoint = endpoint
        place = b"[%s]:%d" % (host, port) if b":" in host else b"%s:%d" % (host, port)
        self._request = b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n" % (place, place)
        if authorization:
            self._request += b"Proxy-Authorization: %s\r\n" % authorization
        self._request += b"\r\n"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        async def connect() -> IProtocol:
            tunnel = await self._endpoint.connect(Factory.forProtocol(lambda: _Tunnel(self._request, protocolFactory)))
            protocol: IProtocol = await tunnel.opened  # type: ignore[attr-defined]
            return protocol

        return Deferred.fromCoroutine(connect())


class _Tunnel(Protocol):
    """
    Asks for a tunnel, then stands between the transport and the protocol that uses it.

    :ivar opened: fires with that protocol.
    """

    def __init__(self, request: bytes, factory: IProtocolFactory) -> None:
        self._request = request
        self._factory = factory
        self._head = b""
        self._inner: Any = None
        self.opened: Deferred[IProtocol] = Deferred(lambda _: self._give_up())

    def connectionMade(self) -> None:
        self.transport.write(self._request)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._head += data
        head, end, rest = self._head.partition(b"\r\n\r\n")
        if not end:
            if len(self._head) > _MOST_HEAD:
                self._refused("more than a head")
            return
        status = head.split(b"\r\n", 1)[0].decode("latin-1")
        if not status.partition(" ")[2].startswith("2"):
            self._refused(status)
            return
        self._inner = self._factory.buildProtocol(self.transport.getPeer())  # type: ignore[union-attr]
        self._inner.makeConnection(self.transport)
        self.opened.callback(self._inner)
        if rest:
            self._inner.dataReceived(rest)

    def _refused(self, status: str) -> None:
        self._give_up()
        self.opened.errback(ProxyRefused(status[:100]))

    def _give_up(self) -> None:
        self.transport.abortConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self.opened.called:
            self.opened.errback(reason)
