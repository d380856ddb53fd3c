"""
The access log, in the combined format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol
from urllib.parse import quote

from twisted.web.http import datetimeToLogString

from ..logs import masked, masked_target
from ._origin import TrustedProxies

_PLAIN = frozenset(range(0x20, 0x7F)) - frozenset(b'"\\')


class RequestLog(Protocol):
    """Is told of each request when its answer is complete."""

    def log(self, request: Any) -> None: ...


class AccessLog:
    """
    One line for each request, as distribution writes it: names of users where they are known, and what is secret in a
    query masked.

    :param write: takes a line without its end.
    :param seconds: the time, in seconds since the epoch.
    :param proxies: whose word on who the client is counts.
    :param skip: paths that are asked for again and again by who watches the registry.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        seconds: Callable[[], float],
        proxies: TrustedProxies,
        skip: Iterable[str] = (),
    ) -> None:
        self._write = write
        self._seconds = seconds
        self._proxies = proxies
        self._skip = frozenset(path.encode("ascii") for path in skip)
        self._second = 0
        self._time = ""

    def log(self, request: Any) -> None:
        if request.path in self._skip:
            return
        now = int(self._seconds())
        if now != self._second:
            self._second, self._time = now, datetimeToLogString(now)
        headers = request.requestHeaders
        [referer] = headers.getRawHeaders(b"referer", (b"",))[:1]
        [agent] = headers.getRawHeaders(b"user-agent", (b"",))[:1]
        self._write(
            f"{self._proxies.address(request) or '-'} - {_user(request)} {self._time} "
            f'"{_escaped(request.method)} {_target(request.uri)} {_escaped(request.clientproto)}" '
            f'{request.code} {request.sentLength} "{_text(referer)}" "{_text(agent)}"'
        )


def _user(request: Any) -> str:
    name: str = getattr(request, "user_name", "")
    return quote(name, safe="@.+-_~!$&'()*,;:/") if name else "-"


def _target(uri: bytes) -> str:
    return _escaped(uri) if b"?" not in uri else _escaped(masked_target(uri.decode("latin-1")).encode("latin-1"))


def _text(value: bytes) -> str:
    return _escaped(masked(value.decode("latin-1")).encode("latin-1"))


def _escaped(value: bytes) -> str:
    """Without what would end a quoted field, or a line."""
    if _PLAIN.issuperset(value):
        return value.decode("ascii")
    return "".join(
        chr(byte) if byte in _PLAIN else "\\" + chr(byte) if byte in b'"\\' else f"\\x{byte:02x}" for byte in value
    )
