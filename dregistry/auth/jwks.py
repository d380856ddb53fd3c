"""
A JSON Web Key Set that is fetched.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.ssl import trustRootFromCertificates
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, ResponseDone
from twisted.web.http_headers import Headers

from .._pem import certificates
from ..errors import Unavailable
from ._keys import KeySet, parse_jwks

LOOK_AGAIN_AFTER = 30.0
"""Seconds between two fetches for the sake of tokens whose key is unknown."""
_FIRST_TRY_AGAIN_AFTER = 5.0
"""The same while there are no keys at all."""
_TIMEOUT = 10.0
_LARGEST = 1 << 20

_log = Logger()


def make_client(reactor: Any, roots: bytes) -> HTTPClient:
    """
    :param roots: PEM of the only authorities to trust; empty for those of the system.
    :raise ValueError: if it has none.
    """
    if not roots:
        return HTTPClient(Agent(reactor, connectTimeout=_TIMEOUT))
    trusted = trustRootFromCertificates(certificates(roots))
    return HTTPClient(Agent(reactor, BrowserLikePolicyForHTTPS(trusted), connectTimeout=_TIMEOUT))


class RemoteJwks:
    """
    Fetched when it is first needed, and from then on in the background. The last keys stay while no new ones can be
    had.

    :param url: https.
    :param refresh: seconds for which keys are taken to be all.
    :ivar changes: counts the fetches that gave keys.
    """

    def __init__(self, url: str, refresh: float, client: HTTPClient, reactor: Any) -> None:
        self.keys = KeySet()
        self.changes = 0
        self._url = url
        self._refresh = refresh
        self._client = client
        self._reactor = reactor
        self._seconds: Callable[[], float] = reactor.seconds
        self._tried_at = float("-inf")
        self._due = float("inf")
        self._waiting: list[Deferred[None]] | None = None

    def freshen(self) -> None:
        """Fetch in the background, if it is time."""
        if self._seconds() >= self._due and self._waiting is None:
            Deferred.fromCoroutine(self._fetch())

    async def look_again(self) -> None:
        """
        Fetch because a key is missing, unless that was tried a moment ago.

        :raise Unavailable: if there were never any keys.
        """
        if self._waiting is not None:
            waiting: Deferred[None] = Deferred()
            self._waiting.append(waiting)
            await waiting
        elif self._seconds() - self._tried_at >= (LOOK_AGAIN_AFTER if self.changes else _FIRST_TRY_AGAIN_AFTER):
            await self._fetch()
        if not self.changes:
            raise Unavailable("the keys that tokens are verified by cannot be had now")

    async def _fetch(self) -> None:
        self._waiting = []
        self._tried_at = self._seconds()
        try:
            self.keys = parse_jwks(await self._content())
            self.changes += 1
            self._due = self._seconds() + self._refresh
        except Exception as error:  # of the network, of TLS, of the peer's doing: the next time may be better
            _log.error("{url}: no keys: {error}", url=self._url, error=str(error) or type(error).__name__)
            self._due = self._seconds() + min(self._refresh, LOOK_AGAIN_AFTER)
        finally:
            waiting, self._waiting = self._waiting, None
            for each in waiting:
                each.callback(None)

    async def _content(self) -> bytes:
        response = await self._client.get(
            self._url,
            headers=Headers({"accept": ["application/jwk-set+json, application/json"]}),
            allow_redirects=False,
            timeout=_TIMEOUT,
            unbuffered=True,
            reactor=self._reactor,
        )
        if response.code != 200:
            raise ValueError(f"status {response.code}")
        body = _Body()
        response.deliverBody(body)
        body.finished.addTimeout(_TIMEOUT, self._reactor)
        return await body.finished


class _Body(Protocol):
    """Collects a body that is not too large; what is cancelled, or too large, ends with its connection."""

    def __init__(self) -> None:
        self.finished: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._pieces: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > _LARGEST and not self.finished.called:
            self.finished.errback(ValueError(f"more than {_LARGEST} bytes"))
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.finished.called:
            return
        if reason.check(ResponseDone):
            self.finished.callback(b"".join(self._pieces))
        else:
            self.finished.errback(reason)

    def _abort(self) -> None:
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            abort()
