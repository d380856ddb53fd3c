"""The ``http`` section."""

from typing import Literal

from attrs import Factory, field, frozen

from dregistry.config._ciphers import known_suites
from dregistry.config._duration import Seconds
from dregistry.config._field import (
    about,
    at_least,
    external_url,
    ip_networks,
    networks,
    not_negative,
    origins,
    url_prefix,
)

ClientAuth = Literal[
    "request-client-cert",
    "require-any-client-cert",
    "verify-client-cert-if-given",
    "require-and-verify-client-cert",
]
VERIFYING = ("verify-client-cert-if-given", "require-and-verify-client-cert")
"""The modes in which a certificate is worth something."""
_UNSET = Seconds(0.0)


@frozen
class LetsEncrypt:
    """``http.tls.letsencrypt``."""

    cachefile: str = ""
    email: str = ""
    hosts: tuple[str, ...] = ()
    directoryurl: str = ""


@frozen
class Tls:
    """``http.tls``: paths of PEM files and what clients must offer.

    :ivar clientauth: of use only with ``clientcas``.
    :ivar minimumtls: what registry:2 calls tls1.0 and tls1.1 is taken for tls1.2.
    :ivar ciphersuites: of TLS 1.2, by their IANA names; ``()`` for a good choice.
    """

    certificate: str = ""
    key: str = ""
    clientcas: tuple[str, ...] = ()
    clientauth: ClientAuth = "require-and-verify-client-cert"
    minimumtls: Literal["", "tls1.0", "tls1.1", "tls1.2", "tls1.3"] = ""
    ciphersuites: tuple[str, ...] = field(default=(), metadata=about(check=known_suites))
    letsencrypt: LetsEncrypt = Factory(LetsEncrypt)

    @property
    def enabled(self) -> bool:
        """Whether clients speak TLS to this registry."""
        return bool(self.certificate)

    @property
    def verifies_clients(self) -> bool:
        """Whether a client that has a certificate has a good one."""
        return self.enabled and bool(self.clientcas) and self.clientauth in VERIFYING


@frozen
class Prometheus:
    """``http.debug.prometheus``: the metrics' place on the debug server."""

    enabled: bool = False
    path: str = "/metrics"


@frozen
class Debug:
    """``http.debug``: the debug server.

    :ivar addr: ``HOST:PORT``, ``""`` for no debug server.
    """

    addr: str = ""
    prometheus: Prometheus = Factory(Prometheus)


@frozen
class Http2:
    """``http.http2``."""

    disabled: bool = False


@frozen
class H2c:
    """``http.h2c``: HTTP/2 without TLS."""

    enabled: bool = False


@frozen
class Cors:
    """``http.cors`` (dregistry's own): web pages from elsewhere that may use the API in a browser.

    :ivar origins: such as ``https://ui.example.com``, or ``*`` for all; none to leave it to ``http.headers``.
    :ivar credentials: whether browsers may send what they know of a user, such as a password.
    """

    origins: tuple[str, ...] = field(default=(), metadata=about(check=origins))
    credentials: bool = False

    def __attrs_post_init__(self) -> None:
        if self.credentials and "*" in self.origins:
            raise ValueError(
                "with credentials, name the origins: any page could act as the user whose browser shows it"
            )


@frozen
class Rate:
    """``http.ratelimit.writes``: a token bucket.

    :ivar rate: requests a second; 0 for no limit.
    :ivar burst: requests at once; 0 for as many as there are in a second, and at least one.
    """

    rate: float = field(default=0.0, metadata=about(check=not_negative))
    burst: int = field(default=0, metadata=about(check=not_negative))


@frozen
class RateLimit:
    """``http.ratelimit`` (dregistry's own): how often one client may ask. Each process counts for itself.

    :ivar rate: see :class:`Rate`, as for ``burst``.
    :ivar per: what one client is: an address, or a user (an address without one).
    :ivar writes: a bucket of their own for requests that are to change something; without it, they are in the first.
    :ivar exempt: addresses and networks of clients without limit.
    """

    rate: float = field(default=0.0, metadata=about(check=not_negative))
    burst: int = field(default=0, metadata=about(check=not_negative))
    per: Literal["ip", "user"] = "ip"
    writes: Rate = Factory(Rate)
    exempt: tuple[str, ...] = field(default=(), metadata=about(check=ip_networks))


@frozen
class Http:
    """``http``: the server that clients speak to.

    :ivar addr: ``HOST:PORT``, the host may be left out; a path when ``net`` is ``unix``.
    :ivar endpoint: (dregistry's own) a string of Twisted's for an endpoint in place of ``net`` and ``addr``.
    :ivar host: the URL by which clients reach the registry, ``""`` to go by their requests.
    :ivar prefix: the path under which ``/v2/`` stands, ``""`` for none.
    :ivar secret: accepted for distribution's sake; upload sessions do not need it.
    :ivar relativeurls: send ``Location`` headers without scheme and host.
    :ivar draintimeout: seconds that open requests may take to finish at the end.
    :ivar headers: headers of every API response, name to values.
    :ivar trustedproxies: (dregistry's own) addresses and networks whose word on who the client is counts, and ``unix``
        for whoever connects to a unix socket.
    :ivar cors: (dregistry's own) web pages that may use the API.
    :ivar ratelimit: (dregistry's own) how often one client may ask.
    :ivar workers: processes that serve requests, None to choose by the machine.
    """

    addr: str = ":5000"
    net: Literal["tcp", "unix"] = "tcp"
    endpoint: str = ""
    host: str = field(default="", metadata=about(check=external_url))
    prefix: str = field(default="", metadata=about(check=url_prefix))
    secret: str = ""
    relativeurls: bool = False
    draintimeout: Seconds = _UNSET
    tls: Tls = Factory(Tls)
    headers: dict[str, list[str]] = Factory(dict)
    debug: Debug = Factory(Debug)
    http2: Http2 = Factory(Http2)
    h2c: H2c = Factory(H2c)
    trustedproxies: tuple[str, ...] = field(default=(), metadata=about(check=networks))
    cors: Cors = Factory(Cors)
    ratelimit: RateLimit = Factory(RateLimit)
    workers: int | None = field(default=None, metadata=about(check=at_least(1)))

    def __attrs_post_init__(self) -> None:
        named = [name for name in self.headers if name.lower().startswith("access-control-")]
        if self.cors.origins and named:
            raise ValueError(f"cors and headers.{named[0]} would both answer browsers: use one of them")
