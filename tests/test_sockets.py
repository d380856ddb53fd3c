"""Tests of :mod:`dregistry.sockets`: what systemd hands over, endpoints of Twisted's, and when which is used."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from dregistry import sockets
from dregistry.config import ConfigError, Configuration, Http, Tls
from dregistry.sockets import (
    Listening,
    adopt,
    check_endpoint,
    inherited_socket,
    is_shareable,
    listen,
    listen_at,
    parse_endpoint,
    started_with,
)

from .storage.support import temporary_directory


class Mixin:
    def listening(self, family: int = socket.AF_INET, kind: int = socket.SOCK_STREAM) -> socket.socket:
        made = socket.socket(family, kind)
        self.addCleanup(made.close)
        made.bind(("127.0.0.1", 0) if family == socket.AF_INET else os.path.join(temporary_directory(self), "s"))
        if kind == socket.SOCK_STREAM:
            made.listen()
        return made

    def inherited(self, made: socket.socket) -> int:
        """A descriptor of the same socket, as it would have been handed over."""
        return os.dup(made.fileno())

    def environ(self, count: int | str = 1, pid: int | None = None) -> dict[str, str]:
        return {"LISTEN_PID": str(os.getpid() if pid is None else pid), "LISTEN_FDS": str(count)}

    def reached(self, address: Any, family: int = socket.AF_INET) -> bool:
        with socket.socket(family) as client:
            client.settimeout(5)
            return client.connect_ex(address) == 0


class InheritedTests(Mixin, SynchronousTestCase):
    def test_socket(self) -> None:
        """Of any family; it does not block, and is not handed on by accident."""
        for family in (socket.AF_INET, socket.AF_UNIX):
            made = self.listening(family)
            first = self.inherited(made)
            found = inherited_socket(self.environ(), first)
            assert found is not None
            self.addCleanup(found.close)
            self.assertEqual((found.family, found.getsockname()), (family, made.getsockname()))
            self.assertFalse(found.getblocking())
            self.assertFalse(os.get_inheritable(found.fileno()))
            self.assertRaises(OSError, os.fstat, first)

    def test_none(self) -> None:
        for environ in ({}, self.environ(0), self.environ(1, pid=1), self.environ("x"), {"LISTEN_FDS": "1"}):
            self.assertIsNone(inherited_socket(environ, 999))

    def test_several(self) -> None:
        """As with distribution, that is an error."""
        error = self.assertRaises(ValueError, inherited_socket, self.environ(2), 999)
        self.assertEqual(str(error), "there are 2 sockets, and there must be one")

    def test_that_does_not_listen(self) -> None:
        for made in (self.listening(kind=socket.SOCK_DGRAM), *socket.socketpair()):
            self.addCleanup(made.close)
            first = self.inherited(made)
            self.addCleanup(os.close, first)
            self.assertRaises(ValueError, inherited_socket, self.environ(), first)

    def test_nothing_there(self) -> None:
        self.assertRaises(OSError, inherited_socket, self.environ(), 999)

    def test_variables(self) -> None:
        """Those of the start, whatever was taken out since."""
        self.assertEqual(started_with()["PATH"], os.environ["PATH"])


class ListenTests(Mixin, TestCase):
    def listen(self, http: Http, environ: Any = None) -> Listening:
        found = listen(http.net, http.addr, http.endpoint, reactor, environ or {})
        self.addCleanup(lambda: Deferred.fromCoroutine(found.close()))
        return found

    def exit(self, http: Http, environ: Any = None) -> str:
        arguments = http.net, http.addr, http.endpoint, reactor, environ or {}
        return str(self.assertRaises(SystemExit, listen, *arguments).code)

    def test_address(self) -> None:
        found = self.listen(Http(addr="127.0.0.1:0"))
        self.assertEqual(found.place, "127.0.0.1:0")
        self.assertTrue(self.reached(found.socket.getsockname()))

    def test_bad_address(self) -> None:
        self.assertTrue(self.exit(Http(addr="nonsense")).startswith("http.addr: cannot listen on 'nonsense': "))

    def test_systemd_wins(self) -> None:
        """Over whatever the file says."""
        made = self.listening()
        self.patch(sockets, "inherited_socket", lambda environ: made)
        found = self.listen(Http(addr="nonsense", endpoint="nonsense"))
        self.assertIs(found.socket, made)

    def test_bad_socket(self) -> None:
        self.assertEqual(self.exit(Http(), self.environ(2)), "LISTEN_FDS: there are 2 sockets, and there must be one")

    def test_endpoint(self) -> None:
        found = self.listen(Http(addr="nonsense", endpoint="tcp:0:interface=127.0.0.1"))
        first = found.socket
        self.assertTrue(self.reached(first.getsockname()))
        self.assertFalse(first.getblocking())

    async def test_unix_endpoint(self) -> None:
        """Its socket is gone when it is closed."""
        path = os.path.join(temporary_directory(self), "s")
        found = self.listen(Http(endpoint=f"unix:{path}:mode=600"))
        self.assertTrue(self.reached(path, socket.AF_UNIX))
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        await found.close()
        self.assertFalse(os.path.exists(path))

    def test_taken_endpoint(self) -> None:
        port = self.listening().getsockname()[1]
        said = self.exit(Http(endpoint=f"tcp:{port}:interface=127.0.0.1"))
        self.assertIn(f"http.endpoint: cannot listen at 'tcp:{port}:interface=127.0.0.1': ", said)
        self.assertIn("in use", said)

    def test_endpoint_of_no_systemd(self) -> None:
        said = self.exit(Http(endpoint="systemd:domain=INET:index=0"))
        self.assertIn("http.endpoint: cannot listen at 'systemd:", said)

    def test_endpoint_that_takes_its_time(self) -> None:
        class Slow:
            def listen(self, factory: Any) -> Any:
                return Deferred()

        self.patch(sockets, "parse_endpoint", lambda text, reactor: Slow())
        error = self.assertRaises(SystemExit, listen_at, "slow:", reactor, None)
        self.assertIn("does not listen at once", str(error.code))


class AdoptTests(Mixin, TestCase):
    async def test_unix(self) -> None:
        """What the path leads to is not this process's to change."""
        made = self.listening(socket.AF_UNIX)
        path = made.getsockname()
        os.chmod(path, 0o600)
        made.setblocking(False)
        port = adopt(reactor, made, Factory.forProtocol(Protocol))
        self.assertTrue(self.reached(path, socket.AF_UNIX))
        await maybeDeferred(port.stopListening)
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertTrue(self.reached(path, socket.AF_UNIX))  # whoever has it may go on

    async def test_tcp(self) -> None:
        made = self.listening()
        made.setblocking(False)
        port = adopt(reactor, made, Factory.forProtocol(Protocol))
        self.assertEqual(port.getHost().port, made.getsockname()[1])
        await maybeDeferred(port.stopListening)


class CheckTests(Mixin, SynchronousTestCase):
    def fault(self, endpoint: str, **more: Any) -> str | None:
        try:
            check_endpoint(Configuration(http=Http(endpoint=endpoint, **more)), "f")
        except ConfigError as error:
            [problem] = error.problems
            self.assertEqual(problem.path, "http.endpoint")
            return problem.message
        return None

    def test_good(self) -> None:
        for endpoint in ("", "tcp:5000", "tcp6:5000:interface=\\:\\:1", "unix:/run/a", "systemd:domain=INET:index=0"):
            for workers in (None, 1, 4):
                self.assertIsNone(self.fault(endpoint, workers=workers), endpoint)
            self.assertIsNone(self.fault(endpoint, tls=Tls(certificate="a", key="b")))
            self.assertTrue(is_shareable(endpoint))

    def test_bad(self) -> None:
        for endpoint in (
            "nonsense",
            "tcp:",
            "tcp:nonsense",
            "tcp:1:2:3:4:5",
            "unix",
            "floppy:1",
            "ssl:443:privateKey=/no",
        ):
            found = self.fault(endpoint)
            self.assertIn("no endpoint of Twisted's: ", str(found), endpoint)

    def test_that_cannot_be_shared(self) -> None:
        """By default one process serves it; to ask for more is a fault."""
        self.assertFalse(is_shareable("stdio:"))
        found = self.fault("stdio:", workers=2)
        self.assertIn("of one process only: set http.workers to 1, or use one of systemd, tcp, tcp6, unix", str(found))

    def test_tls_twice(self) -> None:
        self.assertIn(
            "http.tls is for endpoints that leave TLS to it",
            str(self.fault("stdio:", tls=Tls(certificate="a", key="b"))),
        )

    def test_parsed(self) -> None:
        self.assertTrue(IStreamServerEndpoint.providedBy(parse_endpoint("tcp:0", reactor)))
