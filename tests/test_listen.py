"""Tests of :mod:`dregistry.listen`: distribution's ``http.net`` and ``http.addr``."""

from __future__ import annotations

import os
import socket

from twisted.trial.unittest import SynchronousTestCase

from dregistry.listen import listening_socket

from .storage.support import temporary_directory


class TcpTests(SynchronousTestCase):
    def listen(self, address: str) -> socket.socket:
        listening = listening_socket("tcp", address)
        self.addCleanup(listening.close)
        return listening

    def reached(self, family: int, host: str, port: int) -> bool:
        with socket.socket(family) as client:
            client.settimeout(5)
            return client.connect_ex((host, port)) == 0

    def test_address(self) -> None:
        for address, family, host in (
            ("127.0.0.1:0", socket.AF_INET, "127.0.0.1"),
            ("localhost:0", None, None),
        ):
            listening = self.listen(address)
            self.assertIn(listening.family, (socket.AF_INET, socket.AF_INET6) if family is None else (family,))
            found, port = listening.getsockname()[:2]
            self.assertTrue(port)
            self.assertIn(found, (host,) if host else ("127.0.0.1", "::1"))
            self.assertTrue(self.reached(listening.family, found, port))

    def test_port(self) -> None:
        first = self.listen("127.0.0.1:0")
        port = first.getsockname()[1]
        first.close()
        again = self.listen(f"127.0.0.1:{port}")
        self.assertEqual(again.getsockname()[1], port)

    def test_all_addresses(self) -> None:
        """``:5000`` is IPv4 as well, whether or not the machine knows IPv6."""
        for address in (":0", "[]:0"):
            listening = self.listen(address)
            self.assertTrue(self.reached(socket.AF_INET, "127.0.0.1", listening.getsockname()[1]))

    def test_malformed(self) -> None:
        for address in (
            "",
            "localhost",
            ":",
            "localhost:",
            ":http",
            "::1:5000",
            "[::1]",
            "a:b:1",
            ":65536",
            ":-1",
            " :1",
        ):
            self.assertRaises(ValueError, listening_socket, "tcp", address)

    def test_unresolvable(self) -> None:
        for address in ("no-such-host.invalid:0", "[no-such-host.invalid]:0", "300.0.0.1:0"):
            error = self.assertRaises(ValueError, listening_socket, "tcp", address)
            self.assertIn("cannot be resolved", str(error))

    def test_taken(self) -> None:
        port = self.listen("127.0.0.1:0").getsockname()[1]
        self.assertRaises(OSError, listening_socket, "tcp", f"127.0.0.1:{port}")

    def test_taken_by_who_shares(self) -> None:
        """Somebody else's processes that have the port by ``SO_REUSEPORT``."""
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", 0))
            other.listen()
            self.assertRaises(OSError, listening_socket, "tcp", f"127.0.0.1:{other.getsockname()[1]}")

    def test_of_another_machine(self) -> None:
        self.assertRaises(OSError, listening_socket, "tcp", "192.0.2.1:0")


class UnixTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.join(temporary_directory(self), "s")

    def listen(self) -> socket.socket:
        listening = listening_socket("unix", self.path)
        self.addCleanup(listening.close)
        return listening

    def reached(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            return client.connect_ex(self.path) == 0

    def test_path(self) -> None:
        self.listen()
        self.assertTrue(self.reached())

    def test_that_nobody_serves(self) -> None:
        """What a killed process left is replaced."""
        self.listen().close()
        self.assertFalse(self.reached())
        self.listen()
        self.assertTrue(self.reached())

    def test_taken(self) -> None:
        self.listen()
        self.assertRaises(OSError, listening_socket, "unix", self.path)
        self.assertTrue(self.reached())

    def test_what_is_no_socket(self) -> None:
        """It stays."""
        with open(self.path, "w") as file:
            file.write("precious")
        self.assertRaises(OSError, listening_socket, "unix", self.path)
        with open(self.path) as file:
            self.assertEqual(file.read(), "precious")

    def test_no_such_directory(self) -> None:
        self.assertRaises(OSError, listening_socket, "unix", f"{self.path}/below/s")
