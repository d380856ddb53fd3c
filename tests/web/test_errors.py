"""Tests of :mod:`dregistry.web._errors`: each API code has its status, message and form."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.test.requesthelper import DummyRequest
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from dregistry import errors
from dregistry.web._errors import STATUS, answer_failure, write_error

from .requests import answered, request

TABLE = {
    "UNKNOWN": (500, "unknown error"),
    "UNSUPPORTED": (405, "The operation is unsupported."),
    "UNAUTHORIZED": (401, "authentication required"),
    "DENIED": (403, "requested access to the resource is denied"),
    "UNAVAILABLE": (503, "service unavailable"),
    "DIGEST_INVALID": (400, "provided digest did not match uploaded content"),
    "SIZE_INVALID": (400, "provided length did not match content length"),
    "RANGE_INVALID": (416, "invalid content range"),
    "NAME_INVALID": (400, "invalid repository name"),
    "NAME_UNKNOWN": (404, "repository name not known to registry"),
    "MANIFEST_UNKNOWN": (404, "manifest unknown"),
    "MANIFEST_INVALID": (400, "manifest invalid"),
    "MANIFEST_BLOB_UNKNOWN": (400, "blob unknown to registry"),
    "BLOB_UNKNOWN": (404, "blob unknown to registry"),
    "BLOB_UPLOAD_UNKNOWN": (404, "blob upload unknown to registry"),
    "BLOB_UPLOAD_INVALID": (404, "blob upload invalid"),
    "PAGINATION_NUMBER_INVALID": (400, "invalid number of results requested"),
    "TAG_INVALID": (400, "manifest tag did not match URI"),
    "TOOMANYREQUESTS": (429, "too many requests"),
}
"""What distribution v3 answers, by code."""

OWN = {
    errors.BadRequest: (400, "UNSUPPORTED"),
    errors.ManifestTooLarge: (413, "MANIFEST_INVALID"),
    errors.PreconditionFailed: (412, "DENIED"),
    errors.RouteUnknown: (404, "UNSUPPORTED"),
    errors.TooManyTags: (414, "TAG_INVALID"),
}
"""Errors which distribution does not have, or has no API code for."""

SOME = {
    errors.NameUnknown: ("a",),
    errors.BlobUnknown: ("sha256:1",),
    errors.BlobUploadUnknown: ("a-uuid",),
    errors.ManifestUnknown: ("a", "v1"),
    errors.ManifestTooLarge: (3,),
    errors.ManifestBlobUnknown: (["sha256:1", "sha256:2"],),
    errors.PaginationNumberInvalid: (-1,),
}
"""Arguments of errors that need some."""


def all_errors(base: type = errors.RegistryError) -> Iterator[type[errors.RegistryError]]:
    for found in base.__subclasses__():
        if not found.__name__.startswith("_") and found.__module__ == errors.__name__:
            yield found
        yield from all_errors(found)


class StatusTests(SynchronousTestCase):
    def answer(self, error: errors.RegistryError) -> tuple[DummyRequest, dict[str, Any]]:
        found = request()
        body = write_error(found, error)
        self.assertTrue(body.endswith(b"\n"))
        self.assertEqual(answered(found)["content-type"], "application/json")
        self.assertEqual(answered(found)["content-length"], str(len(body)))
        return found, json.loads(body)

    def test_all_have_one(self) -> None:
        """But for the one that nobody reads the answer to."""
        self.assertEqual(set(all_errors()) - set(STATUS), {errors.ClientDisconnected})
        self.assertEqual(set(STATUS) - set(all_errors()), set())

    def test_table(self) -> None:
        """Every code and every status is distribution's, where it has such an error."""
        seen = set()
        for kind in (errors.RegistryError, *all_errors()):
            if kind in OWN or kind is errors.ClientDisconnected:
                continue
            found, document = self.answer(kind(*SOME.get(kind, ())))
            status, message = TABLE[kind.code]
            seen.add(kind.code)
            self.assertEqual(found.responseCode, status, kind)
            for entry in document["errors"]:
                self.assertEqual((entry["code"], entry["message"]), (kind.code, message))
        self.assertEqual(seen, set(TABLE))

    def test_own(self) -> None:
        for kind, (status, code) in OWN.items():
            found, document = self.answer(kind(*SOME.get(kind, ())))
            self.assertEqual((found.responseCode, document["errors"][0]["code"]), (status, code))

    def test_details(self) -> None:
        for error, details in (
            (errors.NameUnknown("a"), [{"name": "a"}]),
            (errors.BlobUnknown("sha256:1"), ["sha256:1"]),
            (errors.BlobUploadUnknown("u"), [{"uuid": "u"}]),
            (errors.ManifestBlobUnknown(["sha256:1", "sha256:2"]), ["sha256:1", "sha256:2"]),
            (errors.ManifestUnknown("a", "v1"), [{"name": "a", "reference": "v1"}]),
            (errors.ManifestUnknown("a", "v1", "why"), [{"name": "a", "reference": "v1", "reason": "why"}]),
            (errors.PaginationNumberInvalid("x"), [{"n": "x"}]),
            (errors.PaginationNumberInvalid(-1), [{"n": -1}]),
            (errors.NameInvalid("why \u00e4"), ["why \u00e4"]),
            (errors.NameInvalid(), [None]),
        ):
            _, document = self.answer(error)
            self.assertEqual([entry.get("detail") for entry in document["errors"]], details)
            self.assertEqual("detail" in document["errors"][0], details != [None])

    def test_text(self) -> None:
        """For logs."""
        self.assertEqual(str(errors.BlobUnknown("x")), "BLOB_UNKNOWN: blob unknown to registry (x)")
        self.assertEqual(str(errors.NameInvalid()), "NAME_INVALID: invalid repository name")

    def test_headers(self) -> None:
        found, _ = self.answer(errors.RangeInvalid("why", size=7))
        self.assertEqual(answered(found)["content-range"], "bytes */7")
        found, _ = self.answer(errors.RangeInvalid("why", size=0))
        self.assertEqual(answered(found)["content-range"], "bytes */0")
        found, _ = self.answer(errors.RangeInvalid("why"))
        self.assertNotIn("content-range", answered(found))
        found, _ = self.answer(errors.Unsupported("why", ["PUT", "GET"]))
        self.assertEqual(answered(found)["allow"], "GET, PUT")
        found, _ = self.answer(errors.Unsupported("why"))
        self.assertEqual(answered(found)["allow"], "")
        self.assertNotIn("retry-after", answered(found))
        found, _ = self.answer(errors.Unsupported("why", ["GET"], 60))
        self.assertEqual(answered(found)["retry-after"], "60")
        found, _ = self.answer(errors.Unauthorized(['Basic realm="r"', 'Bearer realm="\u00e4"']))
        values = found.responseHeaders.getRawHeaders(b"www-authenticate")
        self.assertEqual(values, [b'Basic realm="r"', 'Bearer realm="\u00e4"'.encode()])
        found, _ = self.answer(errors.TooManyRequests("why", 7))
        self.assertEqual((found.responseCode, answered(found)["retry-after"]), (429, "7"))


class FailureTests(SynchronousTestCase):
    def answer(self, error: Exception, method: bytes = b"GET", **headers: str) -> tuple[DummyRequest, bytes]:
        found = request(method=method)
        for name in ("content-length", "content-range", "etag", "cache-control", "docker-content-digest"):
            found.setHeader(name.encode(), b"of the answer that was to be")
        body = answer_failure(found, Failure(error))
        assert body is not None
        self.assertEqual(answered(found)["content-length"], str(len(body)))
        for name in ("content-range", "etag", "cache-control"):
            self.assertNotIn("to be", answered(found).get(name, ""))
        return found, body

    def code(self, body: bytes) -> str:
        [entry] = json.loads(body)["errors"]
        return entry["code"]

    def test_of_the_api(self) -> None:
        found, body = self.answer(errors.BlobUnknown("x"))
        self.assertEqual((found.responseCode, self.code(body)), (404, "BLOB_UNKNOWN"))

    def test_range(self) -> None:
        found, _ = self.answer(errors.RangeInvalid("x", size=3))
        self.assertEqual((found.responseCode, answered(found)["content-range"]), (416, "bytes */3"))

    def test_no_route(self) -> None:
        for error in (NotFound(), HTTPException("teapot")):
            found, body = self.answer(error)
            self.assertEqual((found.responseCode, self.code(body)), (404, "UNSUPPORTED"))

    def test_method(self) -> None:
        for valid, allow in ((["PUT", "GET"], "GET, PUT"), (None, "")):
            found, body = self.answer(MethodNotAllowed(valid))
            self.assertEqual((found.responseCode, self.code(body)), (405, "UNSUPPORTED"))
            self.assertEqual(answered(found).get("allow"), allow)

    def test_options(self) -> None:
        found, body = self.answer(MethodNotAllowed(["PUT", "GET"]), b"OPTIONS")
        self.assertEqual((found.responseCode, body, answered(found)["allow"]), (None, b"", "GET, PUT"))

    def test_redirect(self) -> None:
        """To the path alone: the host that routing knows is not the client's."""
        found, body = self.answer(RequestRedirect("http://localhost/v2/"))
        self.assertEqual((found.responseCode, body, answered(found)["location"]), (301, b"", "/v2/"))

    def test_anything_else(self) -> None:
        """It is logged, and not shown."""
        found, body = self.answer(KeyError("a secret"))
        self.assertEqual((found.responseCode, self.code(body)), (500, "UNKNOWN"))
        self.assertNotIn(b"secret", body)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_after_the_beginning(self) -> None:
        """All that is left to do is to break off."""
        for error in (KeyError("x"), errors.BlobUnknown("x")):
            found = request()
            found.startedWriting = 1
            self.assertIsNone(answer_failure(found, Failure(error)))
            self.assertTrue(found.transport.aborted)
            self.assertEqual((found.responseCode, answered(found)), (None, {}))
        self.assertEqual(len(self.flushLoggedErrors()), 2)
