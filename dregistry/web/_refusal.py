"""
The answer to bytes that are no HTTP request.
"""

from __future__ import annotations

from ..errors import BadRequest
from ._json import encode

_BODY = encode({"errors": list(BadRequest("not a well-formed HTTP/1.1 request").entries())})

REFUSAL = (
    b"HTTP/1.1 400 Bad Request\r\n"
    b"Docker-Distribution-API-Version: registry/2.0\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: %d\r\n"
    b"Connection: close\r\n\r\n%s" % (len(_BODY), _BODY)
)
