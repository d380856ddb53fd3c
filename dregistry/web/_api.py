"""
What handlers are given: the registry, and the one request they answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attrs import field, frozen

from ..auth import PULL, REGISTRY, REPOSITORY, Access, AccessControl, Credential, Grant, Identity, Selection, TokenDesk
from ..errors import BadRequest, Denied, NameInvalid, PaginationNumberInvalid, Unauthorized, Unsupported
from ..health import Health
from ..reference import parse_name
from ..registry import Origin, Registry, Repository
from ._cors import Cors
from ._inflight import InFlight
from ._json import encode
from ._links import Links
from ._origin import TrustedProxies, origin_of
from ._ratelimits import RateLimits

if TYPE_CHECKING:
    from ..metrics.http import HttpMetrics
    from ..notifications.stream import EventFeed
    from ._auditlog import AuditLog

_READ_ONLY_RETRY = 60
"""Seconds after which to ask whether the maintenance is over."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
READ_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})
_WITH_BODY = frozenset({b"PUT", b"PATCH"})
_ANYBODY = Grant(Identity())


@frozen(eq=False)
class Api:
    """
    The registry as the web serves it.

    :ivar access: None to let everybody do everything.
    :ivar tokens: where users get tokens; None for nowhere here.
    :ivar client_certificates: whether TLS has verified the certificates that clients have.
    :ivar headers: that every answer carries (``http.headers``).
    :ivar read_only: refuse whatever would change something.
    :ivar catalog_limit: the most repositories in a page of the catalog; more are an error.
    :ivar tags_limit: the most tags in a page that a client asks for; more are not given.
    :ivar manifest_limit: the largest manifest, in bytes.
    :ivar tags_per_put: the most ``tag`` parameters on one PUT of a manifest.
    :ivar strict_accept: answer 404 for a manifest of a type that the client does not list.
    :ivar proxies: whose word on who the client is counts.
    :ivar only_get_pulls: whether listeners hear of pulls only if the answer has content (``events.pullon``).
    :ivar events: what there is of the registry's events; None if none are recorded.
    :ivar health: while it is bad, every request is refused.
    :ivar metrics: None if nothing is counted.
    :ivar audit: is told of writes; None if nobody is.
    :ivar limits: of how often clients may ask; None without any.
    :ivar cors: web pages that may use the API; None to leave that to ``headers``.
    """

    registry: Registry
    access: AccessControl | None = None
    tokens: TokenDesk | None = None
    client_certificates: bool = False
    links: Links = field(factory=Links)
    headers: Sequence[tuple[bytes, bytes]] = ()
    read_only: bool = False
    catalog_limit: int = 1000
    tags_limit: int = 1000
    manifest_limit: int = 4 << 20
    tags_per_put: int = 32
    strict_accept: bool = False
    proxies: TrustedProxies = field(factory=TrustedProxies)
    only_get_pulls: bool = False
    events: EventFeed | None = None
    audit: AuditLog | None = None
    limits: RateLimits | None = None
    cors: Cors | None = None
    in_flight: InFlight = field(factory=InFlight)
    health: Health = field(factory=Health)
    metrics: HttpMetrics | None = None


class Call:
    """One request, parsed as far as all handlers need it."""

    def __init__(self, api: Api, request: Any, name: str = "") -> None:
        self.api = api
        self.request = request
        self.name = name
        self.grant = _ANYBODY
        self._known_origin: Origin | None = None

    async def authorize(self, actions: Sequence[str], mounts: bool = False, registry: str = "catalog") -> None:
        """
        The one place that asks whether a request may do what it asks.

        :param actions: on the repository that the path names or, if it names none, on ``registry``.
        :param mounts: whether it may want to take a blob from another repository.
        :param registry: the name of a resource of the registry.
        :raise TooManyRequests: if it asks too often.
        :raise Unsupported: if the registry is read-only.
        :raise Unauthorized:
        :raise Denied:
        """
        limits = self.api.limits
        if limits is not None and not (limits.by_user and self.api.access):
            self._admit(limits)
        if self.api.read_only and self.request.method not in READ_METHODS:
            raise Unsupported("the registry is in read-only mode", ("GET", "HEAD"), _READ_ONLY_RETRY)
        if self.api.access is None:
            return
        resource = (REPOSITORY, self.name) if self.name else (REGISTRY, registry)
        accesses = [Access(*resource, action) for action in actions]
        wished = [Access(REPOSITORY, source, PULL) for source in self._mount_sources()] if mounts else ()
        credential = self.credential()
        try:
            self.grant = await self.api.access.authorize(credential, accesses, wished)
        except (Denied, Unauthorized) as error:
            if isinstance(error, Denied):
                self.request.user_name = error.actor
            if self.api.metrics is not None:
                given = "credentials" if credential.scheme else "anonymous"
                self.api.metrics.refused("denied" if isinstance(error, Denied) else given)
            raise
        self.request.user_name = self.grant.identity.name
        if limits is not None and limits.by_user:
            self._admit(limits)

    def _admit(self, limits: RateLimits) -> None:
        """:raise TooManyRequests:"""
        method = self.request.method
        user = self.grant.identity.name if limits.by_user else ""
        limits.admit(self.client_address, user, method not in READ_METHODS, method not in _WITH_BODY)

    @property
    def client_address(self) -> str:
        """The IP address of the client; empty if it has none."""
        return self.api.proxies.address(self.request)

    def credential(self) -> Credential:
        request = self.request
        return Credential.of_headers(
            [value.decode("latin-1") for value in request.requestHeaders.getRawHeaders(b"authorization", ())],
            address=self.client_address,
            certificate=self._certificate() if self.api.client_certificates else None,
            base_url=lambda: self.api.links.sign_in_url(request),
        )

    def _certificate(self) -> bytes | None:
        """DER of the certificate that the peer has proved to be its own; None without one."""
        get = getattr(self.request.transport, "getPeerCertificate", None)
        certificate = None if get is None else get()
        if certificate is None:
            return None
        from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  # TLS has it loaded

        return bytes(certificate.to_cryptography().public_bytes(Encoding.DER))

    def _mount_sources(self) -> list[str]:
        """The repository that a blob is to be mounted from; none if nothing is, or if the name is none."""
        source = self.query("from")
        if not source or self.query("mount") is None:
            return []
        try:
            return [parse_name(source)]
        except NameInvalid:
            return []

    def may_pull(self, name: str) -> bool:
        """Whether the caller may also pull from the repository ``name``."""
        access = self.api.access
        return access is None or access.allows(self.grant, Access(REPOSITORY, name, PULL))

    @property
    def visible(self) -> Selection | None:
        """The repositories that the caller may see; None for all."""
        return None if self.api.access is None else self.api.access.selection(self.grant)

    @property
    def repository(self) -> Repository:
        return self.api.registry.repository(self.name, self._origin)

    def _origin(self) -> Origin:
        if self._known_origin is None:
            self._known_origin = origin_of(self.request, self.grant.identity.name, self.api.proxies, self.api.links)
        return self._known_origin

    def header(self, name: bytes) -> str | None:
        value = self.request.getHeader(name)
        return None if value is None else value.decode("latin-1")

    def header_list(self, name: bytes) -> str | None:
        """All members of a header that may be a list, and may come in several lines."""
        lines = self.request.requestHeaders.getRawHeaders(name)
        return None if lines is None else ", ".join(line.decode("latin-1") for line in lines)

    def accept(self) -> tuple[str, ...]:
        """The lines of the ``Accept`` header."""
        raw = self.request.requestHeaders.getRawHeaders(b"accept", [])
        return tuple([line.decode("latin-1") for line in raw])

    def query(self, name: str) -> str | None:
        """The first value of a query parameter; None if it is absent."""
        values = self.queries(name)
        return values[0] if values else None

    def queries(self, name: str) -> list[str]:
        """:raise BadRequest: if a value is not UTF-8."""
        try:
            return [value.decode("utf-8") for value in self.request.args.get(name.encode("ascii"), ())]
        except UnicodeDecodeError:
            raise BadRequest(f"the query parameter {name} is not UTF-8") from None

    def page_size(self) -> int | None:
        """
        How many results ``n`` asks for; None if it is absent.

        :raise PaginationNumberInvalid: if it is no number, or negative.
        """
        text = self.query("n")
        if not text:
            return None
        if _NUMBER.fullmatch(text) is None:
            raise PaginationNumberInvalid(text[:64])
        n = int(text)
        if n < 0:
            raise PaginationNumberInvalid(n)
        return n

    def set_header(self, name: bytes, value: bytes | str | int) -> None:
        self.request.setHeader(name, value if isinstance(value, bytes) else str(value).encode("ascii"))

    def empty(self, status: int) -> bytes:
        """Answer without a body."""
        self.request.setResponseCode(status)
        if status not in (204, 304):
            self.request.setHeader(b"content-length", b"0")
        return b""

    def content(self, body: bytes, media_type: str) -> bytes:
        """Answer 200 with ``body``."""
        self.set_header(b"content-type", media_type.encode("ascii", "replace"))
        self.set_header(b"content-length", len(body))
        return body

    def json(self, value: Any, media_type: str = "application/json") -> bytes:
        """Answer 200 with JSON."""
        return self.content(encode(value), media_type)
