"""
The routes, and what happens to every request on its way to a handler.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any

from attrs import frozen
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from zope.interface import implementer

from .. import errors
from ..health import REASON
from ..reference import parse_name
from . import _base, _blobs, _catalog, _events, _manifests, _probes, _referrers, _tags, _tokens, _uploads
from ._api import READ_METHODS, Api, Call
from ._errors import answer_failure, status_of, write_error
from ._inflight import InFlight
from ._routing import RegistryApp

_log = Logger()

Handler = Callable[..., Awaitable[bytes | None]]


@frozen
class Route:
    """
    :ivar actions: what must be granted on the resource; without any, only that the credential is good; None for what
        anybody may ask.
    :ivar mounts: whether the request may want to take a blob from another repository.
    :ivar registry: the resource of the registry that a path without a repository is about.
    """

    rule: str
    methods: Sequence[str]
    handler: Handler
    actions: Sequence[str] | None = ()
    mounts: bool = False
    registry: str = "catalog"

    @property
    def metric(self) -> str | None:
        """distribution's name for those who answer it, in metrics; None for what is not counted."""
        name = _METRICS.get(self.handler.__module__.rpartition(".")[2])
        return "blob_upload" if self.handler is _uploads.start else name

    @property
    def brings_blob(self) -> bool:
        """Whether its requests have bytes of a blob as their body."""
        return self.handler in (_uploads.patch, _uploads.close)


_METRICS = {
    "_base": "base",
    "_blobs": "blob",
    "_catalog": "catalog",
    "_events": "events",
    "_manifests": "manifest",
    "_referrers": "referrers",
    "_tags": "tags",
    "_tokens": "token",
    "_uploads": "blob_upload_chunk",
}
_PULL = ("pull",)
_PUSH = ("pull", "push")
_DELETE = ("delete",)

ROUTES = (
    Route("/v2/", ["GET"], _base.version),
    Route("/v2/_catalog", ["GET"], _catalog.listing, ("*",)),
    Route("/v2/_dregistry/events", ["GET"], _events.listing, ("*",), registry="events"),
    Route("/v2/_dregistry/notifications", ["GET"], _events.statistics, ("*",), registry="events"),
    Route("/v2/<name:name>/tags/list", ["GET"], _tags.listing, _PULL),
    Route("/v2/<name:name>/manifests/<reference>", ["GET"], _manifests.get, _PULL),
    Route("/v2/<name:name>/manifests/<reference>", ["PUT"], _manifests.put, _PUSH),
    Route("/v2/<name:name>/manifests/<reference>", ["DELETE"], _manifests.delete, _DELETE),
    Route("/v2/<name:name>/referrers/<digest>", ["GET"], _referrers.listing, _PULL),
    Route("/v2/<name:name>/blobs/uploads", ["POST"], _uploads.start, _PUSH, mounts=True),
    Route("/v2/<name:name>/blobs/uploads/", ["POST"], _uploads.start, _PUSH, mounts=True),
    Route("/v2/<name:name>/blobs/uploads/<uuid>", ["GET"], _uploads.status, _PULL),
    Route("/v2/<name:name>/blobs/uploads/<uuid>", ["PATCH"], _uploads.patch, _PUSH),
    Route("/v2/<name:name>/blobs/uploads/<uuid>", ["PUT"], _uploads.close, _PUSH),
    Route("/v2/<name:name>/blobs/uploads/<uuid>", ["DELETE"], _uploads.cancel, _DELETE),
    Route("/v2/<name:name>/blobs/<digest>", ["HEAD"], _blobs.head, _PULL),
    Route("/v2/<name:name>/blobs/<digest>", ["GET"], _blobs.get, _PULL),
    Route("/v2/<name:name>/blobs/<digest>", ["DELETE"], _blobs.delete, _DELETE),
)


PROBES = (
    Route("/", ["GET"], _probes.alive, None),
    Route("/livez", ["GET"], _probes.alive, None),
    Route("/readyz", ["GET"], _probes.ready, None),
)
"""Of load balancers. They do not stand below the prefix."""
_ANSWERED_IN_ANY_CASE = frozenset({b"/livez", b"/readyz"})


def build_app(api: Api) -> Klein:
    """A Klein application with every route of the registry."""
    app = RegistryApp()
    for route in PROBES:
        app.route(route.rule, methods=route.methods)(_endpoint(api, route))
    if api.tokens is not None:
        for method, handler in (("GET", _tokens.get), ("POST", _tokens.post)):
            route = Route(api.tokens.path, [method], handler, None)
            app.route(route.rule, methods=route.methods)(_endpoint(api, route))
    for route in ROUTES:
        app.route(api.links.prefix + route.rule, methods=route.methods)(_endpoint(api, route))
    app.handle_errors(answer_failure)
    return app


@implementer(IResource)
class RegistryResource:
    """
    The whole site: what every answer has, then Klein.

    :param headers: for every answer; None for :func:`common_headers`, empty for a site that sends those itself.
    """

    isLeaf = True

    def __init__(self, api: Api, headers: Sequence[tuple[bytes, bytes]] | None = None) -> None:
        self._klein = build_app(api).resource()
        self._failing = api.health.failing
        self._cors = api.cors
        self._headers = common_headers(api) if headers is None else headers

    def getChildWithDefault(self, name: bytes, request: Any) -> RegistryResource:
        return self

    def putChild(self, path: bytes, child: Any) -> None:
        raise NotImplementedError("it has no children")

    def render(self, request: Any) -> Any:
        for name, value in self._headers:
            request.responseHeaders.addRawHeader(name, value)
        if self._cors is not None:
            self._cors.apply(request)
        refusal = self._refusal(request)
        if refusal is not None:
            body = write_error(request, refusal)
            return b"" if request.method == b"HEAD" else body
        return self._klein.render(request)

    def _refusal(self, request: Any) -> errors.RegistryError | None:
        """Why a request is not even routed; None if it is."""
        if self._failing and request.path not in _ANSWERED_IN_ANY_CASE:
            return errors.Unavailable(REASON)
        fault = _fault(request)
        return None if fault is None else errors.BadRequest(fault)


def common_headers(api: Api) -> list[tuple[bytes, bytes]]:
    """What every answer of the registry carries."""
    return [(b"Docker-Distribution-API-Version", b"registry/2.0"), *api.headers]


def _fault(request: Any) -> str | None:
    """What is wrong with a request before it is routed; None if nothing is."""
    if not request.method.isupper():
        return "methods are in upper case"  # the router would not mind
    hosts = request.requestHeaders.getRawHeaders(b"host", ())
    if len(hosts) > 1 or (not hosts and request.clientproto == b"HTTP/1.1"):
        return "an HTTP/1.1 request has one Host header"
    try:
        b"/".join(request.postpath).decode("utf-8")
    except UnicodeDecodeError:
        return "the path is not UTF-8"
    return None


def _endpoint(api: Api, route: Route) -> Callable[..., Deferred[bytes | None] | bytes | None]:
    name = route.metric
    measured = None if api.metrics is None or name is None else api.metrics.route(name, route.brings_blob)
    audited = api.audit is not None and not READ_METHODS.issuperset(method.encode() for method in route.methods)
    serve = _serve_audited if audited and route.actions is not None else _serve

    def endpoint(request: Any, **segments: str) -> Deferred[bytes | None] | bytes | None:
        if measured is not None:
            measured.begin(request)
        work = serve(api, route, request, segments)
        try:
            awaited = work.send(None)
        except StopIteration as ended:  # most handlers never wait: that spares them a Deferred
            answer: bytes | None = ended.value
            return answer
        return _uncancelled(_resumed(work, awaited), api.in_flight)

    endpoint.__name__ = f"{route.handler.__module__.rpartition('._')[2]}_{route.handler.__name__}_{route.rule}"
    return endpoint


async def _serve(api: Api, route: Route, request: Any, segments: dict[str, str]) -> bytes | None:
    name = segments.pop("name", None)
    call = Call(api, request, parse_name(name) if name is not None else "")
    if route.actions is not None:
        await call.authorize(route.actions, route.mounts, route.registry)
    return await route.handler(call, **segments)


async def _serve_audited(api: Api, route: Route, request: Any, segments: dict[str, str]) -> bytes | None:
    name = segments.pop("name", "")
    call = Call(api, request, name)
    assert api.audit is not None
    try:
        call.name = parse_name(name)
        await call.authorize(route.actions or (), route.mounts, route.registry)
        answer = await route.handler(call, **segments)
    except Exception as error:
        api.audit.failed(call, segments, error, status_of(error))
        raise
    api.audit.done(call, segments)
    return answer


def _resumed(work: Coroutine[Any, Any, bytes | None], awaited: Any) -> Generator[Deferred[Any], Any, bytes | None]:
    """The rest of a coroutine that waits for ``awaited``."""
    try:
        while True:
            try:
                value = yield awaited
            except Exception as error:
                awaited = work.throw(error)
            else:
                awaited = work.send(value)
    except StopIteration as ended:
        answer: bytes | None = ended.value
        return answer


def _uncancelled(work: Generator[Deferred[Any], Any, bytes | None], in_flight: InFlight) -> Deferred[bytes | None]:
    """
    Run a handler to its end whatever becomes of its client.

    Klein cancels what a request waits for when its connection is lost. A handler learns of that from its body, or from
    the producer of its answer, and then has storage to leave in order: nothing may break that off.
    """
    inner = in_flight.track(Deferred.fromCoroutine(work))
    if inner.called:
        return inner
    outer: Deferred[bytes | None] = Deferred(lambda _: None)

    def succeeded(result: bytes | None) -> None:
        if not outer.called:
            outer.callback(result)

    def failed(failure: Failure) -> None:
        if not outer.called:
            outer.errback(failure)
        elif not failure.check(errors.RegistryError):
            _log.failure("a request whose client is gone failed", failure)

    inner.addCallbacks(succeeded, failed)
    return outer
