"""
What the log says of requests, with distribution's field names.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

from twisted.logger import Logger

from ..errors import JSON, RegistryError
from ..logs import masked_target
from ._origin import TrustedProxies, request_id

_PATH = re.compile(
    r"/v2/(?P<name>.+?)/(?:manifests/(?P<reference>[^/]+)|blobs/uploads/(?P<uuid>[^/]*)|"
    r"(?:blobs|referrers)/(?P<digest>[^/]+)|tags/list)$"
)
_HEADERS = (("http.request.referer", b"referer"), ("http.request.contenttype", b"content-type"))

_log = Logger()


class ResponseLog:
    """
    A record of each request that failed: an error if the registry is to blame, information if the client is.

    :param proxies: whose word on who the client is counts.
    :param everything: whether there is one of each that did not fail, too.
    """

    def __init__(self, proxies: TrustedProxies, everything: bool = False) -> None:
        self._proxies = proxies
        self._everything = everything

    def log(self, request: Any) -> None:
        error: RegistryError | None = request.error
        if error is None and not self._everything:
            return
        fields = {**request_fields(request, self._proxies), **_response_fields(request)}
        if error is None:
            _log.info("response completed", fields=fields)
            return
        fields.update(_error_fields(error))
        tell = _log.error if request.code >= 500 else _log.info
        tell("response completed with error", fields=fields)


def request_fields(request: Any, proxies: TrustedProxies) -> dict[str, JSON]:
    """What distribution's log has of a request."""
    fields: dict[str, JSON] = {
        "http.request.id": request_id(request),
        "http.request.method": _text(request.method),
        "http.request.host": _text(request.getHeader(b"host") or b""),
        "http.request.uri": masked_target(_text(request.uri)),
        "http.request.remoteaddr": proxies.client(request),
        "http.request.useragent": _text(request.getHeader(b"user-agent") or b""),
    }
    for name, header in _HEADERS:
        value = request.getHeader(header)
        if value:
            fields[name] = _text(value)
    found = _PATH.search(_text(request.path))
    if found is not None:
        fields.update((f"vars.{name}", value) for name, value in found.groupdict().items() if value)
    user = getattr(request, "user_name", "")
    if user:
        fields["auth.user.name"] = user
    return fields


def _response_fields(request: Any) -> dict[str, JSON]:
    fields: dict[str, JSON] = {
        "http.response.status": request.code,
        "http.response.written": request.sentLength,
        "http.response.duration": _duration(time.monotonic() - request.received),
    }
    [media_type] = request.responseHeaders.getRawHeaders(b"content-type", (b"",))[:1]
    if media_type:
        fields["http.response.contenttype"] = _text(media_type)
    return fields


def _error_fields(error: RegistryError) -> dict[str, JSON]:
    fields: dict[str, JSON] = {"err.code": error.code.lower().replace("_", " "), "err.message": error.message}
    if error.detail is not None:
        detail = error.detail
        fields["err.detail"] = detail if isinstance(detail, str) else json.dumps(detail, ensure_ascii=False)
    cause = error.__cause__
    if cause is not None:
        fields["error"] = f"{type(cause).__name__}: {cause}"
    return fields


def _duration(seconds: float) -> str:
    """As Go writes one."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.3f}µs"
    if seconds < 1:
        return f"{seconds * 1e3:.6f}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{rest:.9f}s"


def _text(value: bytes) -> str:
    return value.decode("utf-8", "backslashreplace")
