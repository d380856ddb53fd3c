"""
Certificates, and both sides of a TLS connection in memory.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import trustme
from OpenSSL import SSL
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from dregistry.config import Tls
from dregistry.tls._certificates import Certificates
from dregistry.tls._transport import TlsFactory

from ..storage.support import temporary_directory
from ..web.channel import HandlerSite, Transport


class Authority:
    """Issues certificates, into files of a folder."""

    def __init__(self, folder: str, key_type: trustme.KeyType = trustme.KeyType.ECDSA) -> None:
        self._folder = folder
        self._key_type = key_type
        self._authority = trustme.CA(key_type=key_type)
        self.pem: bytes = self._authority.cert_pem.bytes()
        self.file = self.write("ca.pem", self.pem)

    def write(self, name: str, data: bytes) -> str:
        path = os.path.join(self._folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def issue(self, *names: str, common_name: str | None = None) -> trustme.LeafCert:
        return self._authority.issue_cert(*(names or ("localhost", "127.0.0.1")), common_name=common_name)

    def pair(self, *names: str, name: str = "server") -> dict[str, str]:
        """The keys of ``http.tls`` for a new certificate, which replaces one of the same name."""
        issued = self.issue(*names)
        return {
            "certificate": self.write(f"{name}.pem", b"".join(each.bytes() for each in issued.cert_chain_pems)),
            "key": self.write(f"{name}.key", issued.private_key_pem.bytes()),
        }

    def client_file(self, name: str = "alice") -> str:
        """A file with a client's certificate and key."""
        issued = self.issue(f"{name}@example.org", common_name=name)
        return self.write(f"{name}.both", issued.private_key_and_cert_chain_pem.bytes())


class TlsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = temporary_directory(self)
        self.authority = Authority(self.folder)
        self.clock = Clock()

    def section(self, **more: Any) -> Tls:
        """``http.tls``, with a good certificate."""
        return Tls(**{**self.authority.pair(), **more})

    def client_context(self, certificate: str | None = None) -> SSL.Context:
        """Of a client that trusts the authority."""
        context = SSL.Context(SSL.TLS_METHOD)
        context.load_verify_locations(self.authority.file)
        context.set_verify(SSL.VERIFY_PEER, lambda *found: bool(found[-1]))
        if certificate is not None:
            context.use_certificate_file(certificate)
            context.use_privatekey_file(certificate)
        return context

    def connect(
        self,
        tls: Tls | None = None,
        context: SSL.Context | None = None,
        handler: Callable[[Any], Awaitable[bytes]] | None = None,
    ) -> Link:
        certificates = Certificates(tls or self.section(), self.clock, "config.yml")
        return Link(certificates, context or self.client_context(), self.clock, handler or hello)


async def hello(request: Any) -> bytes:
    return b"hello"


class Link:
    """
    A client of a site whose requests go to one coroutine function.

    :ivar transport: of the server, without a socket; what is written there is what goes over the wire.
    """

    def __init__(
        self, certificates: Any, context: SSL.Context, clock: Clock, handler: Callable[[Any], Awaitable[bytes]]
    ) -> None:
        self.site = HandlerSite(handler, clock)
        self.factory = TlsFactory(certificates, self.site, clock)
        self.transport = Transport()
        self.server: Any = self.factory.buildProtocol(None)
        self.server.makeConnection(self.transport)
        self.channel = self.server.wrappedProtocol
        self.client = SSL.Connection(context, None)
        self.client.set_connect_state()
        self.received = b""
        self.error: SSL.Error | None = None
        self.ended = False

    def pump(self) -> Link:
        """Let all bytes go to the other side, until both have nothing more to say."""
        while True:
            before = len(self.received)
            self._step()
            moved = self._to_server() | self._to_client()
            if not moved and len(self.received) == before:
                return self

    def _step(self) -> None:
        try:
            self.client.do_handshake()
            while True:
                self.received += self.client.recv(1 << 16)
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error as error:
            self.error = self.error or error

    def _to_server(self) -> bool:
        try:
            data = self.client.bio_read(1 << 20)
        except SSL.WantReadError:
            return False
        self.server.dataReceived(data)
        return True

    def _to_client(self) -> bool:
        data = self.transport.value()
        self.transport.clear()
        if data:
            self.client.bio_write(data)
        return bool(data)

    def ask(self, data: bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n") -> bytes:
        """What came in answer."""
        self.pump()
        before = len(self.received)
        self.client.sendall(data)
        self.pump()
        return self.received[before:]

    def lose(self) -> None:
        """The client is gone."""
        self.server.connectionLost(Failure(ConnectionDone()))

    @property
    def established(self) -> bool:
        """Whether both sides say so."""
        return bool(self.server._handshakeDone) and self.error is None
