"""
A site whose requests are logged, and have the faults that tests ask for.
"""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from ..errors import ClientDisconnected
from ..web import Api, RegistrySite
from ..web._json import encode
from ..web._streaming import StreamingRequest
from ._faults import Fault, Rule


@define
class LoggedRequest:
    """
    A request that came.

    :ivar path: without the query.
    :ivar query: as it came; empty without one.
    :ivar headers: by names in lower case; values of one name are joined by a comma and a space.
    :ivar status: of the answer; None until it begins.
    :ivar fault: that it has; None if it is served.
    """

    method: str
    path: str
    query: str
    headers: dict[str, str] = field(repr=False)
    status: int | None = None
    fault: Fault | None = None


class FaultySite(RegistrySite):
    """
    :ivar requests: all that came, in order.
    :ivar rules: the first one that has a fault for a request decides.
    """

    def __init__(self, api: Api, reactor: Any) -> None:
        super().__init__(api, reactor)
        self.requestFactory = _FaultyRequest
        self.requests: list[LoggedRequest] = []
        self.rules: list[Rule] = []

    def admit(self, request: Any) -> LoggedRequest:
        """Log a request whose headers are here, and see what is to go wrong with it."""
        path, _, query = request.uri.decode("latin-1").partition("?")
        headers = {
            name.decode("latin-1").lower(): ", ".join(value.decode("latin-1") for value in values)
            for name, values in request.requestHeaders.getAllRawHeaders()
        }
        logged = LoggedRequest(request.method.decode("latin-1"), path, query, headers)
        self.requests.append(logged)
        faults = (rule.take(logged.method, path, self.reactor.seconds()) for rule in self.rules)
        logged.fault = next((fault for fault in faults if fault is not None), None)
        return logged


class _FaultyRequest(StreamingRequest):
    """Its faults are the connection's: the registry sees what it would see of such a client."""

    _logged: LoggedRequest | None = None
    _fault = Fault()
    _delayed: IDelayedCall | None = None
    _received = 0
    _sent = 0
    _broken = False

    def process(self) -> None:
        channel: Any = self.channel
        self._logged = channel.site.admit(self)
        self._fault = self._logged.fault or self._fault
        if self._fault.delay > 0:
            self._delayed = channel.site.reactor.callLater(self._fault.delay, self._serve)
        else:
            self._serve()

    def _serve(self) -> None:
        self._delayed = None
        if self._fault.status is None:
            super().process()
            return
        channel: Any = self.channel
        self.site = channel.site
        body = encode(self._fault.document)
        self.setResponseCode(self._fault.status)
        for name, value in {"Content-Type": "application/json", **self._fault.headers}.items():
            self.responseHeaders.setRawHeaders(name, [value])
        self.responseHeaders.setRawHeaders(b"Content-Length", [b"%d" % len(body)])
        self.write(b"" if self.method == b"HEAD" else body)
        self.finish()

    def handleContentChunk(self, data: bytes) -> None:
        if self._broken:
            return
        limit = self._fault.after_request_bytes
        self._received += len(data)
        if limit is None or self._received <= limit:
            super().handleContentChunk(data)
            return
        super().handleContentChunk(data[: limit - self._received])
        self._break()
        self.body.fail(ClientDisconnected())

    def write(self, data: bytes) -> None:
        if self._broken:
            return
        if self._logged is not None:
            self._logged.status = self.code
        limit = self._fault.after_answer_bytes
        self._sent += len(data)
        if limit is None or self._sent <= limit:
            super().write(data)
            return
        super().write(data[: limit - self._sent])
        channel: Any = self.channel
        channel.flush()
        self._break()

    def _break(self) -> None:
        self._broken = True
        channel: Any = self.channel
        channel.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        delayed, self._delayed = self._delayed, None
        if delayed is not None:
            delayed.cancel()
        super().connectionLost(reason)
