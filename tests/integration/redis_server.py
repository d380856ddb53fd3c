"""
A real Redis on loopback. Debian's package redis-server would start one; the program itself is in redis-tools.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import Any

import hiredis

from .requirements import tool
from .server import STOP_TIMEOUT, free_port, until_listening


class RunningRedis:
    """
    As a context manager: running inside, gone afterwards. It keeps nothing on the disk.

    :ivar path: of the socket that it listens on besides its port.
    :param arguments: further ones, as ``--requirepass``.
    :raise SkipTest: if it is not installed.
    """

    def __init__(self, *arguments: str) -> None:
        self._program = tool("redis-check-rdb", "redis-tools")
        self._arguments = arguments
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.folder = tempfile.mkdtemp(prefix="dregistry-redis-")
        self.path = os.path.join(self.folder, "socket")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        base = ["--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", self.path, "--save", ""]
        log_path = os.path.join(self.folder, "log")
        with open(log_path, "ab") as log:
            self._process = subprocess.Popen(
                ["redis-server", *base, "--dir", self.folder, *self._arguments],
                executable=self._program,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        until_listening(self._process, "redis", self.port, log_path)

    def ask(self, *commands: Sequence[str]) -> list[Any]:
        """The answers to commands, which are sent over one connection; errors are among them."""
        reader = hiredis.Reader()
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(STOP_TIMEOUT)
            connection.connect(self.path)
            answers = []
            for command in commands:
                connection.sendall(hiredis.pack_command(tuple(command)))
                while (answer := reader.gets()) is False:
                    reader.feed(connection.recv(1 << 16))
                answers.append(answer)
        return answers

    def pause(self) -> None:
        """It takes connections and commands, as the kernel does for it, and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT)

    def __enter__(self) -> RunningRedis:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)
