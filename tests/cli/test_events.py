"""``dregistry events``, with a server of the standard library's in the place of the registry."""

from __future__ import annotations

import base64
import io
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dregistry.cli import events
from dregistry.cli.events import messages
from dregistry.notifications.event import complete

from ..notifications.support import SECOND, a_record
from .running import CommandCase


def event(tag: str) -> str:
    return complete(1, SECOND, a_record(tag).content)


class EventsTests(CommandCase):
    """
    :ivar answers: status, content type and body, of one request after the other; then 404.
    """

    def setUp(self) -> None:
        super().setUp()
        self.answers: list[tuple[int, str, str]] = []
        self.asked: list[tuple[str, dict[str, str]]] = []
        test = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                test.asked.append((self.path, headers))
                status, kind, body = test.answers.pop(0) if test.answers else (404, "text/plain", "")
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments: Any) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_address[1]}/"
        self.patch(events, "_RETRY", 0)

    def page(self, *tags: str, skipped: int = 0) -> None:
        document = {"events": [json.loads(event(tag)) for tag in tags], "cursor": "7", "skipped": skipped}
        self.answers.append((200, "application/json", json.dumps(document)))

    def stream(self, text: str) -> None:
        self.answers.append((200, "text/event-stream", text))

    def test_page(self) -> None:
        self.page("v1", "v2")
        ran = self.run_command("events", "--url", self.url)
        self.assertEqual((ran.status, ran.errors), (0, "go on with --after 7\n"))
        first, second = ran.output.splitlines()
        when, action, what, who, where = first.split(" ")
        self.assertTrue(when.startswith("19"))
        self.assertEqual((action, who, where), ("push", "alice", "192.0.2.1:31337"))
        self.assertTrue(what.startswith("some/repo:v1@sha256:"), what)
        self.assertIn("some/repo:v2@", second)
        self.assertEqual(self.asked[0][0], "/v2/_dregistry/events?n=100")

    def test_page_after(self) -> None:
        self.page("v1", skipped=3)
        ran = self.run_command("events", "--url", self.url, "--after", "3", "-n", "5", "--json")
        self.assertEqual(json.loads(ran.output), json.loads(ran.output))
        self.assertEqual(json.loads(ran.output)["target"]["tag"], "v1")
        self.assertIn("3 earlier events are not kept any more", ran.errors)
        self.assertEqual(self.asked[0][0], "/v2/_dregistry/events?n=5&after=3")

    def test_followed(self) -> None:
        """A stream that ends is taken up where it was."""
        self.stream(f"retry: 2000\n\nid: 4\ndata: {event('a')}\n\n: nothing new\n\nid: 5\ndata: {event('b')}\n\n")
        self.stream(f'event: skipped\ndata: {{"skipped":2}}\n\nid: 9\ndata: {event("c")}\n\nid: 10\ndata: {{"cut o')
        self.answers.insert(1, (502, "text/plain", "the proxy is there, the registry is not"))
        ran = self.run_command("events", "--url", self.url, "--follow")
        self.assertEqual(ran.status, 1)
        self.assertEqual([line.split(":")[3].partition("@")[0] for line in ran.output.splitlines()], ["a", "b", "c"])
        self.assertEqual(ran.errors, "2 events are not kept any more\ndregistry events: 404 Not Found\n")
        self.assertEqual([headers.get("last-event-id") for _, headers in self.asked], [None, "5", "5", "9"])
        self.assertEqual({headers["accept"] for _, headers in self.asked}, {"text/event-stream"})

    def test_followed_from(self) -> None:
        self.run_command("events", "--url", self.url, "--follow", "--after", "0")
        self.assertEqual(self.asked[0][1]["last-event-id"], "0")

    def test_refused(self) -> None:
        body = json.dumps({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required", "detail": None}]})
        self.answers.append((401, "application/json", body))
        ran = self.run_command("events", "--url", self.url)
        self.assertEqual((ran.status, ran.output), (1, ""))
        self.assertEqual(ran.errors, "dregistry events: 401 authentication required\n")

    def test_not_reached(self) -> None:
        for words in ((), ("--follow",)):
            ran = self.run_command("events", "--url", "http://127.0.0.1:1", *words)
            self.assertEqual((ran.status, ran.output), (1, ""))
            self.assertIn("refused", ran.errors)
        self.assertIn("whole URL", self.run_command("events", "--url", "localhost:5000").errors)

    def test_credentials(self) -> None:
        os.environ["DREGISTRY_PASSWORD"] = "p\u00e4ss"
        os.environ["DREGISTRY_TOKEN"] = "token"
        self.page()
        self.page()
        self.run_command("events", "--url", self.url, "--user", "alice")
        self.run_command("events", "--url", self.url)
        expected = base64.b64encode("alice:p\u00e4ss".encode()).decode()
        self.assertEqual([headers["authorization"] for _, headers in self.asked], [f"Basic {expected}", "Bearer token"])

    def test_messages(self) -> None:
        """The parts of the format that a proxy in between may make use of."""
        data = b": comment\n\nid:1\r\ndata:{}\r\n\r\nevent: x\ndata: [1]\n\nid: 2\n\ndata"
        self.assertEqual(list(messages(io.BytesIO(data))), [("message", "1", {}), ("x", "", [1])])
