"""
A service on a socket that answers as a test says, well or badly.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from dregistry.storage.s3.driver import S3Driver, make_driver
from dregistry.storage.s3.options import S3Options
from dregistry.testing import pooled_threads


class Asked(NamedTuple):
    """A request that came, whole."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Step = Callable[[Any], None]
"""Does something to the transport of a request."""


def reply(status: int, body: bytes | str = b"", **headers: str) -> Step:
    """Answer; underscores in the names of headers stand for dashes."""
    return cut(None, status, body, **headers)


def cut(end: int | None, status: int, body: bytes | str = b"", **headers: str) -> Step:
    """Answer with the first ``end`` bytes of a body, and close the connection in the middle of it."""
    content = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": str(len(content)), **{name.replace("_", "-"): text for name, text in headers.items()}}
    head = f"HTTP/1.1 {status} Whatever\r\n" + "".join(f"{name}: {text}\r\n" for name, text in fields.items())

    def step(transport: Any) -> None:
        transport.write(head.encode() + b"\r\n" + content[:end])
        if end is not None:
            transport.loseConnection()

    return step


def drop(transport: Any) -> None:
    """Close the connection instead of an answer."""
    transport.abortConnection()


def stall(transport: Any) -> None:
    """Never answer."""


def error(status: int, code: str, more: str = "", **headers: str) -> Step:
    """Answer as S3 does when it refuses."""
    return reply(status, f"<?xml version='1.0'?><Error><Code>{code}</Code>{more}</Error>", **headers)


class _Connection(Protocol):
    def __init__(self, service: ScriptedService) -> None:
        self._service = service
        self._data = b""

    def connectionMade(self) -> None:
        self._service.connections.add(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._service.connections.discard(self)

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        head, end, rest = self._data.partition(b"\r\n\r\n")
        if not end:
            return
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): text for name, _, text in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._data = rest[length:]
        method, target, _ = first.split(" ")
        self._service.asked.append(Asked(method, target, headers, rest[:length]))
        step = self._service.steps.pop(0) if self._service.steps else reply(500, "the script is over")
        step(self.transport)


class ScriptedService(Factory):
    """
    :ivar steps: for the requests to come, in their order.
    :ivar asked: what came.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.asked: list[Asked] = []
        self.connections: set[_Connection] = set()
        self._port: Any = None

    def buildProtocol(self, addr: Any) -> _Connection:
        return _Connection(self)

    def start(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.asked.clear()

    def listen(self, certificate: Any = None) -> str:
        """
        Its URL.

        :param certificate: a :class:`twisted.internet.ssl.PrivateCertificate`, to speak TLS.
        """
        network: Any = reactor
        if certificate is None:
            self._port = network.listenTCP(0, self, interface="127.0.0.1")
            return f"http://127.0.0.1:{self._port.getHost().port}"
        self._port = network.listenSSL(0, self, certificate.options(), interface="127.0.0.1")
        return f"https://localhost:{self._port.getHost().port}"

    async def stop(self) -> None:
        if self._port is not None:
            port, self._port = self._port, None
            await port.stopListening()
        for connection in list(self.connections):
            connection.transport.abortConnection()  # type: ignore[union-attr]
        await deferLater(reactor, 0)

    def targets(self) -> Sequence[str]:
        return [f"{asked.method} {asked.target}" for asked in self.asked]


def scripted_driver(case: Any, certificate: Any = None, **options: Any) -> tuple[ScriptedService, S3Driver]:
    """A service, and a driver of its bucket which waits for nothing before it asks again."""
    service = ScriptedService()
    made = S3Options(
        **{
            "regionendpoint": service.listen(certificate),
            "bucket": "bucket",
            "region": "us-east-1",
            "accesskey": "access-key",
            "secretkey": "secret-key",
            "conditionalwrites": False,
            **options,
        }
    )
    driver = make_driver(made, reactor, pooled_threads(case), jitter=lambda longest: 0.0)
    case.addCleanup(service.stop)
    case.addCleanup(driver.close)
    return service, driver
