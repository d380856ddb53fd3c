"""Tests of :mod:`dregistry.web._responselog`: records of requests, with distribution's field names."""

from __future__ import annotations

import re
import time
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from dregistry import errors
from dregistry.web import ResponseLog, TrustedProxies
from dregistry.web._responselog import _duration

from .requests import request


class ResponseLogTests(SynchronousTestCase):
    def logged(
        self, error: errors.RegistryError | None, code: int, everything: bool = False, uri: str = "/v2/", **headers: str
    ) -> list[tuple[str, str, dict[str, Any]]]:
        """Level, message and fields of what was logged."""
        found: Any = request({name.replace("_", "-"): value for name, value in headers.items()})
        found.uri = uri.encode()
        found.path = found.uri.partition(b"?")[0]
        found.client = IPv4Address("TCP", "192.0.2.1", 31337)
        found.error, found.code, found.sentLength, found.received = error, code, 42, time.monotonic()
        found.responseHeaders.setRawHeaders(b"content-type", [b"application/json"])
        with capturedLogs() as events:
            ResponseLog(TrustedProxies(), everything).log(found)
        return [(event["log_level"].name, event["log_format"], event["fields"]) for event in events]

    def test_completed(self) -> None:
        self.assertEqual(self.logged(None, 200), [])
        [(level, message, fields)] = self.logged(None, 200, everything=True)
        self.assertEqual((level, message), ("info", "response completed"))
        self.assertRegex(fields.pop("http.response.duration"), r"^\d+\.\d+(µs|ms)$")
        self.assertTrue(fields.pop("http.request.id"))
        self.assertEqual(
            fields,
            {
                "http.request.method": "GET",
                "http.request.host": "",
                "http.request.uri": "/v2/",
                "http.request.remoteaddr": "192.0.2.1:31337",
                "http.request.useragent": "",
                "http.response.status": 200,
                "http.response.written": 42,
                "http.response.contenttype": "application/json",
            },
        )

    def test_fault_of_the_client(self) -> None:
        """Clients ask for what is not there all the time: nobody should be woken up for it."""
        [(level, message, fields)] = self.logged(
            errors.ManifestUnknown("a/b", "v1"),
            404,
            uri="/v2/a/b/manifests/v1",
            host="r.example",
            user_agent="docker/1",
            referer="http://x/?token=secret",
            x_request_id="r1",
            content_type="a/b",
        )
        self.assertEqual((level, message), ("info", "response completed with error"))
        for name, value in {
            "err.code": "manifest unknown",
            "err.message": "manifest unknown",
            "err.detail": '{"name": "a/b", "reference": "v1"}',
            "vars.name": "a/b",
            "vars.reference": "v1",
            "http.request.host": "r.example",
            "http.request.id": "r1",
            "http.request.useragent": "docker/1",
            "http.request.contenttype": "a/b",
            "http.response.status": 404,
        }.items():
            self.assertEqual(fields[name], value)

    def test_fault_of_the_registry(self) -> None:
        """With the reason that clients are not told."""
        error = errors.Unavailable("the registry's storage failed")
        error.__cause__ = OSError(28, "No space left on device")
        [(level, _, fields)] = self.logged(error, 503)
        self.assertEqual((level, fields["err.code"]), ("error", "unavailable"))
        self.assertEqual(fields["error"], "OSError: [Errno 28] No space left on device")
        self.assertEqual(LogLevel.lookupByName(level), LogLevel.error)

    def test_variables(self) -> None:
        digest = "sha256:" + "0" * 64
        for path, expected in (
            (f"/v2/a/blobs/{digest}", {"name": "a", "digest": digest}),
            (f"/v2/a/b/referrers/{digest}", {"name": "a/b", "digest": digest}),
            ("/p/v2/a/tags/list", {"name": "a"}),
            ("/v2/a/manifests/b/manifests/c", {"name": "a/manifests/b", "reference": "c"}),
            ("/v2/a/blobs/uploads/", {"name": "a"}),
            ("/v2/a/blobs/uploads/u", {"name": "a", "uuid": "u"}),
            ("/v2/_catalog", {}),
        ):
            [(_, _, fields)] = self.logged(None, 200, everything=True, uri=path)
            found = {name.removeprefix("vars."): fields[name] for name in fields if name.startswith("vars.")}
            self.assertEqual(found, expected, path)

    def test_masked(self) -> None:
        [(_, _, fields)] = self.logged(errors.BadRequest("x"), 400, uri="/v2/a/blobs/uploads/u?_state=secret&a=b")
        self.assertEqual(fields["http.request.uri"], "/v2/a/blobs/uploads/u?_state=*&a=b")

    def test_durations(self) -> None:
        """As Go writes them."""
        for seconds, text in (
            (0.0000015, "1.500µs"),
            (0.0123, "12.300000ms"),
            (1.5, "1.500000000s"),
            (61.0, "1m1.000000000s"),
            (3601.0, "1h0m1.000000000s"),
        ):
            self.assertEqual(_duration(seconds), text)
            self.assertIsNotNone(re.fullmatch(r"(\d+h)?(\d+m)?\d+\.\d+(µs|ms|s)", text))
