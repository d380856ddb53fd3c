"""
Requests to one bucket: signed, counted, and sent again while it helps.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from hashlib import sha256
from random import SystemRandom
from typing import Any, TypeVar

from attrs import field, frozen
from twisted.internet.defer import Deferred, DeferredSemaphore
from twisted.internet.task import deferLater
from twisted.logger import Logger

from .. import StorageFull, StorageUnavailable, Threads
from ._credentials import Credentials
from ._endpoint import Endpoint
from ._errors import Circumstances, Refused, error_fields, refusal
from ._metrics import BROKEN, S3Metrics
from ._signing import EMPTY, UNSIGNED, Signer
from ._transport import Broken, Head, Transport

_log = Logger()
_A = TypeVar("_A", "Answer", "Head")
_NO_BUCKET = b"<Code>NoSuchBucket<"
"""In the body of a status 404, which else says that an object is not there."""
_ATTEMPTS = 6
_FIRST_DELAY = 0.1
"""Seconds before a request is sent again, at most; twice as many each time."""
_FIRST_DELAY_THROTTLED = 0.5
_LONGEST_DELAY = 8.0
_AT_ONCE = 64
"""Requests that wait for an answer at one time."""
_INLINE = 1 << 16
"""Bytes of a body up to which it is hashed on the calling thread."""


@frozen
class Request:
    """
    :ivar operation: S3's name of it.
    :ivar query: encoded.
    :ivar patience: seconds that the service has to answer.
    :ivar late_error: whether an error may come with the status 200.
    """

    operation: str
    method: str
    key: str = ""
    query: str = ""
    headers: Mapping[str, str] = field(factory=dict)
    body: Sequence[bytes] = field(default=(), repr=False)
    patience: float = 60.0
    late_error: bool = False


@frozen
class Answer:
    """:ivar again: whether the request was sent more than once, so that an earlier one may have had its effect."""

    head: Head
    body: bytes
    again: bool

    @property
    def status(self) -> int:
        return self.head.status

    def header(self, name: str) -> str:
        return self.head.header(name)


def at_random(longest: float) -> float:
    """Some seconds, ``longest`` at most: so that those who failed together do not come again together."""
    return SystemRandom().uniform(0, longest)


@frozen(eq=False)
class Client:
    """
    :ivar user_agent: the header's value.
    :ivar public: the endpoint in URLs that are given away.
    :ivar jitter: how long a request waits before it is sent again, given the most.
    :ivar verbose: whether each request is logged.
    """

    transport: Transport
    endpoint: Endpoint
    bucket: str
    credentials: Credentials
    signer: Signer
    threads: Threads
    clock: Any
    user_agent: str
    public: Endpoint
    verbose: bool = False
    metrics: S3Metrics = field(factory=S3Metrics)
    jitter: Callable[[float], float] = at_random
    _slots: DeferredSemaphore = field(factory=lambda: DeferredSemaphore(_AT_ONCE), init=False)

    async def call(self, request: Request, allow: Collection[int] = ()) -> Answer:
        """
        Send a request, and read its answer.

        :param allow: statuses beside those of success that are an answer, not an error.
        :raise Refused: if the service refuses.
        :raise StorageUnavailable: if it cannot be reached, or fails again and again.
        """

        async def attempt(again: bool) -> Answer:
            async with self._slots:
                head = await self._sent(request)
                body = await _whole(head)
            failed = head.status >= 300 and (head.status not in allow or _NO_BUCKET in body)
            if failed or (request.late_error and head.status < 300 and error_fields(body)):
                raise await self._refusal(request, head, body)
            return Answer(head, body, again)

        return await self._persistently(request, attempt)

    async def open(self, request: Request, allow: Collection[int] = (), held: int | None = None) -> Head:
        """
        Send a request whose answer may be large; of one of success the caller reads the body to its end, or closes it.

        :param held: as of :meth:`Transport.send`.
        :raise Refused: as :meth:`call` does.
        :raise StorageUnavailable:
        """

        async def attempt(_: bool) -> Head:
            head = await self._sent(request, held)
            if head.status < 300:
                return head
            body = await _whole(head)
            if head.status not in allow or _NO_BUCKET in body:
                raise await self._refusal(request, head, body)
            return head

        return await self._persistently(request, attempt)

    async def presign(self, method: str, key: str, seconds: int) -> str:
        """A URL by which anybody may make a request for some time."""
        return self.signer.presign(await self.credentials.get(), method, self.public.url(key), seconds)

    async def close(self) -> None:
        await self.transport.close()

    async def _persistently(self, request: Request, attempt: Callable[[bool], Awaitable[_A]]) -> _A:
        tried = 0
        while True:
            tried += 1
            try:
                answer = await attempt(tried > 1)
            except (Refused, Broken) as error:
                await self._before_again(request, error, tried)
            else:
                self._count(request, str(answer.status))
                return answer

    async def _sent(self, request: Request, held: int | None = None) -> Head:
        url = self.endpoint.url(request.key) + (f"?{request.query}" if request.query else "")
        credentials = await self.credentials.get()
        payload = await self._payload(request.body)
        headers = self.signer.sign(credentials, request.method, url, dict(request.headers), payload)
        headers["User-Agent"] = self.user_agent
        options = {} if held is None else {"held": held}
        return await self.transport.send(
            request.method, url, headers, request.body, patience=request.patience, **options
        )

    async def _payload(self, body: Sequence[bytes]) -> str:
        """The digest of a body. TLS protects large ones as well, and costs nothing on top."""
        size = sum(map(len, body))
        if size <= _INLINE:
            return _digest(body) if size else EMPTY
        return UNSIGNED if self.endpoint.secure else await self.threads.run(_digest, body)

    async def _refusal(self, request: Request, head: Head, body: bytes) -> Refused:
        """A refused HEAD has no body that says why: a GET has."""
        if request.method == "HEAD" and head.status in (400, 403):
            ask = Request("GetObject", "GET", request.key, headers={"Range": "bytes=0-0"})
            why = await self._sent(ask)
            self._count(ask, str(why.status))
            body = await _whole(why)
        about = Circumstances(
            request.operation,
            self.endpoint.url(request.key),
            self.bucket,
            self.endpoint.region,
            head.header("x-amz-bucket-region"),
            head.header("date"),
            _now(),
        )
        return refusal(head.status, body, about)

    async def _before_again(self, request: Request, error: Refused | Broken, tried: int) -> None:
        """
        Wait before the next attempt.

        :raise Refused: if there is to be none.
        :raise StorageUnavailable: likewise.
        """
        refused = error if isinstance(error, Refused) else None
        self._count(request, BROKEN if refused is None else str(refused.status))
        if refused is not None and refused.expired and tried == 1:
            self.credentials.refused()
        elif refused is not None and refused.full:
            raise StorageFull(request.key) from error
        elif (refused is not None and not refused.passing) or tried == _ATTEMPTS:
            raise refused or StorageUnavailable(
                f"{request.operation} {self.endpoint.url(request.key)}: {error} (tried {tried} times)"
            ) from error
        self.metrics.retries[request.operation] += 1
        _log.info("S3: {operation} is sent again: {error}", operation=request.operation, error=str(error))
        if refused is None and tried == 1:
            return  # most likely a kept connection that the service has closed meanwhile
        first = _FIRST_DELAY_THROTTLED if refused is not None and refused.throttled else _FIRST_DELAY
        await self._pause(self.jitter(min(_LONGEST_DELAY, first * 2 ** (tried - 1))))

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self.clock, seconds)

    def _count(self, request: Request, status: str) -> None:
        self.metrics.requests[request.operation, status] += 1
        if self.verbose:
            _log.debug(
                "S3: {operation} {method} /{key}?{query}: {status}",
                operation=request.operation,
                method=request.method,
                key=request.key,
                query=request.query,
                status=status,
            )


async def _whole(head: Head) -> bytes:
    try:
        return await head.body.all()
    finally:
        head.body.close()


def _digest(body: Sequence[bytes]) -> str:
    hashed = sha256()
    for piece in body:
        hashed.update(piece)
    return hashed.hexdigest()


def _now() -> str:
    from email.utils import formatdate  # noqa: PLC0415 -- for errors only

    return formatdate(usegmt=True)
