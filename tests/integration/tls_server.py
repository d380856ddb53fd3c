"""
dregistry with TLS, and the files of an authority that it and its clients trust.
"""

from __future__ import annotations

import http.client
import os
import ssl
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

import trustme

from .requirements import tool
from .server import START_TIMEOUT, RunningRegistry

TIMEOUT = 60.0


class Authority:
    """
    :param folder: for the files of what it issues, each with certificate and key.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.file = os.path.join(folder, "ca.crt")
        self._authority.cert_pem.write_to_path(self.file)

    def server(self) -> dict[str, str]:
        """The keys of ``http.tls`` for a new certificate, which replaces the one before."""
        issued = self._authority.issue_cert("localhost", "127.0.0.1")
        paths = {key: os.path.join(self._folder, f"server.{key}") for key in ("certificate", "key")}
        issued.cert_chain_pems[0].write_to_path(paths["certificate"])
        issued.private_key_pem.write_to_path(paths["key"])
        return paths

    def client(self, name: str) -> str:
        issued = self._authority.issue_cert(f"{name}@example.org", common_name=name)
        path = os.path.join(self._folder, f"{name}.pem")
        issued.private_key_and_cert_chain_pem.write_to_path(path)
        return path

    def context(self, client: str | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.file)
        if client is not None:
            context.load_cert_chain(client)
        return context


class TlsRegistry(RunningRegistry):
    """
    :param tls: beside certificate and key.
    :param http: beside ``tls``.
    """

    def __init__(
        self, tls: Mapping[str, Any] | None = None, http: Mapping[str, Any] | None = None, **settings: Any
    ) -> None:
        self.certificates = tempfile.TemporaryDirectory(prefix="dregistry-test-")
        self.authority = Authority(self.certificates.name)
        section = {**self.authority.server(), **(tls or {})}
        if "clientauth" in section:
            section.setdefault("clientcas", [self.authority.file])
        super().__init__({"http": {"tls": section, **(http or {})}, **settings})
        self.url = f"https://{self.address}"

    def connect(self, client: str | None = None) -> http.client.HTTPSConnection:
        context = self.authority.context(client)
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=START_TIMEOUT, context=context)

    def socket(self, client: str | None = None) -> ssl.SSLSocket:
        connection = self.connect(client)
        connection.connect()
        made = connection.sock
        assert isinstance(made, ssl.SSLSocket)
        return made

    def curl(self, path: str, *options: str) -> tuple[int, str]:
        """The exit status, and the status of the answer."""
        command = [tool("curl", "curl"), "--silent", "--cacert", self.authority.file, "--output", os.devnull]
        command += ["--write-out", "%{http_code}", *options, self.url + path]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=TIMEOUT)
        return done.returncode, done.stdout

    def openssl(self, *options: str, said: str = "") -> tuple[int, str]:
        """The exit status of ``openssl s_client``, and what it prints."""
        command = [tool("openssl", "openssl"), "s_client", "-connect", self.address, "-CAfile", self.authority.file]
        done = subprocess.run(
            [*command, "-servername", "localhost", *options],
            check=False, input=said, capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def __exit__(self, *arguments: Any) -> None:
        super().__exit__(*arguments)
        self.certificates.cleanup()
