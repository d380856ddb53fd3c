"""Tests of :mod:`dregistry.health.checks`: against real files and sockets."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Coroutine
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import trustme
from twisted.internet import reactor as imported
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from twisted.web.util import Redirect

from dregistry.config import Configuration
from dregistry.health.checks import build_checks
from dregistry.health.polling import Check
from dregistry.health.section import has_checks, needs_tls
from dregistry.storage import StorageUnavailable
from dregistry.storage.memory import MemoryDriver
from dregistry.testing import InlineThreads

from ..config._loading import MINIMAL, LoadingTestCase
from ..storage.support import inline_driver, temporary_directory

reactor: Any = imported


class ChecksCase(LoadingTestCase, TestCase):
    def configured(self, section: str) -> Configuration:
        return self.config(f"{MINIMAL}health: {section}\n")

    def checks(self, section: str, driver: Any = None) -> list[Check]:
        return build_checks(self.configured(section), driver or MemoryDriver(), InlineThreads(), reactor)

    def check(self, section: str, driver: Any = None) -> Check:
        [found] = self.checks(section, driver)
        return found

    def fault(self, check: Check) -> Deferred[str | None]:
        """What is wrong; None if nothing is."""

        async def look() -> str | None:
            try:
                await check.probe()
            except Exception as error:
                return str(error)
            return None

        work: Coroutine[Any, Any, str | None] = look()
        return Deferred.fromCoroutine(work)


class SectionTests(ChecksCase):
    def test_names(self) -> None:
        """As distribution shows them, but that passwords are hidden."""
        checks = self.checks(
            "{storagedriver: {enabled: true, interval: 5s, threshold: 2}, file: [{file: /a, interval: 1s}],"
            " http: [{uri: 'http://u:p@h/x', threshold: 4}], tcp: [{addr: 'h:1'}]}"
        )
        self.assertEqual(
            [(check.name, check.interval, check.threshold) for check in checks],
            [
                ("storagedriver_inmemory", 5.0, 2),
                ("/a", 1.0, 1),
                ("h:1", 10.0, 1),
                ("http://u:********@h/x", 10.0, 4),
            ],
        )

    def test_nothing(self) -> None:
        self.assertFalse(has_checks(self.configured("{storagedriver: {enabled: false}}")))
        for section in (
            "{storagedriver: {enabled: true}}",
            "{file: [{file: /a}]}",
            "{http: [{uri: 'http://a'}]}",
            "{tcp: [{addr: 'a:1'}]}",
        ):
            self.assertTrue(has_checks(self.configured(section)), section)

    def test_tls(self) -> None:
        self.assertFalse(needs_tls(self.configured("{http: [{uri: 'http://a'}], storagedriver: {enabled: true}}")))
        self.assertTrue(needs_tls(self.configured("{http: [{uri: 'http://a'}, {uri: 'https://a'}]}")))


class StorageTests(ChecksCase):
    SECTION = "{storagedriver: {enabled: true}}"

    def test_well(self) -> None:
        """With something in it, and with nothing at all."""
        driver = inline_driver(os.path.join(temporary_directory(self), "root"))
        self.assertIsNone(self.successResultOf(self.fault(self.check(self.SECTION, driver))))
        self.successResultOf(Deferred.fromCoroutine(driver.put_content("/docker/registry/v2/a", b"x")))
        self.assertIsNone(self.successResultOf(self.fault(self.check(self.SECTION, driver))))

    def test_broken(self) -> None:
        """The root is not a directory."""
        root = os.path.join(temporary_directory(self), "root")
        os.symlink(root, root)
        fault = self.successResultOf(self.fault(self.check(self.SECTION, inline_driver(root))))
        self.assertIn("symbolic links", str(fault))

    def test_unavailable(self) -> None:
        class Broken(MemoryDriver):
            async def children(self, path: str, after: str = "", limit: int | None = None) -> list[str]:
                raise StorageUnavailable("the bucket is gone")

        self.assertIn("the bucket is gone", str(self.successResultOf(self.fault(self.check(self.SECTION, Broken())))))


class FileTests(ChecksCase):
    def test_file(self) -> None:
        path = os.path.join(temporary_directory(self), "down")
        check = self.check(f"{{file: [{{file: {path}}}]}}")
        self.assertIsNone(self.successResultOf(self.fault(check)))
        with open(path, "w"):
            pass
        self.assertEqual(self.successResultOf(self.fault(check)), "file exists")

    def test_unknown(self) -> None:
        """What cannot be looked at is not well."""
        path = os.path.join(temporary_directory(self), "file")
        with open(path, "w"):
            pass
        check = self.check(f"{{file: [{{file: {path}/below}}]}}")
        self.assertIn("Not a directory", str(self.successResultOf(self.fault(check))))


class TcpTests(ChecksCase):
    async def test_tcp(self) -> None:
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{listening.getsockname()[1]}"
            check = self.check(f"{{tcp: [{{addr: '{address}', timeout: 5s}}]}}")
            self.assertIn(f"{address}: connection failed: ", str(await self.fault(check)))
            listening.listen()
            self.assertIsNone(await self.fault(check))
            listening.settimeout(10)
            taken, _ = listening.accept()
            with taken:
                taken.settimeout(10)
                self.assertEqual(await reactor_thread(lambda: taken.recv(1)), b"")  # it is closed, and says nothing


def reactor_thread(call: Any) -> Deferred[Any]:
    from twisted.internet.threads import deferToThread

    return deferToThread(call)


class _Page(Resource):
    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.status = 200
        self.requests: list[Any] = []

    def render(self, request: Any) -> Any:
        self.requests.append((request.method, request.getHeader(b"x-token")))
        if self.status == 0:
            return NOT_DONE_YET
        request.setResponseCode(self.status)
        return b""


class _Pong(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None: ...


class HttpTests(ChecksCase):
    def setUp(self) -> None:
        self.page = _Page()
        root = Resource()
        root.putChild(b"ping", self.page)
        root.putChild(b"moved", Redirect(b"/ping"))
        self.port = reactor.listenTCP(0, Site(root), interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.url = f"http://127.0.0.1:{self.port.getHost().port}"

    def asked(self, path: str = "/ping", more: str = "") -> Deferred[str | None]:
        return self.fault(self.check(f"{{http: [{{uri: '{self.url}{path}', timeout: 10s{more}}}]}}"))

    async def test_status(self) -> None:
        self.assertIsNone(await self.asked(more=", headers: {X-Token: [abc]}"))
        self.assertEqual(self.page.requests, [(b"HEAD", b"abc")])
        self.page.status = 503
        fault = f"{self.url}/ping: downstream service returned unexpected status: 503"
        self.assertEqual(await self.asked(), fault)
        self.assertIsNone(await self.asked(more=", statuscode: 503"))

    async def test_redirect(self) -> None:
        """It is followed."""
        self.assertIsNone(await self.asked("/moved"))
        self.assertEqual([method for method, _ in self.page.requests], [b"HEAD"])

    async def test_no_answer(self) -> None:
        self.page.status = 0
        check = self.check(f"{{http: [{{uri: '{self.url}/ping', timeout: 50ms}}]}}")
        self.assertIn("error while checking", str(await self.fault(check)))

    async def test_tls(self) -> None:
        """Certificates are verified."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority = trustme.CA()
        authority.issue_cert("localhost").configure_cert(context)
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Pong)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        section = f"{{http: [{{uri: 'https://localhost:{server.server_port}/', statuscode: 204, timeout: 10s}}]}}"
        fault = str(await self.fault(self.check(section)))
        self.assertIn("error while checking: Error: [('SSL routines', '', 'certificate verify failed')]", fault)
        trusted = os.path.join(temporary_directory(self), "ca.pem")
        authority.cert_pem.write_to_path(trusted)
        before = os.environ.get("SSL_CERT_FILE")
        os.environ["SSL_CERT_FILE"] = trusted
        self.addCleanup(lambda: os.environ.pop("SSL_CERT_FILE") if before is None else None)
        self.assertIsNone(await self.fault(self.check(section)))

    async def test_nobody(self) -> None:
        await self.port.stopListening()
        self.assertIn("error while checking: ConnectionRefusedError", str(await self.asked()))
