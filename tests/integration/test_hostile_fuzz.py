"""Whatever bytes arrive, the server answers or closes, never with a failure of its own, and goes on serving."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from .raw import ABSENT, OCI_MANIFEST, ServedTestCase, image, sha256

FUZZ = settings(
    max_examples=250, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None
)
METHODS = st.sampled_from([b"GET", b"HEAD", b"PUT", b"POST", b"PATCH", b"DELETE", b"OPTIONS", b"get", b"", b"\xff"])
_WORDS = (
    b"/v2/ / x blobs manifests uploads/ tags/list _catalog referrers .. ? %2F %00 %ff % digest= n= last= & = mount="
)
_WORDS += b" from= # : // sha256: latest http:// * ; \xc3\xa9"
PIECES = st.one_of(
    st.sampled_from([*_WORDS.split(), ABSENT.encode(), sha256(b"").encode()]),
    st.binary(max_size=6),
)
TARGETS = st.lists(PIECES, max_size=12).map(b"".join)
_NAMES = b"Host Content-Length Transfer-Encoding Content-Type Range Content-Range Expect Accept If-None-Match If-Match"
_NAMES += b" If-Range Connection Forwarded X-Forwarded-Host Cookie TE Upgrade Authorization \xff X\0"
NAMES = st.sampled_from([*_NAMES.split(), b"", b" Host", b"Content-Length "])
_VALUES = b"0 5 -1 chunked identity 100-continue bytes=0-1 bytes= 0-4 close * keep-alive application/octet-stream"
_VALUES += b' "x" a,b;q=0 for=x;host=y ' + OCI_MANIFEST.encode()
VALUES = st.one_of(st.sampled_from(_VALUES.split()), st.binary(max_size=20))
LINES = st.lists(st.tuples(NAMES, VALUES).map(b": ".join), max_size=6)
ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"\r\n ", b"\0\r\n"])
BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([b"5\r\nhello\r\n0\r\n\r\n", b"0\r\n\r\n", b"ffffffffffffffffff\r\n", image(b""), b"{", b"[" * 40]),
)


@st.composite
def messages(draw: Any) -> bytes:
    end = draw(ENDS)
    version = draw(st.sampled_from([*[b"HTTP/1.1"] * 4, b"HTTP/1.0", b"HTTP/0.9", b"", b"HTTP/2.0"]))
    first = b" ".join([draw(METHODS), draw(TARGETS), version]) + draw(st.sampled_from([b"\r\nHost: x"] * 5 + [b""]))
    return end.join([first, *draw(LINES)]) + b"\r\n\r\n" + draw(BODIES)


class FuzzTests(ServedTestCase):
    def survives(self, sent: bytes) -> None:
        """The connection is closed in time after all is sent; each answer in what came back is a sane one."""
        with self.peer() as peer:
            received = peer.send(sent).end().rest()
        for status in re.findall(rb"^HTTP/1\.1 (\d+)", received, re.MULTILINE):
            self.assertLess(int(status), 500, (sent, received))

    @FUZZ
    @given(st.binary(max_size=300))
    @example(b"\r\n\r\n\r\n")
    @example(b"\0" * 100)
    def test_bytes(self, sent: bytes) -> None:
        self.survives(sent)

    @FUZZ
    @given(st.lists(messages(), min_size=1, max_size=3))
    def test_messages(self, sent: list[bytes]) -> None:
        self.survives(b"".join(sent))

    @FUZZ
    @given(messages(), st.integers(1, 400))
    def test_messages_in_two_parts(self, sent: bytes, cut: int) -> None:
        with self.peer() as peer:
            peer.send(sent[:cut], sent[cut:]).end().rest()

    @FUZZ
    @given(METHODS, TARGETS, LINES, st.binary(max_size=60))
    def test_requests_that_are_complete_are_answered(
        self, method: bytes, target: bytes, lines: list[bytes], body: bytes
    ) -> None:
        """Without a close by the client, so that nothing but an answer or a close by the server can end it."""
        lines = [line for line in lines if not line.startswith((b"Content-Length: ", b"Transfer-Encoding: "))]
        head = [
            b" ".join([method, target, b"HTTP/1.1"]),
            *lines,
            b"Content-Length: %d" % len(body),
            b"Connection: close",
        ]
        head = [line.replace(b"\r", b"").replace(b"\n", b"") for line in head]
        with self.peer() as peer:
            peer.send(b"\r\n".join(line for line in head if line) + b"\r\n\r\n" + body)
            received = peer.rest()
        self.assertRegex(received.decode("latin-1"), r"^HTTP/1\.1 [1-4]\d\d ")

    @FUZZ
    @given(st.binary(max_size=80))
    def test_chunks(self, body: bytes) -> None:
        head = b"POST /v2/fuzz/blobs/uploads/?digest=%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.survives(head % ABSENT.encode() + body)

    @FUZZ
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(ABSENT),
            lambda below: (
                st.lists(below, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["schemaVersion", "mediaType", "config", "layers", "digest", "size", "annotations"])
                    | st.sampled_from(["manifests", "subject", "urls", "platform", "artifactType", "os"]),
                    below,
                )
            ),
            max_leaves=12,
        ),
        st.sampled_from([OCI_MANIFEST, "", "application/json", OCI_MANIFEST.replace("manifest", "index")]),
    )
    def test_documents(self, document: Any, media_type: str) -> None:
        if isinstance(document, dict):
            document["schemaVersion"] = 2
        with self.peer() as peer:
            content = repr(document).replace("'", '"').replace("None", "null").encode("utf-8", "surrogatepass")
            self.assertLess(peer.push_manifest("fuzz", "t", content, media_type).status, 500)
