"""Tests of :mod:`dregistry.metrics.http`: requests over connections, as they are counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from dregistry.auth import Access, AccessControl, Credential, Grant
from dregistry.digest import Digest
from dregistry.metrics.families import (
    AUTH_FAILURES,
    HTTP_DURATION,
    HTTP_IN_FLIGHT,
    HTTP_REQUEST_SIZE,
    HTTP_REQUESTS,
    HTTP_RESPONSE_SIZE,
    UPLOADS,
)
from dregistry.metrics.http import HttpMetrics
from dregistry.registry import Registry
from dregistry.web import Api, RegistrySite

from ..registry.support import RegistryCase
from ..web.app import Doorkeeper, guarded
from ..web.channel import Transport
from .support import Counted

DIGEST = Digest.of(b"nothing")


class HttpCase(RegistryCase):
    def setUp(self) -> None:
        super().setUp()
        self.counted = Counted()
        self.now = 100.0
        self.serve()

    def serve(self, access: AccessControl | None = None) -> None:
        metrics = HttpMetrics(self.counted.recorder, lambda: self.now)
        api = Api(Registry(self.core()), access=access, metrics=metrics)
        self.site = RegistrySite(api, Clock())

    def connect(self) -> tuple[Any, Transport]:
        channel: Any = self.site.buildProtocol(None)
        transport = Transport()
        channel.makeConnection(transport)
        self.addCleanup(channel.connectionLost, Failure(ConnectionLost()))
        return channel, transport

    def ask(self, method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
        channel, transport = self.connect()
        lines = [f"{method} {path} HTTP/1.1", "Host: r", f"Content-Length: {len(body)}", *headers, "", ""]
        channel.dataReceived("\r\n".join(lines).encode() + body)
        return transport.value()

    def requests(self) -> dict[tuple[str, ...], float]:
        return {labels: values[0] for labels, values in self.counted.values(HTTP_REQUESTS).items()}


class RequestTests(HttpCase):
    def test_each_handler(self) -> None:
        """By distribution's names, with method and code."""
        self.ask("GET", "/v2/")
        self.ask("GET", "/v2/")
        self.ask("HEAD", "/v2/")
        self.ask("GET", "/v2/_catalog")
        self.ask("GET", "/v2/a/tags/list")
        self.ask("GET", "/v2/a/manifests/t")
        self.ask("GET", f"/v2/a/blobs/{DIGEST}")
        self.ask("POST", "/v2/a/blobs/uploads/")
        self.ask("PATCH", "/v2/a/blobs/uploads/00000000-0000-0000-0000-000000000000", b"x")
        self.ask("GET", f"/v2/a/referrers/{DIGEST}")
        self.assertEqual(
            self.requests(),
            {
                ("base", "get", "200"): 2,
                ("base", "head", "200"): 1,
                ("catalog", "get", "200"): 1,
                ("tags", "get", "404"): 1,
                ("manifest", "get", "404"): 1,
                ("blob", "get", "404"): 1,
                ("blob_upload", "post", "202"): 1,
                ("blob_upload_chunk", "patch", "404"): 1,
                ("referrers", "get", "200"): 1,
            },
        )
        self.assertEqual({values[0] for values in self.counted.values(HTTP_IN_FLIGHT).values()}, {0})

    def test_probes_and_unknown_paths(self) -> None:
        """They are not counted, as in distribution."""
        for path in ("/", "/livez", "/readyz", "/nowhere", "/v2/a/nowhere"):
            self.ask("GET", path)
        self.assertEqual(self.requests(), {})

    def test_sizes(self) -> None:
        """Of a request, its head and its body; of an answer, its body."""
        self.ask("POST", f"/v2/a/blobs/uploads/?digest={Digest.of(bytes(3000))}", bytes(3000))
        [values] = [self.counted.values(HTTP_REQUEST_SIZE)["blob_upload",]]
        self.assertEqual((values[0:3], values[2]), ([0, 0, 1], 1))
        self.assertGreater(values[-1], 3000 + len("POST /v2/a/blobs/uploads/?digest="))
        self.assertLess(values[-1], 3300)
        self.ask("GET", f"/v2/a/blobs/{Digest.of(bytes(3000))}")
        values = self.counted.values(HTTP_RESPONSE_SIZE)["blob",]
        self.assertEqual((values[2], values[-1]), (1, 3000))

    def test_pipelined(self) -> None:
        channel, transport = self.connect()
        channel.dataReceived(b"GET /v2/ HTTP/1.1\r\nHost: r\r\n\r\n" * 3)
        self.assertEqual(transport.value().count(b"200 OK"), 3)
        self.assertEqual(self.counted.value(HTTP_DURATION, "base", "get"), 3)
        self.assertEqual(self.counted.value(HTTP_IN_FLIGHT, "base"), 0)


class UnderWayTests(HttpCase):
    def begin(self) -> Any:
        """An upload whose body has not come to its end."""
        answer = self.ask("POST", "/v2/a/blobs/uploads/")
        place = answer.partition(b"Location: ")[2].partition(b"\r\n")[0].partition(b"/v2/")[2].decode()
        channel, _ = self.connect()
        channel.dataReceived(f"PATCH /v2/{place} HTTP/1.1\r\nHost: r\r\nContent-Length: 10\r\n\r\nabc".encode())
        return channel

    def test_in_flight(self) -> None:
        channel = self.begin()
        self.assertEqual(self.counted.value(HTTP_IN_FLIGHT, "blob_upload_chunk"), 1)
        self.assertEqual(self.counted.value(UPLOADS), 1)
        self.now += 3
        channel.dataReceived(b"defghij")
        self.assertEqual(self.counted.value(HTTP_IN_FLIGHT, "blob_upload_chunk"), 0)
        self.assertEqual(self.counted.value(UPLOADS), 0)
        values = self.counted.values(HTTP_DURATION)["blob_upload_chunk", "patch"]
        self.assertEqual((values[HTTP_DURATION.bounds.index(5.0)], values[-1]), (1, 3.0))

    def test_client_gone(self) -> None:
        """Once."""
        channel = self.begin()
        channel.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.counted.value(HTTP_IN_FLIGHT, "blob_upload_chunk"), 0)
        self.assertEqual(self.requests()["blob_upload_chunk", "patch", "499"], 1)


class AccessTests(HttpCase):
    def test_reasons(self) -> None:
        self.serve(guarded(("a", "pull")))
        self.ask("GET", "/v2/a/tags/list")
        self.assertEqual(self.counted.values(AUTH_FAILURES), {})
        self.ask("GET", "/v2/b/tags/list")
        self.ask("GET", "/v2/b/tags/list", b"", "Authorization: alice x")
        self.ask("GET", "/v2/b/tags/list", b"", "Authorization: bob x")
        values = {labels[0]: found[0] for labels, found in self.counted.values(AUTH_FAILURES).items()}
        self.assertEqual(values, {"anonymous": 1, "denied": 2})
        self.assertEqual(self.requests()["tags", "get", "401"], 1)

    def test_wrong_credentials(self) -> None:
        class Stranger(Doorkeeper):
            async def authenticate(self, credential: Credential, accesses: Sequence[Access]) -> Grant | None:
                return None

        self.serve(guarded(keeper=Stranger()))
        self.ask("GET", "/v2/b/tags/list", b"", "Authorization: alice x")
        self.assertEqual(self.counted.value(AUTH_FAILURES, "credentials"), 1)
