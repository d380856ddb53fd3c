"""The webhook sink, with a server of Twisted's on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface.verify import verifyObject

from dregistry.notifications import EndpointSettings, INotificationSink, INotificationSinkFactory, Refused, SinkContext
from dregistry.notifications.envelope import CLOUDEVENTS, V1, V2, encode
from dregistry.notifications.factories import LogFactory, NoOptions, WebhookFactory
from dregistry.notifications.webhook import signature
from dregistry.testing import InlineThreads, NotificationSinkSuite, RefusingSinkSuite, notification

_reactor: Any = reactor


class Listening(Resource):
    """
    :ivar answers: by path: a status and headers; a path without one is answered as :attr:`how` says.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.how = "accept"
        self.received: list[tuple[Any, bytes]] = []
        self.answers: dict[bytes, tuple[int, dict[str, str]]] = {}
        self.asked: Deferred[None] = Deferred()
        self.lost: Deferred[None] = Deferred()

    def render_POST(self, request: Any) -> Any:
        content = request.content.read()
        if self.how == "silent":
            request.notifyFinish().addErrback(lambda _: self.lost.callback(None))
            self.asked.callback(None)
            return NOT_DONE_YET
        if self.how == "refuse":
            request.setResponseCode(503)
            return b"not now"
        self.received.append((request, content))
        code, headers = self.answers.get(request.path, (200, {}))
        request.setResponseCode(code)
        for name, value in headers.items():
            request.setHeader(name, value)
        return b"thanks"


class WebhookCase(TestCase):
    def setUp(self) -> Any:
        self.listening = Listening()
        self.port = _reactor.listenTCP(0, Site(self.listening), interface="127.0.0.1")
        self.addCleanup(self.port.stopListening)
        self.url = f"http://127.0.0.1:{self.port.getHost().port}"
        return super().setUp()

    def build(self, path: str = "/events", media_type: str = V2, **settings: Any) -> INotificationSink:
        settings = {"url": self.url + path, "media_type": media_type, **settings}
        context = SinkContext(
            _reactor,
            InlineThreads(),
            EndpointSettings("x", **settings),
            lambda notification: encode(notification.event, media_type),
        )
        sink = WebhookFactory().build(NoOptions(), context)
        self.addCleanup(lambda: Deferred.fromCoroutine(sink.close()))
        return sink


class WebhookSuiteTests(NotificationSinkSuite, RefusingSinkSuite, WebhookCase):
    def setUp(self) -> Any:
        WebhookCase.setUp(self)
        return NotificationSinkSuite.setUp(self)

    def make_sink(self) -> Any:
        return self.build()

    def received(self) -> list[str]:
        return [json.loads(content)["events"][0]["id"] for _, content in self.listening.received]

    def set_endpoint(self, how: str) -> None:
        self.listening.how = how


class WebhookTests(WebhookCase):
    async def sent(self, sink: INotificationSink) -> tuple[Any, bytes]:
        await sink.send(notification(1))
        return self.listening.received[-1]

    async def test_request(self) -> None:
        request, content = await self.sent(
            self.build("/some/path?a=b", headers={"X-A": ["b", "c"], "Authorization": ["Bearer t"]})
        )
        self.assertEqual((request.method, request.uri), (b"POST", b"/some/path?a=b"))
        self.assertEqual(request.requestHeaders.getRawHeaders("content-type"), [V2])
        self.assertEqual(request.requestHeaders.getRawHeaders("x-a"), ["b", "c"])
        self.assertEqual(request.requestHeaders.getRawHeaders("authorization"), ["Bearer t"])
        self.assertEqual(request.requestHeaders.getRawHeaders("content-length"), [str(len(content))])
        self.assertFalse(request.requestHeaders.hasHeader("x-dregistry-signature-256"))
        self.assertEqual(content, encode(notification(1).event, V2).content)

    async def test_forms(self) -> None:
        for media_type in (V1, CLOUDEVENTS):
            request, content = await self.sent(self.build(media_type=media_type))
            self.assertEqual(request.getHeader("content-type"), media_type)
            self.assertEqual(content, encode(notification(1).event, media_type).content)

    async def test_content_type_of_the_configuration(self) -> None:
        request, _ = await self.sent(self.build(headers={"content-type": ["application/json"]}))
        self.assertEqual(request.requestHeaders.getRawHeaders("content-type"), ["application/json"])

    async def test_user_of_the_url(self) -> None:
        request, _ = await self.sent(self.build(url=self.url.replace("://", "://al%40ice:p%3Aw@") + "/e"))
        self.assertEqual((request.getUser(), request.getPassword()), (b"al@ice", b"p:w"))
        self.assertEqual(request.getHeader("host"), f"127.0.0.1:{self.port.getHost().port}")
        expected = base64.b64encode(b"al@ice:p:w").decode()
        self.assertEqual(request.getHeader("authorization"), f"Basic {expected}")

    async def test_signature(self) -> None:
        """As the documentation tells to check it."""
        request, content = await self.sent(self.build(secret="k\u00e4y"))
        signed_at = request.getHeader("x-dregistry-signature-timestamp")
        self.assertTrue(abs(int(signed_at) - _reactor.seconds()) < 60)
        expected = hmac.new("k\u00e4y".encode(), signed_at.encode() + b"." + content, hashlib.sha256).hexdigest()
        self.assertEqual(request.getHeader("x-dregistry-signature-256"), f"sha256={expected}")

    async def test_accepted(self) -> None:
        """2xx and 3xx, as distribution does."""
        for code, status in (
            (200, "200 OK"),
            (202, "202 Accepted"),
            (299, "299"),
            (302, "302 Found"),
            (304, "304 Not Modified"),
        ):
            self.listening.answers[b"/events"] = (code, {"location": "/elsewhere"})
            self.assertEqual(await self.build().send(notification(1)), status)
        self.assertEqual({request.path for request, _ in self.listening.received}, {b"/events"})

    async def test_refused(self) -> None:
        for code, status in ((400, "400 Bad Request"), (404, "404 Not Found"), (500, "500 Internal Server Error")):
            self.listening.answers[b"/events"] = (code, {})
            with self.assertRaises(Refused) as caught:
                await self.build().send(notification(1))
            self.assertEqual(caught.exception.status, status)

    async def test_sent_elsewhere(self) -> None:
        """307 and 308: the same request, there. The configured headers go to no other host."""
        other = self.url.replace("127.0.0.1", "localhost")
        for place, code, headers_too in (("/b", 307, True), (f"{self.url}/b", 308, True), (f"{other}/b", 308, False)):
            self.listening.answers[b"/events"] = (code, {"location": place})
            sink = self.build(headers={"X-A": ["b"]}, secret="s", url=self.url.replace("://", "://u:p@") + "/events")
            request, content = await self.sent(sink)
            self.assertEqual(request.path, b"/b")
            self.assertEqual(content, encode(notification(1).event, V2).content)
            self.assertEqual(request.requestHeaders.hasHeader("x-a"), headers_too)
            self.assertEqual(request.requestHeaders.hasHeader("authorization"), headers_too)
            self.assertTrue(request.requestHeaders.hasHeader("x-dregistry-signature-256"))

    async def test_sent_in_circles(self) -> None:
        self.listening.answers[b"/events"] = (307, {"location": "/events"})
        self.assertEqual(await self.build().send(notification(1)), "307 Temporary Redirect")
        self.assertEqual(len(self.listening.received), 5)

    async def test_connection_kept(self) -> None:
        sink = self.build()
        for _ in range(3):
            await self.sent(sink)
        peers = {request.getClientAddress().port for request, _ in self.listening.received}
        self.assertEqual(len(peers), 1)

    async def test_cancelled_means_closed(self) -> None:
        """Of a try that took too long the endpoint sees the end."""
        self.listening.how = "silent"
        sent = Deferred.fromCoroutine(send(self.build()))
        await self.listening.asked
        sent.cancel()
        with self.assertRaises(CancelledError):
            await sent
        await self.listening.lost

    async def test_nobody_there(self) -> None:
        await self.port.stopListening()
        with self.assertRaises(Exception) as caught:
            await self.build().send(notification(1))
        self.assertNotIsInstance(caught.exception, Refused)


class LogSuiteTests(NotificationSinkSuite, TestCase):
    def make_sink(self) -> Any:
        from twisted.logger import globalLogPublisher

        self.logged: list[Any] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)
        context = SinkContext(
            _reactor, InlineThreads(), EndpointSettings("the log"), lambda notification: encode({}, V2)
        )
        return LogFactory().build(NoOptions(), context)

    def received(self) -> list[str]:
        lines = [event for event in self.logged if event.get("log_namespace") == "events"]
        self.assertEqual({event["endpoint"] for event in lines}, {"the log"})
        return [json.loads(event["event"])["id"] for event in lines]


class FactoryTests(SynchronousTestCase):
    def test_interface(self) -> None:
        for factory in (WebhookFactory(), LogFactory()):
            verifyObject(INotificationSinkFactory, factory)

    def test_faults(self) -> None:
        for url in ("http://a", "https://a:1/b?c", "http://[::1]:5000/", "https://u:p@a.example"):
            self.assertEqual(list(WebhookFactory().faults(EndpointSettings("x", url))), [], url)
        for url in (
            "",
            "a",
            "//a",
            "/a",
            "ftp://a",
            "http://",
            "http://a:b",
            "http://a:99999",
            "http://[a",
            "http://a:0",
        ):
            [(key, message)] = WebhookFactory().faults(EndpointSettings("x", url))
            self.assertEqual(key, "url")
            self.assertIn("must be a whole URL", message)
        self.assertEqual(list(LogFactory().faults(EndpointSettings("x"))), [])

    def test_signature(self) -> None:
        self.assertEqual(
            signature("key", "1", b"body"),
            "sha256=" + hmac.new(b"key", b"1.body", hashlib.sha256).hexdigest(),
        )

    def test_secrets_are_not_shown(self) -> None:
        shown = repr(EndpointSettings("x", "http://u:secret1@a", {"A": ["secret2"]}, 1.0, "secret3"))
        self.assertNotIn("secret", shown)


async def send(sink: INotificationSink) -> str:
    return await sink.send(notification(1))
