"""
Listeners of events, on loopback: one in this process that does as it is told, and a program that does as it likes.
"""

from __future__ import annotations

import json
import os
import random
import ssl
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import field, frozen


@frozen
class Received:
    path: str
    headers: dict[str, str]
    body: bytes = field(repr=False)

    @property
    def event(self) -> dict[str, Any]:
        [event] = json.loads(self.body)["events"]
        found: dict[str, Any] = event
        return found


class Listener:
    """
    Takes every event, in a thread, from when it is made until :meth:`stop`.

    :ivar status: what it answers with.
    """

    def __init__(self, tls: Callable[[ssl.SSLContext], None] | None = None) -> None:
        self.received: list[Received] = []
        self.status = 200
        self._changed = threading.Condition()
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                if listener.status == 200:
                    listener._take(Received(self.path, headers, body))
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        scheme = "http"
        if tls is not None:
            scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls(context)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self.port}/events"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def _take(self, received: Received) -> None:
        with self._changed:
            self.received.append(received)
            self._changed.notify_all()

    def wait(self, count: int, patience: float = 20.0) -> list[Received]:
        """The first ``count`` requests, once they are there."""
        with self._changed:
            there = self._changed.wait_for(lambda: len(self.received) >= count, patience)
            assert there, f"{len(self.received)} events, not {count}"
            return self.received[:count]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def misbehave(port: int, path: str, seed: int) -> None:
    """
    Serve for ever: take most events and write their ids to a file, a line each, before the answer; refuse some, be
    silent to some, hang up on some, and end now and then, with the answer or without.
    """
    chance = random.Random(seed)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            mood = chance.random()
            if mood < 0.05:
                self.send_error(503)
            elif mood < 0.08:
                time.sleep(5)
            elif mood < 0.12:
                self.close_connection = True
            elif mood < 0.13:
                os._exit(1)
            else:
                [event] = json.loads(body)["events"]
                os.write(log, f"{event['id']} {event['target'].get('tag', '')}\n".encode())
                if mood > 0.99:
                    os._exit(1)  # taken, and the answer is never sent
                self.send_response(200 if mood < 0.7 else 302)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *arguments: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.serve_forever()


if __name__ == "__main__":
    misbehave(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
