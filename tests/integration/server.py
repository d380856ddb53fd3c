"""
A real server process on loopback, for tests that talk to it from outside.
"""

from __future__ import annotations

import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

import yaml

START_TIMEOUT = 30.0
STOP_TIMEOUT = 30.0


def until_listening(process: subprocess.Popen[bytes], name: str, port: int, log: str) -> None:
    """
    Wait for a program that was started.

    :param log: the file that has what it writes.
    :raise AssertionError: with that, if it ends or does not listen.
    """
    deadline = time.monotonic() + START_TIMEOUT
    while not _is_listening(port):
        if process.poll() is not None or time.monotonic() > deadline:
            with open(log, encoding="utf-8", errors="replace") as said:
                raise AssertionError(f"{name} did not start:\n{said.read()}")
        time.sleep(0.01)


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def free_port() -> int:
    """
    A TCP port of 127.0.0.1 that was free a moment ago. It is below those that the kernel gives to clients: one of them
    may connect to itself while nobody listens.
    """
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class RunningRegistry:
    """
    ``twistd dregistry`` on a directory and a configuration of its own.

    As a context manager: running inside, gone afterwards. :meth:`kill` and :meth:`start` in between leave the data and
    the port as they are.

    :param settings: merged into the configuration, section by section; None for the driver takes it out.
    :param data: the data directory; a new one if None, removed at the end.
    """

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        data: str | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = tempfile.mkdtemp(prefix="dregistry-test-")
        self.data = data or os.path.join(self.folder, "data")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.address}"
        self.log = os.path.join(self.folder, "log")
        self._environ = dict(environ or {})
        self._config = os.path.join(self.folder, "config.yml")
        self._process: subprocess.Popen[bytes] | None = None
        config: dict[str, Any] = {
            "version": 0.1,
            "log": {"accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": self.data}, "delete": {"enabled": True}},
            "http": {"addr": self.address},
        }
        for section, values in (settings or {}).items():
            config[section] = {**config.get(section, {}), **values} if isinstance(values, dict) else values
        config["storage"] = {key: values for key, values in config["storage"].items() if values is not None}
        with open(self._config, "w", encoding="utf-8") as file:
            yaml.safe_dump(config, file)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the process, and wait until it answers."""
        with open(self.log, "ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self.folder,
                env={**self._variables(), **self._environ},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"the registry did not start:\n{self.read_log()}")
            time.sleep(0.05)

    def _answers(self) -> bool:
        """Whether it serves; a connection alone may be to the socket of one that was killed a moment ago."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=START_TIMEOUT)
        try:
            connection.request("GET", "/")
            connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def _variables(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def _command(self) -> list[str]:
        return [
            sys.executable,
            "-c",
            "from twisted.scripts.twistd import run; run()",
            "--nodaemon",
            "--pidfile=",
            "dregistry",
            "--config",
            self._config,
        ]

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP_TIMEOUT)

    def kill(self) -> None:
        """SIGKILL to the process and its children."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT)
        deadline = time.monotonic() + STOP_TIMEOUT
        while self._pids() and time.monotonic() < deadline:  # the workers end a moment later
            time.sleep(0.01)

    def resident(self) -> int:
        """Bytes of memory that the process and its workers hold now."""
        return sum(pages for _, pages in self._pids()) * os.sysconf("SC_PAGE_SIZE")

    def _pids(self) -> list[tuple[int, int]]:
        """The living processes of the session that the process leads or led, each with its resident pages."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            with suppress(OSError), open(f"/proc/{name}/stat", encoding="ascii", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
                if int(fields[3]) == self.pid and fields[0] != "Z":
                    found.append((int(name), int(fields[21])))
        return found

    def read_log(self) -> str:
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def __enter__(self) -> RunningRegistry:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
