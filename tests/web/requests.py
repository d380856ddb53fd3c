"""Requests without a server: what modules of ``dregistry.web`` look at, and what was answered."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.web.test.requesthelper import DummyChannel, DummyRequest


def request(
    headers: dict[str, str] | None = None, secure: bool = False, host: Any = None, method: bytes = b"GET"
) -> DummyRequest:
    """
    A request as Twisted's own tests make it.

    :param host: the address that it came to.
    """
    found = DummyRequest([b"v2", b""])
    found.method = method
    found.uri = found.path = b"/v2/"
    found.client = IPv4Address("TCP", "192.0.2.1", 31337)
    found.getHost = lambda: host or IPv4Address("TCP", "192.0.2.2", 5000)  # type: ignore[method-assign]
    found.isSecure = lambda: secure  # type: ignore[attr-defined]
    found.startedWriting = 0  # type: ignore[attr-defined]
    found.transport = Transport()  # type: ignore[attr-defined]
    for name, value in (headers or {}).items():
        found.requestHeaders.addRawHeader(name.encode(), value.encode("latin-1"))
    return found


class Transport(DummyChannel.TCP):
    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True


def answered(found: DummyRequest) -> dict[str, str]:
    """The headers of the answer."""
    return {
        name.decode().lower(): ",".join(value.decode("latin-1") for value in values)
        for name, values in found.responseHeaders.getAllRawHeaders()
    }
