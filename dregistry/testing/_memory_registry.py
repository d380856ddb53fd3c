"""
A registry in memory for other projects' tests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Coroutine, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ..digest import Digest
from ..reference import parse_name, parse_reference
from ..registry import Core, Origin, Registry, Repository, Settings
from ..storage.memory import MemoryDriver
from ..web import Api
from ._faults import Fault, Injection, Predicate, RateLimit, on
from ._faulty_site import FaultySite, LoggedRequest
from ._images import make_config, make_manifest
from ._memory_agent import MemoryAgent, WholeBody
from ._threads import InlineThreads

if TYPE_CHECKING:
    from treq.client import HTTPClient

_T = TypeVar("_T")
_EVERYTHING = on("", ".*")


class MemoryRegistry:
    """
    The registry that dregistry serves, with its content in memory, and with faults when a test asks for them.

    Without a reactor there are no sockets and no time but :meth:`advance`: :meth:`client` is a treq client whose
    Deferreds have fired when its methods return. With one, :meth:`start` listens on a port of 127.0.0.1, or
    ``async with`` does. Everything happens in the reactor's thread.

    :param delete: whether manifests, tags and blobs may be deleted.
    :param read_only: whether clients may change nothing. What this class does is not held up.
    """

    def __init__(self, reactor: Any = None, *, delete: bool = True, read_only: bool = False) -> None:
        self._reactor = reactor
        self._clock = Clock()
        self._registry = Registry(Core(MemoryDriver(), InlineThreads(), Settings(delete_enabled=delete)))
        self._site = FaultySite(Api(self._registry, read_only=read_only), reactor or self._clock)
        self._port: IListeningPort | None = None
        self.agent = MemoryAgent(self._site, self._clock)
        """A twisted.web agent on transports in memory, for whoever makes clients themselves. Without a reactor only."""

    async def start(self) -> None:
        """
        Listen on a free port of 127.0.0.1.

        :raise RuntimeError: without a reactor, or if it was started.
        """
        if self._reactor is None or self._port is not None:
            raise RuntimeError("it has no reactor" if self._reactor is None else "it was started")
        self._port = self._reactor.listenTCP(0, self._site, interface="127.0.0.1")

    async def stop(self) -> None:
        """Close the port and all connections. The content and the log of requests stay."""
        port, self._port = self._port, None
        if port is not None:
            stopped = port.stopListening()
            if stopped is not None:
                await stopped
            await self._site.drain(0)

    async def __aenter__(self) -> MemoryRegistry:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def address(self) -> str:
        """``127.0.0.1:PORT``: what stands before the slash in an image's name."""
        if self._port is None:
            raise RuntimeError("it was not started")
        host: Any = self._port.getHost()
        return f"127.0.0.1:{host.port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def client(self) -> HTTPClient:
        """
        A treq client on transports in memory. Any host of a URL is this registry. Bodies are bytes or strings.

        :raise RuntimeError: with a reactor: there is the port.
        """
        from treq.client import HTTPClient  # noqa: PLC0415 -- it is large, and loads OpenSSL

        if self._reactor is not None:
            raise RuntimeError("it has a reactor: use its port")
        return HTTPClient(self.agent, data_to_body_producer=WholeBody)

    def advance(self, seconds: float) -> None:
        """Let time go by for a registry without a reactor; delayed answers come."""
        self.agent.flush()  # a client may have gone
        self._clock.advance(seconds)
        self.agent.flush()

    @property
    def requests(self) -> list[LoggedRequest]:
        """All that came, in order. It may be cleared."""
        return self._site.requests

    def inject(
        self, fault: Fault, when: Predicate = _EVERYTHING, *, skip: int = 0, times: int | None = None
    ) -> Injection:
        """
        Let requests have a fault. If several are for a request it has the one that was asked for first.

        :param skip: such requests that are served before.
        :param times: how many have it then; None for all.
        """
        self._site.rules.append(injection := Injection(fault, when, skip, times))
        return injection

    def limit_rate(self, requests: int, seconds: float, when: Predicate = _EVERYTHING) -> None:
        """Answer 429 to more than ``requests`` in ``seconds``."""
        self._site.rules.append(RateLimit(requests, seconds, when))

    def clear_faults(self) -> None:
        """Serve what comes from now on."""
        self._site.rules.clear()

    def push_blob(self, repository: str, content: bytes) -> str:
        """
        Put a blob into a repository.

        :return: its digest.
        """
        digest = Digest.of(content)

        async def push() -> None:
            uploads = self._repository(repository).uploads
            async with await uploads.open(await uploads.start(), digest) as session:
                await session.append(content)
                await session.commit(digest)

        _now(push())
        return str(digest)

    def push_manifest(
        self, repository: str, content: bytes | Mapping[str, Any], tag: str | None = None, media_type: str | None = None
    ) -> str:
        """
        Put a manifest or an index, whose blobs and manifests are there, and point a tag at it.

        :param content: its bytes, or its JSON.
        :param media_type: None for the one that it states.
        :return: its digest.
        :raise RegistryError: if the registry would refuse it.
        """
        data = content if isinstance(content, bytes) else json.dumps(content).encode("ascii")
        reference = parse_reference(tag) if tag is not None else Digest.of(data)
        digest, _ = _now(self._repository(repository).manifests.put(data, media_type, reference))
        return str(digest)

    def push_image(
        self, repository: str, tag: str | None = None, layers: Sequence[bytes] = (), config: Mapping[str, Any] = {}
    ) -> str:
        """
        Put an image with its layers, and point a tag at it.

        :param layers: tar archives, compressed by gzip or not; :func:`make_layer` makes some.
        :param config: members of its configuration besides the platform and the layers.
        :return: the digest of its manifest.
        """
        configuration = make_config(layers, config)
        for content in (configuration, *layers):
            self.push_blob(repository, content)
        return self.push_manifest(repository, make_manifest(configuration, layers), tag)

    def tag(self, repository: str, tag: str, reference: str) -> None:
        """
        Point a tag at a manifest of the repository.

        :param reference: its digest, or another tag.
        :raise ManifestUnknown: if there is none.
        """
        manifests = self._repository(repository).manifests
        found = _now(manifests.get(parse_reference(reference)))
        _now(manifests.put(found.content, found.media_type, parse_reference(tag)))

    def tags(self, repository: str) -> dict[str, str]:
        """
        The tags of a repository, and the digests that they point at.

        :raise NameUnknown: if there is no such repository.
        """
        tags = self._repository(repository).tags
        return {name: str(_now(tags.get(name))) for name in _now(tags.page("", sys.maxsize))}

    def manifest(self, repository: str, reference: str) -> bytes:
        """
        :param reference: a digest or a tag.
        :raise ManifestUnknown:
        """
        return _now(self._repository(repository).manifests.get(parse_reference(reference))).content

    def blob(self, repository: str, digest: str) -> bytes:
        """:raise BlobUnknown:"""

        async def pull() -> bytes:
            blob = await self._repository(repository).blobs.open(Digest.parse(digest))
            return b"".join([piece async for piece in blob.chunks(0, blob.size)])

        return _now(pull())

    def _repository(self, name: str) -> Repository:
        return self._registry.repository(parse_name(name), Origin)


def _now(work: Coroutine[Any, Any, _T]) -> _T:
    """What comes of work that waits for nothing, as none does whose storage is memory."""
    ended: list[_T | Failure] = []
    Deferred.fromCoroutine(work).addBoth(ended.append)
    [result] = ended
    if isinstance(result, Failure):
        result.raiseException()
    return result
