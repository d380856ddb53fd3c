"""
The servers that are measured: each on a free port of 127.0.0.1, a process of its own session, ended by its number.
"""

from __future__ import annotations

import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
_UNPACKED = CHECKOUT / ".venv" / "opt"
"""Where bench/install-tools puts servers that are not part of the system."""
_START_SECONDS = 30
_STOP_SECONDS = 15

_REGISTRY = """\
version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
  delete:
    enabled: true
  filesystem:
    rootdirectory: {data}
http:
  addr: 127.0.0.1:{port}
  secret: bench
"""

_NGINX = """\
{user}
daemon off;
pid {directory}/pid;
error_log stderr error;
worker_processes auto;
events {{ worker_connections 256; }}
http {{
  access_log off;
  sendfile on;
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{port};
    root {data};
  }}
}}
"""


@dataclass(frozen=True)
class Usage:
    """What the processes of a server have used: seconds of processor time, and MiB of memory at present."""

    cpu: float
    resident: float


class Server:
    """
    A running server.

    :param name: how it appears in the report.
    :param ready: a path that it answers with 200 when it serves.
    :param log: the file that has what it writes.
    """

    def __init__(self, name: str, port: int, command: list[str], ready: str, log: Path) -> None:
        self.name = name
        self.port = port
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=log.parent,
                env=_environment(),
                start_new_session=True,
            )
        try:
            self._wait(ready)
        except BaseException:
            self.stop()
            raise

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def usage(self) -> Usage:
        """Of all processes together; memory that they share is counted in each."""
        ticks = pages = 0
        for pid in self._session():
            with suppress(OSError):
                fields = _stat(pid)
                ticks += int(fields[11]) + int(fields[12])
                pages += int(fields[21])
        return Usage(ticks / os.sysconf("SC_CLK_TCK"), pages * os.sysconf("SC_PAGE_SIZE") / 2**20)

    def stop(self) -> None:
        """End it in its own way, and after a while by force."""
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_STOP_SECONDS)
        for pid in self._session():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def _session(self) -> list[int]:
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                with suppress(OSError):
                    if int(_stat(int(entry))[3]) == self._process.pid:
                        found.append(int(entry))
        return found

    def _wait(self, path: str) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers(path):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start:\n{self._log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)

    def _answers(self, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("HEAD" if path != "/v2/" else "GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


def dregistry(directory: Path, data: Path, more: str = "") -> Server:
    """
    The checkout that this file is in, in the virtual environment that runs it.

    :param more: sections of the configuration.
    """
    twistd = str(Path(sys.executable).with_name("twistd"))
    command = [twistd, "--nodaemon", "--pidfile=", "dregistry", "--config"]
    return _registry("dregistry", directory, data, command, more)


def docker_registry(directory: Path, data: Path) -> Server:
    return _registry("docker-registry", directory, data, [program("docker-registry"), "serve"])


def nginx(directory: Path, data: Path, name: str) -> Server:
    """nginx with the files of a directory, one of which is called `name`."""
    port = _free_port()
    config = directory / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""  # else its workers could not read the directory
    config.write_text(_NGINX.format(user=user, directory=directory, data=data, port=port))
    command = [program("nginx"), "-p", str(directory), "-e", "stderr", "-c", str(config)]
    return Server("nginx", port, command, f"/{name}", directory / "nginx.log")


def program(name: str) -> str:
    """
    Where a program is.

    :raise FileNotFoundError:
    """
    places = [os.environ.get("PATH", os.defpath), "/usr/sbin", f"{_UNPACKED}/usr/bin", f"{_UNPACKED}/usr/sbin"]
    found = shutil.which(name, path=os.pathsep.join(places))
    if found is None:
        raise FileNotFoundError(f"there is no program {name} (Debian: the package of that name)")
    return found


def _registry(name: str, directory: Path, data: Path, command: list[str], more: str = "") -> Server:
    """A registry with the one configuration that both have."""
    port = _free_port()
    config = directory / f"{name}.yml"
    config.write_text(_REGISTRY.format(data=data, port=port) + more)
    return Server(name, port, [*command, str(config)], "/v2/", directory / f"{name}.log")


def _environment() -> dict[str, str]:
    """No variable overrides the configuration, and Python finds this checkout first."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("REGISTRY_")}
    return kept | {"PYTHONPATH": str(CHECKOUT)}


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
        return port


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat that follow the name of the program."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
