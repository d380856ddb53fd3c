"""TLS, as clients see it: curl, openssl, skopeo and Python's own."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import re
import signal
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .client import ERROR_LOGGED
from .container_tools import ContainerTools
from .images import Layout, blobs_of, noise
from .test_workers import asked, children
from .tls_server import Authority, TlsRegistry

MIB = 1 << 20
PATIENCE = 30.0
ASK = b"GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"
ASK_AND_CLOSE = "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


class TlsCase(SynchronousTestCase):
    def serve(self, tls: Any = None, workers: int = 2, **settings: Any) -> TlsRegistry:
        registry = TlsRegistry(tls, {"workers": workers}, **settings)
        registry.__enter__()
        self.addCleanup(registry.__exit__, None, None, None)
        self.until(lambda: len(children(registry.pid)) == (workers if workers > 1 else 0))
        return registry

    def stranger(self) -> str:
        """A client's certificate of an authority that nobody trusts."""
        folder = tempfile.TemporaryDirectory(prefix="dregistry-test-")
        self.addCleanup(folder.cleanup)
        return Authority(folder.name).client("mallory")

    def until(self, true: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def push(self, registry: TlsRegistry, content: bytes, client: str | None = None) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        with contextlib.closing(registry.connect(client)) as connection:
            self.assertEqual(asked(connection, "POST", f"/v2/a/blobs/uploads/?digest={digest}", content).status, 201)
        return digest

    def assert_quiet(self, registry: TlsRegistry) -> None:
        """Nothing in the log is an error."""
        registry.stop()
        self.assertIsNone(ERROR_LOGGED.search(registry.read_log()), registry.read_log())


class ClientCertificateTests(TlsCase):
    MODES = {
        "request-client-cert": (True, True, True),
        "require-any-client-cert": (False, True, True),
        "verify-client-cert-if-given": (True, True, False),
        "require-and-verify-client-cert": (False, True, False),
    }
    """Mode to whether one without a certificate, with a good one and with a stranger's is served."""

    def test_modes(self) -> None:
        """By curl and by openssl: the same. Whoever is not served leaves no error in the log."""
        strange = self.stranger()
        for mode, served in self.MODES.items():
            registry = self.serve({"clientauth": mode})
            for certificate, expected in zip((None, registry.authority.client("alice"), strange), served, strict=True):
                options = [] if certificate is None else ["--cert", certificate]
                status, code = registry.curl("/v2/", *options)
                self.assertEqual((status == 0, code == "200"), (expected, expected), (mode, certificate, status, code))
                options = [] if certificate is None else ["-cert", certificate, "-key", certificate]
                _, said = registry.openssl("-ign_eof", *options, said=ASK_AND_CLOSE)
                self.assertEqual("HTTP/1.1 200 OK" in said, expected, (mode, certificate, said))
                if not expected:
                    self.assertRegex(said, "alert (certificate required|unknown ca)|reset|errno")
            self.assertIn("Acceptable client certificate CA names", registry.openssl()[1])
            self.assert_quiet(registry)

    def test_nobody_is_asked(self) -> None:
        self.assertIn("No client certificate CA names sent", self.serve().openssl()[1])

    def test_sessions(self) -> None:
        """One is resumed, but not where certificates count."""
        for mode, reused in ((None, True), ("verify-client-cert-if-given", False)):
            registry = self.serve(None if mode is None else {"clientauth": mode}, workers=1)
            with tempfile.NamedTemporaryFile() as session:
                registry.openssl("-ign_eof", "-tls1_3", "-sess_out", session.name, said=ASK_AND_CLOSE)
                _, said = registry.openssl("-ign_eof", "-tls1_3", "-sess_in", session.name, said=ASK_AND_CLOSE)
            self.assertEqual("Reused, TLSv1.3" in said, reused, said)

    def test_identity(self) -> None:
        """The controller mtls knows who it is by what TLS has verified, and by nothing else."""
        auth = {
            "mtls": {"identity": ["commonname"]},
            "policy": [{"repositories": ["**"], "users": ["alice"], "actions": ["pull", "push"]}],
        }
        registry = self.serve({"clientauth": "verify-client-cert-if-given"}, auth=auth)
        alice, bob = registry.authority.client("alice"), registry.authority.client("bob")
        for options, expected in (((), "403"), (("--cert", alice), "200"), (("--cert", bob), "200")):
            self.assertEqual(registry.curl("/v2/", *options), (0, expected))
        digest = self.push(registry, b"of alice", alice)
        for options, expected in (((), "403"), (("--cert", alice), "200"), (("--cert", bob), "403")):
            self.assertEqual(registry.curl(f"/v2/a/blobs/{digest}", *options), (0, expected), options)
        self.assert_quiet(registry)

    def test_identity_that_nobody_verified(self) -> None:
        registry = self.serve({"clientauth": "request-client-cert"}, auth={"mtls": {"identity": ["commonname"]}})
        for certificate in (registry.authority.client("alice"), self.stranger()):
            self.assertEqual(registry.curl("/v2/", "--cert", certificate), (0, "403"))
        self.assertIn("nobody is known by a certificate", registry.read_log())


class OfferTests(TlsCase):
    def test_protocols_and_versions(self) -> None:
        registry = self.serve()
        self.assertIn("ALPN protocol: http/1.1", registry.openssl("-alpn", "h2,http/1.1")[1])
        self.assertIn("No ALPN negotiated", registry.openssl("-alpn", "h2")[1])
        for option, good in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
            status, said = registry.openssl(option, "-cipher", "ALL:@SECLEVEL=0")
            self.assertEqual((status == 0, "Cipher is (NONE)" not in said), (good, good), said)
        self.assert_quiet(registry)

    def test_configured(self) -> None:
        suite = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
        registry = self.serve({"ciphersuites": [suite]})
        self.assertIn("Cipher is ECDHE-ECDSA-CHACHA20-POLY1305", registry.openssl("-tls1_2")[1])
        self.assertNotEqual(self.serve({"minimumtls": "tls1.3"}).openssl("-tls1_2")[0], 0)

    def test_location(self) -> None:
        """What the registry says of itself is https."""
        answer = asked(self.serve(workers=1).connect(), "POST", "/v2/a/blobs/uploads/")
        self.assertTrue(answer.headers["Location"].startswith("https://127.0.0.1:"), answer.headers["Location"])


class WrongProtocolTests(TlsCase):
    def raw(self, port: int, data: bytes) -> bytes:
        """All that comes in answer."""
        with socket.create_connection(("127.0.0.1", port), PATIENCE) as peer:
            peer.sendall(data)
            received = b""
            while piece := peer.recv(1 << 16):
                received += piece
        return received

    def test_clear_text(self) -> None:
        registry = self.serve()
        started = time.monotonic()
        answer = self.raw(registry.port, ASK)
        self.assertTrue(answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"))
        self.assertIn(b"this is a port for HTTPS", answer)
        self.assertEqual(self.raw(registry.port, b"\x00\x00\x00"), b"")
        self.assertLess(time.monotonic() - started, PATIENCE / 3)
        self.assert_quiet(registry)

    def test_tls_to_clear_text(self) -> None:
        from .server import RunningRegistry

        with RunningRegistry({"http": {"workers": 2}}) as registry:
            with self.assertRaises(ssl.SSLError):
                connection = http.client.HTTPSConnection("127.0.0.1", registry.port, timeout=PATIENCE)
                connection.request("GET", "/v2/")
            registry.stop()
            self.assertIsNone(ERROR_LOGGED.search(registry.read_log()))

    def test_broken_handshakes(self) -> None:
        """Of those who go away, speak nonsense, or do not trust the certificate."""
        registry = self.serve()
        with socket.create_connection(("127.0.0.1", registry.port)):
            pass
        self.raw(registry.port, b"\x16\x03\x01\x00\x05hello")
        self.assertRaises(ssl.SSLError, self.distrusting, registry)
        self.assertEqual(registry.curl("/v2/"), (0, "200"))
        self.assert_quiet(registry)
        self.assertIn("TLS handshake with", registry.read_log())

    def distrusting(self, registry: TlsRegistry) -> None:
        http.client.HTTPSConnection("127.0.0.1", registry.port, timeout=PATIENCE).request("GET", "/v2/")


class ReloadTests(TlsCase):
    def serial(self, registry: TlsRegistry) -> str:
        with registry.socket() as peer:
            return str((peer.getpeercert() or {})["serialNumber"])

    def test_under_load(self) -> None:
        """New connections, kept ones and a slow pull, over a change of the certificate and SIGHUPs: none is lost."""
        registry = self.serve()
        content = os.urandom(32 * MIB)
        digest = self.push(registry, content)
        before, first = children(registry.pid), self.serial(registry)
        failures: list[object] = []
        asking = threading.Event()
        counts = [0, 0]

        def ask(keep: bool) -> None:
            connection = registry.connect()
            while not asking.is_set():
                try:
                    if asked(connection, "GET", "/v2/").status != 200:
                        failures.append("status")
                except (OSError, http.client.HTTPException) as error:
                    failures.append(repr(error))
                counts[keep] += 1
                if not keep:
                    connection.close()
            connection.close()

        threads = [threading.Thread(target=ask, args=(number % 2 == 0,)) for number in range(4)]
        with registry.socket() as slow:
            slow.sendall(f"GET /v2/a/blobs/{digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            received = slow.recv(100_000)
            for thread in threads:
                thread.start()
            try:
                self.until(lambda: min(counts) > 20)
                registry.authority.server()
                os.kill(registry.pid, signal.SIGHUP)
                self.until(lambda: len(children(registry.pid) - before) == 2 and self.serial(registry) != first)
                self.until(lambda: len(children(registry.pid) & before) == 1)  # who serves the slow pull goes on
                done = sum(counts)
                self.until(lambda: sum(counts) > done + 50)
            finally:
                asking.set()
                for thread in threads:
                    thread.join()
            self.assertEqual(failures, [])
            while piece := slow.recv(1 << 20):
                received += piece
        self.assertEqual(received.partition(b"\r\n\r\n")[2], content)
        self.until(lambda: not children(registry.pid) & before)
        self.assert_quiet(registry)

    def test_bad(self) -> None:
        """A pair that does not fit together is reported, and all goes on as it was."""
        registry = self.serve()
        before, first = children(registry.pid), self.serial(registry)
        with open(os.path.join(registry.certificates.name, "server.key"), "w", encoding="ascii") as file:
            file.write("nonsense")
        os.kill(registry.pid, signal.SIGHUP)
        self.until(lambda: "not reloaded" in registry.read_log())
        self.assertIn("no key in PEM", registry.read_log())
        self.assertEqual((children(registry.pid), self.serial(registry)), (before, first))

    def test_one_process(self) -> None:
        registry = self.serve(workers=1)
        first = self.serial(registry)
        with registry.socket() as kept:
            registry.authority.server()
            os.kill(registry.pid, signal.SIGHUP)
            self.until(lambda: self.serial(registry) != first)
            kept.sendall(ASK)
            self.assertTrue(kept.recv(100).startswith(b"HTTP/1.1 200 "))
        with open(os.path.join(registry.certificates.name, "server.key"), "w", encoding="ascii") as file:
            file.write("nonsense")
        second = self.serial(registry)
        os.kill(registry.pid, signal.SIGHUP)
        self.until(lambda: "not reloaded: " in registry.read_log())
        self.assertEqual(self.serial(registry), second)


class ProcessTests(TlsCase):
    def loaded(self, pid: int) -> bool:
        """Whether a process has pyOpenSSL's OpenSSL."""
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            return re.search(r"cryptography/hazmat/bindings/_rust", file.read()) is not None

    def test_who_has_openssl(self) -> None:
        registry = self.serve()
        self.assertFalse(self.loaded(registry.pid))
        self.assertEqual([self.loaded(pid) for pid in children(registry.pid)], [True, True])
        from .server import RunningRegistry

        with RunningRegistry({"http": {"workers": 2}}) as clear:
            self.assertEqual([self.loaded(pid) for pid in children(clear.pid)], [False, False])


class SkopeoTests(TlsCase):
    def test_push_and_pull(self) -> None:
        """With a client's certificate, which it must have here."""
        registry = self.serve({"clientauth": "require-and-verify-client-cert"})
        folder = tempfile.TemporaryDirectory(prefix="dregistry-test-")
        self.addCleanup(folder.cleanup)
        tools = ContainerTools(folder.name)
        trust = os.path.join(folder.name, "trust")
        os.mkdir(trust)
        os.link(registry.authority.file, os.path.join(trust, "ca.crt"))
        client = registry.authority.client("alice")
        for name in ("client.cert", "client.key"):
            os.link(client, os.path.join(trust, name))
        layout = Layout(os.path.join(folder.name, "image"))
        image = layout.tag("v1", layout.image({"data": noise(5 * MIB)}, {"etc/motd": b"hello"}))
        place = f"docker://127.0.0.1:{registry.port}/my/image:v1"
        tools.skopeo("copy", "--quiet", "--dest-cert-dir", trust, image, place)
        tools.skopeo("copy", "--quiet", "--src-cert-dir", trust, place, f"oci:{folder.name}/copy:v1")
        self.assertEqual(blobs_of(os.path.join(folder.name, "copy")), blobs_of(layout.folder))
        self.assertIn("v1", tools.skopeo("list-tags", "--cert-dir", trust, place.rpartition(":")[0]))
        self.assert_quiet(registry)
