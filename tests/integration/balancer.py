"""
nginx as a load balancer on loopback: each request goes to the next of the servers, or each connection does.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from types import TracebackType

from .requirements import nginx_module, tool
from .server import STOP_TIMEOUT, free_port, until_listening

SERVED_BY = "X-Served-By"
"""The header that tells which servers were asked, separated by commas."""
_MAIN = """
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr;
{user}
events {{ worker_connections 512; }}
"""
_HTTP = """
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    client_max_body_size 0;
    upstream registries {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://registries;
            proxy_http_version 1.1;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_set_header Host $http_host;
            add_header {served_by} $upstream_addr always;
        }}
    }}
}}
"""
_TCP = """
stream {{
    upstream registries {{ {servers} }}
    server {{
        listen 127.0.0.1:{port};
        proxy_pass registries;
        proxy_connect_timeout 1s;
    }}
}}
"""


class Balancer:
    """
    As a context manager: running inside, gone afterwards.

    :param addresses: of the servers.
    :param tcp: whether it knows connections only. Else it reads HTTP, and shares requests out.
    :raise SkipTest: if it is not installed.
    """

    def __init__(self, addresses: Sequence[str], tcp: bool = False) -> None:
        self._program = tool("nginx", "nginx")
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        self._folder = tempfile.mkdtemp(prefix="dregistry-balancer-")
        self._config = os.path.join(self._folder, "nginx.conf")
        module = f"load_module {nginx_module('ngx_stream_module')};" if tcp else ""
        with open(self._config, "w", encoding="ascii") as file:
            file.write(
                (module + _MAIN + (_TCP if tcp else _HTTP)).format(
                    folder=self._folder,
                    user="user root;" if os.geteuid() == 0 else "",
                    port=self.port,
                    servers=" ".join(f"server {each} fail_timeout=1s;" for each in addresses),
                    served_by=SERVED_BY,
                )
            )

    def __enter__(self) -> Balancer:
        log = os.path.join(self._folder, "log")
        with open(log, "ab") as file:
            self._process = subprocess.Popen(
                [self._program, "-p", self._folder, "-e", "stderr", "-c", self._config],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        until_listening(self._process, "nginx", self.port, log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(STOP_TIMEOUT)
        shutil.rmtree(self._folder, ignore_errors=True)
