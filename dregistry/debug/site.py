"""
The debug server's paths.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from ..config import Debug
from .overview import Overview

_JSON = "application/json; charset=utf-8"
_TEXT = "text/plain; charset=utf-8"

_log = Logger()


@frozen
class Answer:
    status: int
    body: bytes
    content_type: str = _TEXT


Page = Callable[[Any], Awaitable[Answer]]


@implementer(IResource)
class DebugResource:
    """
    ``/debug/health`` and ``/debug/vars`` as in distribution, metrics if they are enabled, and the probes ``/livez`` and
    ``/readyz`` of the registry as a whole.
    """

    isLeaf = True

    def __init__(self, overview: Overview, settings: Debug) -> None:
        self._overview = overview
        self._pages: dict[bytes, Page] = {
            b"/livez": self._alive,
            b"/readyz": self._ready,
            b"/debug/health": self._health,
            b"/debug/vars": self._variables,
        }
        if settings.prometheus.enabled:
            from ..metrics.exposition import expose

            self._expose = expose
            self._pages[settings.prometheus.path.encode()] = self._metrics

    def getChildWithDefault(self, name: bytes, request: Any) -> DebugResource:
        return self

    def putChild(self, path: bytes, child: Any) -> None:
        raise NotImplementedError("it has no children")

    def render(self, request: Any) -> Any:
        page = self._pages.get(request.path)
        if page is None or request.method not in (b"GET", b"HEAD"):
            return self._write(request, Answer(404, b"404 page not found\n"))

        work = Deferred.fromCoroutine(self._answer(page, request))
        work.addErrback(self._failed, request)
        if not work.called:
            request.notifyFinish().addErrback(lambda _: work.cancel())
        return NOT_DONE_YET

    async def _answer(self, page: Page, request: Any) -> None:
        request.write(self._write(request, await page(request)))
        request.finish()

    @staticmethod
    def _write(request: Any, answer: Answer) -> bytes:
        request.setResponseCode(answer.status)
        request.setHeader(b"content-type", answer.content_type.encode())
        request.setHeader(b"content-length", b"%d" % len(answer.body))
        return b"" if request.method == b"HEAD" else answer.body

    def _failed(self, failure: Failure, request: Any) -> None:
        if failure.check(CancelledError):  # who asked is gone
            return
        _log.failure("{path} failed", failure, path=request.path)
        if not request.startedWriting:
            request.write(self._write(request, Answer(500, b"it failed; the log says why\n")))
            request.finish()

    async def _alive(self, request: Any) -> Answer:
        return Answer(200, b"ok\n")

    async def _ready(self, request: Any) -> Answer:
        return Answer(200, b"ok\n") if self._overview.is_ready() else Answer(503, b"not ready\n")

    async def _health(self, request: Any) -> Answer:
        failing = self._overview.failing()
        return Answer(503 if failing else 200, _compact(failing), _JSON)

    async def _variables(self, request: Any) -> Answer:
        variables = await self._overview.variables()
        return Answer(200, json.dumps(variables, indent=2).encode() + b"\n", _JSON)

    async def _metrics(self, request: Any) -> Answer:
        readings = self._overview.memory.read()
        found = await self._overview.series(readings)
        accept = request.getHeader(b"accept") or b""
        return Answer(200, *self._expose(readings, found, accept.decode("latin-1")))


def _compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class DebugSite(Site):
    """A factory of connections to the debug server."""

    noisy = False

    def __init__(self, overview: Overview, settings: Debug, reactor: Any) -> None:
        super().__init__(DebugResource(overview, settings), timeout=60, reactor=reactor)
        self.displayTracebacks = False

    def log(self, request: Any) -> None:
        """Probes and scrapes are not worth a line."""

    def startFactory(self) -> None:
        """Without the clock of an access log."""

    def stopFactory(self) -> None:
        """See :meth:`startFactory`."""
