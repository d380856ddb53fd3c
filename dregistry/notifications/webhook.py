"""
The webhook sink: an HTTP POST for each event, as distribution makes it.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from base64 import b64encode
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed
from twisted.web.http_headers import Headers
from zope.interface import implementer

from .. import __version__
from .._outgoing import Outgoing
from ._interfaces import INotificationSink, Notification, Refused, SinkContext

SIGNATURE = "X-Dregistry-Signature-256"
SIGNED_AT = "X-Dregistry-Signature-Timestamp"
_REPEATED = (307, 308)
_MOST_REDIRECTS = 5
_MOST_BODY = 64 << 10
_BODY_TIMEOUT = 0.25


@implementer(INotificationSink)
class WebhookSink:
    """
    Any answer from 200 to 399 takes the event. 307 and 308 are followed, as the body is to be sent again there; the
    configured headers go along only to the same host.
    """

    def __init__(self, context: SinkContext) -> None:
        self._endpoint = context.endpoint
        self._encode = context.encode
        self._reactor = context.reactor
        self._url, self._authorization = _split_user(context.endpoint.url)
        self._outgoing = Outgoing(context.reactor, os.environ)

    async def send(self, notification: Notification) -> str:
        url = self._url
        for _ in range(_MOST_REDIRECTS):
            response = await self._post(url, notification)
            discard = _Discard(self._reactor)
            response.deliverBody(discard)
            await discard.ended
            place = response.headers.getRawHeaders("location", [""])[0]
            if response.code not in _REPEATED or not place:
                break
            url = urljoin(url, place)
        status = f"{response.code} {_phrase(response.code)}".strip()
        if not 200 <= response.code < 400:
            raise Refused(status)
        return status

    async def _post(self, url: str, notification: Notification) -> Any:
        encoded = self._encode(notification)
        headers = self._headers(encoded.content, encoded.media_type, _host(url) == _host(self._url))
        client = HTTPClient(self._outgoing.agent(url))
        try:
            return await client.post(
                url,
                data=encoded.content,
                headers=headers,
                allow_redirects=False,
                unbuffered=True,
                reactor=self._reactor,
            )
        except ResponseFailed as error:
            raise error.reasons[0].value from None  # what happened to the connection

    def _headers(self, content: bytes, media_type: str, same_host: bool) -> Headers:
        headers = Headers({"User-Agent": [f"dregistry/{__version__}"], "Content-Type": [media_type]})
        if same_host:
            for name, values in self._endpoint.headers.items():
                headers.setRawHeaders(name, list(values))
            if self._authorization and not headers.hasHeader("Authorization"):
                headers.setRawHeaders("Authorization", [self._authorization])
        if self._endpoint.secret:
            signed_at = str(int(self._reactor.seconds()))
            headers.setRawHeaders(SIGNED_AT, [signed_at])
            headers.setRawHeaders(SIGNATURE, [signature(self._endpoint.secret, signed_at, content)])
        return headers

    async def close(self) -> None:
        await self._outgoing.close()


def signature(secret: str, signed_at: str, content: bytes) -> str:
    """
    The value of SIGNATURE: over the value of SIGNED_AT (seconds since the epoch), a full stop, and the body.
    """
    message = signed_at.encode("ascii") + b"." + content
    return "sha256=" + hmac.new(secret.encode("utf-8"), message, hashlib.sha256).hexdigest()


def _split_user(url: str) -> tuple[str, str]:
    """A URL without its user, and the ``Authorization`` that this makes; empty without one."""
    parts = urlsplit(url)
    user, at, place = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    name, _, password = user.partition(":")
    credentials = f"{unquote(name)}:{unquote(password)}".encode()
    return urlunsplit(parts._replace(netloc=place)), f"Basic {b64encode(credentials).decode('ascii')}"


def _host(url: str) -> str | None:
    return urlsplit(url).hostname


def _phrase(code: int) -> str:
    try:
        return HTTPStatus(code).phrase
    except ValueError:
        return ""


class _Discard(Protocol):
    """
    Reads the rest of an answer, so that the connection can be kept; if that is much or takes long, closes it.

    :ivar ended: fires then.
    """

    def __init__(self, clock: Any) -> None:
        self.ended: Deferred[None] = Deferred()
        self._clock = clock
        self._timer: IDelayedCall | None = None
        self._size = 0

    def connectionMade(self) -> None:
        self._timer = self._clock.callLater(_BODY_TIMEOUT, self._close)

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > _MOST_BODY:
            self._close()

    def _close(self) -> None:
        self.transport.loseConnection()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.ended.callback(None)
