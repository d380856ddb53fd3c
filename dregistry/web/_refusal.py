"""
The answer to bytes that are no HTTP request.
"""

from __future__ import annotations

from ..errors import BadRequest
from ._json import encode


def refusal(message: str) -> bytes:
    """A whole answer, after which the connection is closed."""
    body = encode({"errors": list(BadRequest(message).entries())})
    return (
        b"HTTP/1.1 400 Bad Request\r\n"
        b"Docker-Distribution-API-Version: registry/2.0\r\n"
        b"Content-Type: application/json\r\n"
        b"Content-Length: %d\r\n"
        b"Connection: close\r\n\r\n%s" % (len(body), body)
    )


REFUSAL = refusal("not a well-formed HTTP/1.1 request")
