"""
What notifications cost pulls: manifest GETs per second of a registry without an endpoint, and of one with an endpoint
that is to have all pulls, in turn.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from content import seed, write_random
from servers import dregistry
from tools import requests_per_second

CONNECTIONS = 32
ENDPOINTS = """\
notifications:
  endpoints:
    - name: bench
      url: http://127.0.0.1:{port}/
"""


class Taking(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None: ...


def measure(more: str, seconds: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        big = directory / "big"
        write_random(big, 1 << 20)
        server = dregistry(directory, directory / "data", more)
        try:
            return requests_per_second(server, seed(server.port, big).by_tag, CONNECTIONS, seconds)
        finally:
            server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="pulls per second without and with an endpoint")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    arguments = parser.parse_args()
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    listener.daemon_threads = True
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    endpoints = ENDPOINTS.format(port=listener.server_address[1])
    none, one = [], []
    for _ in range(arguments.rounds):
        none.append(measure("", arguments.seconds))
        one.append(measure(endpoints, arguments.seconds))
        print(f"without {none[-1]:,.0f}/s, with {one[-1]:,.0f}/s: {one[-1] / none[-1]:.2f}")
    print(f"medians: {statistics.median(one) / statistics.median(none):.2f}")


if __name__ == "__main__":
    main()
