"""
The Docker daemon, with all of its state in one folder, driven by its own API.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import urlencode

from .requirements import root, tool

PATIENCE = 60.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


class DockerDaemon:
    """
    As a context manager: running inside.

    It gets no network and changes nothing on the host: it is here to push and pull, not to run containers.
    """

    def __init__(self, folder: str) -> None:
        root("the Docker daemon")
        programs = [tool(*each) for each in (("dockerd", "docker.io"), ("containerd", "containerd"), ("runc", "runc"))]
        self._folder = folder
        self._credential: dict[str, str] = {}
        self._socket = os.path.join(folder, "socket")
        self._path = os.pathsep.join([*map(os.path.dirname, programs), os.environ.get("PATH", os.defpath)])
        self._command = [
            programs[0],
            *("--data-root", os.path.join(folder, "data")),
            *("--exec-root", os.path.join(folder, "exec")),
            *("--pidfile", os.path.join(folder, "pid")),
            *("--host", f"unix://{self._socket}"),
            *("--config-file", os.path.join(folder, "none.json")),
            *("--storage-driver", "vfs"),
            *("--insecure-registry", "127.0.0.0/8"),
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
        ]

    def __enter__(self) -> DockerDaemon:
        with open(os.path.join(self._folder, "none.json"), "w", encoding="ascii") as file:
            file.write("{}")
        with open(os.path.join(self._folder, "log"), "wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**os.environ, "PATH": self._path, "HOME": self._folder},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self._request("GET", "/_ping")
                return self
            except OSError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.__exit__()
                    with open(os.path.join(self._folder, "log"), encoding="utf-8") as file:
                        raise AssertionError(f"the Docker daemon did not start:\n{file.read()}") from None
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def login(self, registry: str, username: str, password: str) -> dict[str, str]:
        """
        As ``docker login``: what is sent from now on, with pushes and pulls, is what docker would remember.

        :return: the daemon's answer.
        """
        given = {"username": username, "password": password, "serveraddress": registry}
        answer = self._request("POST", "/auth", json.dumps(given).encode())
        found: dict[str, str] = json.loads(answer)
        token = found.get("IdentityToken")
        self._credential = given
        if token:
            self._credential = {"username": username, "identitytoken": token, "serveraddress": registry}
        return found

    def logout(self) -> None:
        self._credential = {}

    def import_archive(self, archive: bytes, repository: str, tag: str) -> None:
        """Make an image of one layer."""
        self._request("POST", "/images/create", archive, fromSrc="-", repo=repository, tag=tag)

    def push(self, repository: str, tag: str) -> None:
        self._request("POST", f"/images/{repository}/push", tag=tag)

    def pull(self, repository: str, reference: str) -> None:
        """
        :param reference: a tag or a digest.
        """
        self._request("POST", "/images/create", fromImage=repository, tag=reference)

    def remove(self, image: str) -> None:
        self._request("DELETE", f"/images/{image}", force="true")

    def inspect(self, image: str) -> Any:
        return json.loads(self._request("GET", f"/images/{image}/json"))

    def export(self, image: str) -> bytes:
        """The image as a tar."""
        return self._request("GET", f"/images/{image}/get")

    def _request(self, method: str, path: str, body: bytes | None = None, **query: str) -> bytes:
        """The body of an answer. Pushing and pulling answer a line of JSON for each step, failures among them."""
        connection = _UnixConnection(self._socket)
        try:
            credential = urlsafe_b64encode(json.dumps(self._credential).encode()).decode("ascii")
            headers = {"X-Registry-Auth": credential, "Content-Type": "application/json"}
            connection.request(method, f"{path}?{urlencode(query)}", body, headers)
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        if answer.status >= 400 or b'"errorDetail"' in content:
            raise AssertionError(f"{method} {path} {query}: {answer.status} {content.decode(errors='replace')}")
        return content
