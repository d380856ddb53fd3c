"""
From errors to answers: the only place where an API code has an HTTP status.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from klein.interfaces import IKleinRequest
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.routing import RequestRedirect

from .. import errors
from ._json import encode
from ._origin import request_id

_log = Logger()

STATUS: dict[type[errors.RegistryError], int] = {
    errors.BadRequest: 400,
    errors.BlobUnknown: 404,
    errors.BlobUploadInvalid: 404,
    errors.BlobUploadUnknown: 404,
    errors.Denied: 403,
    errors.DigestInvalid: 400,
    errors.ManifestBlobUnknown: 400,
    errors.ManifestInvalid: 400,
    errors.ManifestTooLarge: 413,
    errors.ManifestUnknown: 404,
    errors.NameInvalid: 400,
    errors.NameUnknown: 404,
    errors.PaginationNumberInvalid: 400,
    errors.PreconditionFailed: 412,
    errors.RangeInvalid: 416,
    errors.RouteUnknown: 404,
    errors.SizeInvalid: 400,
    errors.TagInvalid: 400,
    errors.TooManyRequests: 429,
    errors.TooManyTags: 414,
    errors.Unauthorized: 401,
    errors.Unavailable: 503,
    errors.Unsupported: 405,
}


def status_of(error: BaseException) -> int:
    """The status of the answer to it."""
    if isinstance(error, errors.RegistryError):
        return STATUS.get(type(error), 500)
    return 500


def write_error(request: IRequest, error: errors.RegistryError) -> bytes:
    """Set the status and headers of the answer to ``error``, and return its body."""
    anything: Any = request
    anything.error = error
    status = status_of(error)
    request.setResponseCode(status)
    if status >= 500:
        request.setHeader(b"x-request-id", request_id(request).encode("ascii"))
    for name, value in _headers(error):
        request.setHeader(name, value.encode("ascii"))
    if isinstance(error, errors.Unauthorized):
        challenges = [challenge.encode("utf-8") for challenge in error.challenges]
        request.responseHeaders.setRawHeaders(b"www-authenticate", challenges)
    request.setHeader(b"content-type", b"application/json")
    body = encode({"errors": list(error.entries())})
    request.setHeader(b"content-length", b"%d" % len(body))
    return body


def _headers(error: errors.RegistryError) -> Sequence[tuple[bytes, str]]:
    if isinstance(error, errors.RangeInvalid) and error.size is not None:
        return [(b"content-range", f"bytes */{error.size}")]
    if isinstance(error, errors.Unsupported):
        retry = [] if error.retry_after is None else [(b"retry-after", str(error.retry_after))]
        return [(b"allow", ", ".join(sorted(error.allow))), *retry]
    if isinstance(error, errors.TooManyRequests):
        return [(b"retry-after", str(error.retry_after))]
    return []


def answer_failure(request: Any, failure: Failure) -> bytes | None:
    """
    The answer to whatever a handler, or the routing before it, raised.

    Once a part of the answer is on its way there is no way left to say so but to break the connection.
    """
    error = failure.value
    if request.startedWriting:
        _log.failure("answer broken off: {method} {path}", failure, **_named(request))
        request.transport.abortConnection()
        return None
    for name in (b"content-length", b"content-range", b"etag", b"cache-control"):
        request.responseHeaders.removeHeader(name)
    if isinstance(error, RequestRedirect):
        request.setResponseCode(301)
        query = request.uri.partition(b"?")[1:]
        request.setHeader(b"location", urlsplit(error.new_url).path.encode("ascii", "ignore") + b"".join(query))
        request.setHeader(b"content-length", b"0")
        return b""
    if isinstance(error, MethodNotAllowed):
        return _answer_method(request, sorted(error.valid_methods or ()))
    if isinstance(error, HTTPException):
        return write_error(request, errors.RouteUnknown("this registry has no such path"))
    if isinstance(error, errors.Unsupported) and not error.allow:
        error.allow = sorted(set(IKleinRequest(request).mapper.allowed_methods()) - {request.method.decode("ascii")})
    if isinstance(error, errors.RegistryError):
        return write_error(request, error)
    _log.failure("{method} {path} failed", failure, **_named(request))
    unknown = errors.RegistryError()
    unknown.__cause__ = error
    return write_error(request, unknown)


def _named(request: Any) -> dict[str, Any]:
    fields = {"http.request.id": request_id(request)}
    return {"method": request.method.decode("ascii"), "path": request.path.decode("latin-1"), "fields": fields}


def _answer_method(request: Any, allowed: Sequence[str]) -> bytes:
    if request.method == b"OPTIONS":
        request.setHeader(b"allow", ", ".join(allowed).encode("ascii"))
        request.setHeader(b"content-length", b"0")
        return b""
    return write_error(request, errors.Unsupported("this path does not support the method", allowed))
