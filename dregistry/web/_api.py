"""
What handlers are given: the registry, and the one request they answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from attrs import field, frozen

from ..auth import Access, IAccessController, Identity
from ..auth.none import AllowAll
from ..errors import BadRequest, Denied, PaginationNumberInvalid, Unauthorized, Unsupported
from ..registry import Origin, Registry, Repository
from ._inflight import InFlight
from ._json import encode
from ._links import Links

_READ_ONLY_RETRY = 60
"""Seconds after which to ask whether the maintenance is over."""
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
READ_METHODS = frozenset({b"GET", b"HEAD", b"OPTIONS"})


@frozen(eq=False)
class Api:
    """
    The registry as the web serves it.

    :ivar headers: that every answer carries (``http.headers``).
    :ivar read_only: refuse whatever would change something.
    :ivar catalog_limit: the most repositories in a page of the catalog; more are an error.
    :ivar tags_limit: the most tags in a page that a client asks for; more are not given.
    :ivar manifest_limit: the largest manifest, in bytes.
    :ivar tags_per_put: the most ``tag`` parameters on one PUT of a manifest.
    :ivar strict_accept: answer 404 for a manifest of a type that the client does not list.
    """

    registry: Registry
    access: IAccessController = field(factory=AllowAll)
    links: Links = field(factory=Links)
    headers: Sequence[tuple[bytes, bytes]] = ()
    read_only: bool = False
    catalog_limit: int = 1000
    tags_limit: int = 1000
    manifest_limit: int = 4 << 20
    tags_per_put: int = 32
    strict_accept: bool = False
    in_flight: InFlight = field(factory=InFlight)


class Call:
    """One request, parsed as far as all handlers need it."""

    def __init__(self, api: Api, request: Any, name: str = "") -> None:
        self.api = api
        self.request = request
        self.name = name
        self.identity = Identity()

    async def authorize(self, actions: Sequence[str]) -> None:
        """
        The one place that asks whether a request may do what it asks.

        :param actions: on the repository that the path names or, if it names none, on the catalog.
        :raise Unsupported: if the registry is read-only.
        :raise Unauthorized:
        :raise Denied:
        """
        if self.api.read_only and self.request.method not in READ_METHODS:
            raise Unsupported("the registry is in read-only mode", ("GET", "HEAD"), _READ_ONLY_RETRY)
        resource = ("repository", self.name) if self.name else ("registry", "catalog")
        accesses = [Access(*resource, action) for action in actions]
        self.identity = await self.api.access.authorize(_Headers(self.request), accesses)

    async def may_pull(self, name: str) -> bool:
        """Whether the caller may also pull from the repository ``name``."""
        try:
            await self.api.access.authorize(_Headers(self.request), [Access("repository", name, "pull")])
        except (Unauthorized, Denied):
            return False
        return True

    @property
    def repository(self) -> Repository:
        return self.api.registry.repository(self.name, self._origin)

    def _origin(self) -> Origin:
        peer = self.request.getClientAddress()
        return Origin(
            request_id=str(uuid4()),
            actor=self.identity.name,
            address=f"{peer.host}:{peer.port}" if hasattr(peer, "port") else "",
            host=self.header(b"host") or "",
            method=self.request.method.decode("ascii"),
            user_agent=self.header(b"user-agent") or "",
            base_url=self.api.links.base_url(self.request) + self.api.links.prefix,
        )

    def header(self, name: bytes) -> str | None:
        value = self.request.getHeader(name)
        return None if value is None else value.decode("latin-1")

    def header_list(self, name: bytes) -> str | None:
        """All members of a header that may be a list, and may come in several lines."""
        lines = self.request.requestHeaders.getRawHeaders(name)
        return None if lines is None else ", ".join(line.decode("latin-1") for line in lines)

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


class _Headers(Mapping[str, Sequence[str]]):
    """The headers of a request; read only when somebody asks."""

    def __init__(self, request: Any) -> None:
        self._raw = request.requestHeaders

    def __getitem__(self, name: str) -> Sequence[str]:
        values = self._raw.getRawHeaders(name.encode("ascii"))
        if values is None:
            raise KeyError(name)
        return [value.decode("latin-1") for value in values]

    def __iter__(self) -> Iterator[str]:
        return (name.decode("ascii").lower() for name, _ in self._raw.getAllRawHeaders())

    def __len__(self) -> int:
        return sum(1 for _ in self._raw.getAllRawHeaders())
