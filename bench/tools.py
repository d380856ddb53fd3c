"""
The programs that load a server: wrk, and the clients of bench/clients, which are compiled here.
"""

from __future__ import annotations

import http.client
import json
import re
import statistics
import subprocess
import time
from pathlib import Path

from content import MANIFEST
from servers import Server, program

_CLIENTS = Path(__file__).resolve().parent / "clients"
_PATIENCE = 60
"""Seconds beyond its own after which a program is ended."""


class Failed(Exception):
    """A figure that could not be measured, and why."""


class Clients:
    """
    The clients in C.

    :param directory: where the compiled programs are put.
    :raise subprocess.CalledProcessError: if they cannot be compiled.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        for name in ("pull", "push", "images"):
            sources = [str(_CLIENTS / f"{name}.c"), str(_CLIENTS / "http.c")]
            options = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", str(directory / name)]
            subprocess.run([program("gcc"), *options, *sources, "-lpthread", "-lcrypto"], check=True)

    def run(self, name: str, *arguments: object) -> float:
        """
        The figure that a client prints.

        :raise Failed:
        """
        return float(_output([str(self._directory / name), *map(str, arguments)], 2 * _PATIENCE))


def requests_per_second(server: Server, path: str, connections: int, seconds: int) -> float:
    """
    What wrk counts.

    :raise Failed: also if any answer was not a success.
    """
    options = ["-t1", f"-c{connections}", f"-d{seconds}s", "-H", f"Accept: {MANIFEST}"]
    output = _output([program("wrk"), *options, server.url(path)], seconds + _PATIENCE)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if "Non-2xx" in output or rate is None or float(rate[1]) == 0:
        raise Failed(output)
    return float(rate[1])


def page_milliseconds(server: Server, path: str, key: str, least: int, seconds: int) -> float:
    """
    The median of what one page of a list takes, asked for again and again on one connection.

    :param key: of the names in the answer; there must be `least` of them.
    :raise Failed:
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    taken: list[float] = []
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline or len(taken) < 3:
            start = time.perf_counter()
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            taken.append(1000 * (time.perf_counter() - start))
            if answer.status != 200 or len(json.loads(body)[key]) < least:
                raise Failed(f"{path} was answered {answer.status}: {body[:500]!r}")
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"{path}: {error!r}") from error
    finally:
        connection.close()
    return statistics.median(taken)


def names(server: Server, path: str, key: str) -> int:
    """How many names a server puts into a page of a list."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=_PATIENCE)
    try:
        connection.request("GET", path)
        return len(json.loads(connection.getresponse().read())[key])
    finally:
        connection.close()


def _output(command: list[str], seconds: float) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=seconds).stdout
    except subprocess.CalledProcessError as error:
        raise Failed(f"{Path(command[0]).name}: {error.stderr}") from error
    except subprocess.TimeoutExpired as error:
        raise Failed(f"{Path(command[0]).name} has not ended after {seconds:.0f} seconds") from error
