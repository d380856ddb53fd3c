"""
A service without a socket that lists as Amazon S3 does: by the bytes of whole keys, where SeaweedFS goes by the names
in each directory. It has objects, not multipart uploads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import md5
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent
from zope.interface import implementer

from dregistry.storage.s3._client import Client
from dregistry.storage.s3._credentials import GivenCredentials
from dregistry.storage.s3._endpoint import endpoint_of
from dregistry.storage.s3._signing import SignerV4
from dregistry.storage.s3._transport import Transport
from dregistry.storage.s3.driver import S3Driver
from dregistry.storage.s3.options import S3Options
from dregistry.testing import InlineThreads

DATE = "Tue, 24 Nov 2026 12:00:00 GMT"


@define(eq=False)
class _Answer:
    """What the agent's callers use of :class:`twisted.web.iweb.IResponse`."""

    code: int
    body: bytes
    fields: dict[str, str]
    length: int = 0
    headers: Headers = field(factory=Headers)

    def __attrs_post_init__(self) -> None:
        self.length = len(self.body)
        self.headers = Headers({name: [value] for name, value in self.fields.items()})

    def deliverBody(self, protocol: Any) -> None:
        protocol.makeConnection(None)
        if self.body:
            protocol.dataReceived(self.body)
        protocol.connectionLost(Failure(ResponseDone()))


@implementer(IAgent)
@define(eq=False)
class StrictService:
    """
    :ivar page: the most that one listing has.
    :ivar latency: seconds of ``clock`` that each request takes; 0 to answer at once.
    """

    page: int = 1000
    latency: float = 0.0
    clock: Clock = field(factory=Clock)
    objects: dict[str, bytes] = field(factory=dict)

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Any = None,
        bodyProducer: Any = None,  # noqa: N803
    ) -> Deferred[Any]:
        parts = urlsplit(uri.decode())
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        key = unquote(parts.path).partition("/bucket/")[2]
        body = _Collected()
        if bodyProducer is not None:
            bodyProducer.startProducing(body)
        fields = {name.decode().lower(): values[0].decode() for name, values in headers.getAllRawHeaders()}
        answer = self._answer(method.decode(), key, query, fields, b"".join(body.pieces))
        if not self.latency:
            return succeed(answer)
        later: Deferred[Any] = Deferred()
        self.clock.callLater(self.latency, later.callback, answer)
        return later

    def _answer(self, method: str, key: str, query: dict[str, str], fields: dict[str, str], body: bytes) -> _Answer:
        if "list-type" in query:
            return _Answer(200, self._listing(query), {})
        if "uploads" in query:
            return _Answer(200, b"<ListMultipartUploadsResult/>", {})
        if "delete" in query:
            for name in re.findall(r"<Key>(.*?)</Key>", body.decode()):
                self.objects.pop(name, None)
            return _Answer(200, b"<DeleteResult/>", {})
        there = self.objects.get(key)
        tag = "" if there is None else md5(there).hexdigest()
        if method == "PUT":
            refused = (fields.get("if-none-match") and there is not None) or fields.get("if-match", tag) != tag
            if refused:
                return _Answer(412, b"", {})
            source = fields.get("x-amz-copy-source")
            if source is not None:
                copied = self.objects[unquote(source).partition("/bucket/")[2]]
                if fields["x-amz-copy-source-if-match"] != md5(copied).hexdigest():
                    return _Answer(412, b"", {})
                self.objects[key] = copied
                return _Answer(200, b"<CopyObjectResult><ETag>a</ETag></CopyObjectResult>", {})
            self.objects[key] = body
            return _Answer(200, b"", {"ETag": f'"{md5(body).hexdigest()}"'})
        if method == "DELETE":
            self.objects.pop(key, None)
            return _Answer(204, b"", {})
        if there is None:
            return _Answer(404, b"", {})
        found = {"ETag": f'"{tag}"', "Last-Modified": DATE, "Date": DATE}
        if method == "HEAD":
            return _Answer(200, b"", {**found, "Content-Length": str(len(there))})
        span = re.fullmatch(r"bytes=(\d+)-(\d+)", fields.get("range", ""))
        if span is None:
            return _Answer(200, there, found)
        first, last = int(span[1]), min(int(span[2]), len(there) - 1)
        if first > last:
            return _Answer(416, b"", {})
        return _Answer(206, there[first : last + 1], {**found, "Content-Range": f"bytes {first}-{last}/{len(there)}"})

    def _listing(self, query: dict[str, str]) -> bytes:
        limit = min(self.page, int(query.get("max-keys", 1000)))
        after = query.get("continuation-token") or query.get("start-after", "")
        found = list(self._entries(query["prefix"], query.get("delimiter", ""), after))
        listed = "".join(
            f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
            if size is None
            else f"<Contents><Key>{escape(name)}</Key><Size>{size}</Size></Contents>"
            for name, size in found[:limit]
        )
        more = len(found) > limit
        token = f"<NextContinuationToken>{escape(found[limit - 1][0])}</NextContinuationToken>" if more else ""
        return (
            f'<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>{str(more).lower()}'
            f"</IsTruncated>{token}{listed}</ListBucketResult>"
        ).encode()

    def _entries(self, prefix: str, delimiter: str, after: str) -> Iterator[tuple[str, int | None]]:
        """Keys and their sizes, and what the delimiter puts together, in the order of the bytes of both."""
        before = ""
        for key in sorted(self.objects):
            if not key.startswith(prefix) or key <= after:
                continue
            rest = key[len(prefix) :]
            if delimiter and delimiter in rest:
                common = prefix + rest.partition(delimiter)[0] + delimiter
                if common not in (before, after):
                    yield common, None
                before = common
            else:
                yield key, len(self.objects[key])


class _Collected:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.pieces.append(data)


def strict_driver(service: StrictService) -> S3Driver:
    """A driver of its bucket; with no latency, every call ends before it returns."""
    options = S3Options("key", "secret", regionendpoint="http://127.0.0.1", bucket="bucket", forcepathstyle=True)
    endpoint = endpoint_of(options)
    client = Client(
        Transport(service, service.clock),
        endpoint,
        options.bucket,
        GivenCredentials(options),
        SignerV4(endpoint.region),
        InlineThreads(),
        service.clock,
        "tests",
        endpoint,
    )
    return S3Driver(options, client)
