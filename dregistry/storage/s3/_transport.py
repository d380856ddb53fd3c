"""
HTTP, by Twisted's Agent.

Not by treq upon it: that adds ``Accept-Encoding: gzip`` to every request, so that a service may send something else
than the bytes that are stored, and a third to the cost of a small request.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone, _HTTP11ClientFactory
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from ._deadlines import Deadlines

PIECE = 1 << 20
"""Bytes of a piece of a body at most."""
_HELD = 1 << 20
"""Bytes of a body that are held for a reader who does not keep up, unless it says otherwise."""
_CONNECT_SECONDS = 10.0
_ANSWER_SECONDS = 60.0
"""From the last byte of a request, or progress with it, to the head of its answer."""
_BODY_SECONDS = 60.0
"""Between two pieces of a body that are waited for."""
_IDLE_SECONDS = 20.0
"""How long a connection is kept for later; services close it after some time, too."""
_IDLE_CONNECTIONS = 64


@define(str=False)
class Broken(Exception):
    """No answer, or half of one: the request may be sent again."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@frozen(eq=False)
class Head:
    """
    An answer without its body.

    :ivar length: bytes of the body, None if the service does not tell.
    """

    status: int
    headers: Headers
    length: int | None
    body: Incoming

    def header(self, name: str) -> str:
        """Empty if there is none."""
        values = self.headers.getRawHeaders(name.encode("ascii"))
        return values[0].decode("latin-1") if values else ""


class Transport:
    """
    :param agent: that sends the requests.
    :param pool: the connections that it keeps, if it does.
    """

    def __init__(self, agent: Any, clock: Any, pool: HTTPConnectionPool | None = None) -> None:
        self._agent = agent
        self._pool = pool
        self._deadlines = Deadlines(clock)

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Sequence[bytes],
        held: int = _HELD,
        patience: float = _ANSWER_SECONDS,
    ) -> Head:
        """
        Send a request.

        :param held: bytes of the answer's body that are held for a reader who does not keep up.
        :param patience: seconds that the service has to answer.
        :raise Broken:
        """
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            request.cancel()

        deadline = self._deadlines.start(patience + _CONNECT_SECONDS, expire)
        producer = _Outgoing(body, lambda: self._deadlines.extend(deadline, patience)) if body else None
        raw = Headers({name: [value] for name, value in headers.items()})
        request: Deferred[IResponse] = self._agent.request(method.encode(), url.encode(), raw, producer)
        try:
            response: Any = await request
        except Exception as error:
            if not expired and _is_given_up(error):
                raise CancelledError from error
            raise Broken("no answer in time" if expired else _describe(error)) from error
        finally:
            self._deadlines.end(deadline)
        incoming = Incoming(self._deadlines, held)
        response.deliverBody(incoming)
        length = response.length if isinstance(response.length, int) else None
        return Head(response.code, response.headers, length, incoming)

    async def close(self) -> None:
        """Close the connections that are kept."""
        self._deadlines.close()
        if self._pool is not None:
            await self._pool.closeCachedConnections()


class Incoming(Protocol):
    """The body of an answer, as fast as it is asked for."""

    def __init__(self, deadlines: Deadlines, held: int) -> None:
        self._deadlines = deadlines
        self._most = held
        self._pieces: deque[bytes] = deque()
        self._paused = False
        self._waiter: Deferred[None] | None = None
        self._reason: Failure | None = None
        self.size = 0
        """Bytes that are here and not yet asked for."""

    @property
    def ended(self) -> bool:
        """Whether no more will come."""
        return self._reason is not None

    async def get(self) -> bytes:
        """
        The next piece, of 1 MiB at most; empty at the end.

        :raise Broken: if it breaks off.
        """
        while not self._pieces:
            if self._reason is not None:
                if self._reason.check(ResponseDone) is None:
                    raise Broken(_describe(self._reason.value))
                return b""
            await self._more()
        piece = self._take()
        if self._paused and self.size <= self._most // 2:
            self._paused = False
            self._producer().resumeProducing()
        return piece

    async def all(self) -> bytes:
        """The whole of it, which is small."""
        pieces = []
        while piece := await self.get():
            pieces.append(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """No more is wanted. What has not come yet is not waited for, but the connection closed."""
        self._pieces.clear()
        self.size = 0
        if self._reason is None:
            self._producer().stopProducing()

    def dataReceived(self, data: bytes) -> None:
        self._pieces.append(data)
        self.size += len(data)
        if self.size >= self._most and not self._paused:
            self._paused = True
            self._producer().pauseProducing()
        self._wake()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reason = reason
        self._wake()

    def _take(self) -> bytes:
        taken = [self._pieces.popleft()]
        size = len(taken[0])
        while self._pieces and size + len(self._pieces[0]) <= PIECE:
            taken.append(self._pieces.popleft())
            size += len(taken[-1])
        if size > PIECE:
            self._pieces.appendleft(taken[0][PIECE:])
            taken[0], size = taken[0][:PIECE], PIECE
        self.size -= size
        return taken[0] if len(taken) == 1 else b"".join(taken)

    async def _more(self) -> None:
        waiter: Deferred[None] = Deferred()
        self._waiter = waiter
        deadline = self._deadlines.start(_BODY_SECONDS, self._expire)
        try:
            await waiter
        finally:
            self._waiter = None
            self._deadlines.end(deadline)

    def _expire(self) -> None:
        producer = self._producer()
        self.connectionLost(Failure(Broken("nothing more came in time")))
        producer.stopProducing()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    def _producer(self) -> Any:
        return self.transport


@implementer(IBodyProducer)
class _Outgoing:
    """Bytes that are at hand, as fast as the connection takes them."""

    def __init__(self, pieces: Sequence[bytes], progress: Callable[[], None]) -> None:
        self.length = sum(map(len, pieces))
        self._left = deque(pieces)
        self._progress = progress
        self._paused = False
        self._consumer: Any = None
        self._done: Deferred[None] = Deferred()

    def startProducing(self, consumer: Any) -> Deferred[None]:
        self._consumer = consumer
        self.resumeProducing()
        return self._done

    def resumeProducing(self) -> None:
        self._paused = False
        self._progress()
        while self._left and not self._paused:
            self._consumer.write(self._left.popleft())
            if not self._left:
                self._done.callback(None)

    def pauseProducing(self) -> None:
        self._paused = True

    def stopProducing(self) -> None:
        self._left.clear()


class _Quiet(_HTTP11ClientFactory):
    """Does not log each connection."""

    noisy = False


def make_agent(reactor: Any, secure: bool, verify: bool) -> tuple[IAgent, HTTPConnectionPool]:
    """
    An agent that keeps connections for later requests, and what it keeps.

    :param secure: whether it is for ``https``.
    :param verify: whether certificates are.
    """
    pool = HTTPConnectionPool(reactor)
    pool.maxPersistentPerHost = _IDLE_CONNECTIONS
    pool.cachedConnectionTimeout = _IDLE_SECONDS  # type: ignore[assignment]
    pool.retryAutomatically = False
    pool._factory = _Quiet
    if not secure:
        return Agent(reactor, connectTimeout=_CONNECT_SECONDS, pool=pool), pool
    from ._certificates import make_policy  # noqa: PLC0415 -- it loads TLS

    return Agent(reactor, make_policy(verify), connectTimeout=_CONNECT_SECONDS, pool=pool), pool


def _is_given_up(error: BaseException) -> bool:
    """Whether somebody has cancelled the request."""
    reasons = [reason.value for reason in getattr(error, "reasons", ())]
    return isinstance(error, (CancelledError, ConnectingCancelledError)) or any(map(_is_given_up, reasons))


def _describe(error: BaseException | None) -> str:
    """The innermost cause, for people."""
    reasons = getattr(error, "reasons", None)
    if reasons:
        return _describe(reasons[0].value)
    return " ".join(str(error).split()) or type(error).__name__
