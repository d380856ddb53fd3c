"""
Push and pull of one large blob by TLS: dregistry beside docker-registry 2.8, in turn, on one certificate.

    python bench/tls.py [--size MIB] [--rounds N]

The client is curl, on the same machine. Memory is that of all processes of a server: the most that they held while
blobs went to and fro, looked at 50 times a second; pages that they share are counted in each.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import os
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
from servers import Server, _free_port, program

_CONFIG = """\
version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: {folder}/data
http:
  addr: localhost:{port}
  secret: bench
  tls:
    certificate: {certificates}/cert.pem
    key: {certificates}/key.pem
"""
_MIB = 1 << 20


class TlsServer(Server):
    """A registry with TLS."""

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}"

    def _answers(self, path: str) -> bool:
        unverified = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=10, context=unverified)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    @contextmanager
    def watched(self) -> Iterator[list[float]]:
        """The processor seconds used inside, and then the most memory, in MiB."""
        found: list[float] = []
        most, done, before = 0.0, threading.Event(), self.usage().cpu

        def watch() -> None:
            nonlocal most
            while not done.wait(0.02):
                most = max(most, self.usage().resident)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield found
        finally:
            done.set()
            thread.join()
            found += [self.usage().cpu - before, most]


class Curl:
    def __init__(self, server: TlsServer, folder: Path) -> None:
        self._server = server
        self._command = [program("curl"), "--silent", "--show-error", "--fail", "--cacert", str(folder / "ca.pem")]

    def _run(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen([*self._command, *arguments], stdout=subprocess.PIPE, text=True)

    def push(self, number: int, path: Path, digest: str) -> subprocess.Popen[str]:
        start = self._run("--request", "POST", "--include", self._server.url(f"/v2/bench{number}/blobs/uploads/"))
        place = re.search(r"(?im)^location: *(\S+)", start.communicate()[0])
        assert place is not None, start
        url = place[1] + ("&" if "?" in place[1] else "?") + f"digest={digest}"
        return self._run("--upload-file", str(path), "--header", "Content-Type: application/octet-stream", url)

    def pull(self, number: int, digest: str) -> subprocess.Popen[str]:
        return self._run("--output", os.devnull, self._server.url(f"/v2/bench{number}/blobs/{digest}"))


def timed(*processes: subprocess.Popen[str], started: float) -> float:
    """The seconds from then to the end of all."""
    for process in processes:
        process.communicate()
        assert process.returncode == 0, process.args
    return time.monotonic() - started


def measure(server: TlsServer, folder: Path, blob: Path, digest: str, size: int) -> list[float]:
    """GB/s and processor seconds of a push, of a pull and of four at once; the most memory."""
    curl, gigabytes, number = Curl(server, folder), size * _MIB / 1e9, 1
    row: list[float] = []
    most = 0.0
    for count, what in ((1, "push"), (1, "pull"), (4, "pull")):
        with server.watched() as used:
            started = time.monotonic()
            running = [curl.push(number, blob, digest)] if what == "push" else []
            running += [curl.pull(number, digest) for _ in range(count) if what == "pull"]
            row.append(count * gigabytes / timed(*running, started=started))
        row.append(used[0] / count / gigabytes)
        most = max(most, used[1])
    return [*row, most]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=1024, help="MiB of the blob")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="one of the servers")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dregistry-bench-") as name:
        folder = Path(name)
        authority = trustme.CA()
        certificate = authority.issue_cert("localhost")
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
        blob = folder / "blob"
        hashed = hashlib.sha256()
        with blob.open("wb") as file:
            for _ in range(arguments.size):
                piece = os.urandom(_MIB)
                hashed.update(piece)
                file.write(piece)
        digest = f"sha256:{hashed.hexdigest()}"
        twistd = [str(Path(sys.executable).with_name("twistd")), "--nodaemon", "--pidfile=", "dregistry", "--config"]
        commands = {"dregistry": twistd, "docker-registry": [program("docker-registry"), "serve"]}
        rows: dict[str, list[list[float]]] = {}
        idle: dict[str, float] = {}
        for _ in range(arguments.rounds):
            for title, command in commands.items():
                if arguments.only in (None, title):
                    run(title, command, folder, blob, digest, arguments.size, rows, idle)
        print("server, MiB idle | push GB/s, cpu s/GB | pull GB/s, cpu s/GB | four pulls GB/s, cpu s/GB | most MiB")
        for title, found in rows.items():
            figures = [statistics.median(column) for column in zip(*found, strict=True)]
            print(f"{title}, {idle[title]:.0f} |", " ".join(f"{figure:.2f}" for figure in figures))


def run(
    title: str,
    command: list[str],
    folder: Path,
    blob: Path,
    digest: str,
    size: int,
    rows: dict[str, list[list[float]]],
    idle: dict[str, float],
) -> None:
    """One round of one server, in a directory of its own that is removed."""
    with tempfile.TemporaryDirectory(prefix="round-", dir=folder) as name:
        port = _free_port()
        config = Path(name) / "config.yml"
        config.write_text(_CONFIG.format(folder=name, port=port, certificates=folder))
        server = TlsServer(title, port, [*command, str(config)], "/v2/", Path(name) / "log")
        try:
            time.sleep(1)
            idle[title] = server.usage().resident
            rows.setdefault(title, []).append(measure(server, folder, blob, digest, size))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
