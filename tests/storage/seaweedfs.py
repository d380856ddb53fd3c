"""
SeaweedFS: a real service that speaks S3's protocol, on loopback.
"""

from __future__ import annotations

import atexit
import json
import os
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.integration.requirements import seaweedfs

BUCKET = "dregistry"
REGION = "us-east-1"
_START_TIMEOUT = 60.0
_SERVERS = (
    "s3",
    "master",
    "master.port.grpc",
    "volume",
    "volume.port.grpc",
    "filer",
    "filer.port.grpc",
    "s3.port.grpc",
)
"""What listens, each on a port of its own; the first is for us."""


class Service(NamedTuple):
    endpoint: str
    bucket: str
    accesskey: str
    secretkey: str


@cache
def running() -> Service:
    """The one that serves all tests of this process. It ends with the process."""
    program = seaweedfs()
    folder = tempfile.mkdtemp(prefix="dregistry-seaweedfs-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    ports = _free_ports(len(_SERVERS))
    service = Service(f"http://127.0.0.1:{ports[0]}", BUCKET, secrets.token_hex(10), secrets.token_hex(20))
    keys = {"accessKey": service.accesskey, "secretKey": service.secretkey}
    with open(os.path.join(folder, "identities.json"), "w", encoding="ascii") as file:
        json.dump({"identities": [{"name": BUCKET, "credentials": [keys], "actions": ["Admin"]}]}, file)
    os.mkdir(os.path.join(folder, "data"))
    command = [
        *_tied_to_this_process(),
        program,
        "-logtostderr=true",
        "server",
        "-filer",
        "-s3",
        "-dir=data",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        *(f"-{name if '.' in name else name + '.port'}={port}" for name, port in zip(_SERVERS, ports, strict=True)),
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.config=identities.json",
        "-s3.autoCreateBucket=false",
        "-filer.localSocket=filer.sock",
        "-s3.localSocket=s3.sock",
        "-master.telemetry=false",
        "-master.electionTimeout=1s",
        "-master.volumeSizeLimitMB=1024",
        "-volume.max=1000",
        "-volume.preStopSeconds=0",
    ]
    with open(os.path.join(folder, "log"), "ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "HOME": folder},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    atexit.register(_end, process, ports)
    _await(process, service, os.path.join(folder, "log"))
    return service


def _tied_to_this_process() -> list[str]:
    """What the command begins with: a test run that is killed calls no ``atexit``, and leaves nothing running."""
    setpriv = shutil.which("setpriv")  # of util-linux
    return [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that were free a moment ago, below those that the kernel gives to clients."""
    found: set[int] = set()
    while len(found) < count:
        with socket.socket() as probe:
            port = random.randrange(15_000, 32_000)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.add(port)
    return list(found)


def _await(process: subprocess.Popen[bytes], service: Service, log: str) -> None:
    """Until it has the bucket, and takes an object."""
    deadline = time.monotonic() + _START_TIMEOUT
    while not (_put(service, "") in (200, 409) and _put(service, "/started") == 200):
        if process.poll() is not None or time.monotonic() > deadline:
            with open(log, encoding="utf-8", errors="replace") as file:
                raise AssertionError(f"SeaweedFS did not start:\n{file.read()[-4000:]}")
        time.sleep(0.1)


def _put(service: Service, path: str) -> int:
    """The status of a request that makes the bucket, or an empty object in it; 0 without an answer."""
    url = f"{service.endpoint}/{service.bucket}{path}"
    signed = AWSRequest(method="PUT", url=url, data=b"")
    S3SigV4Auth(Credentials(service.accesskey, service.secretkey), "s3", REGION).add_auth(signed)
    request = urllib.request.Request(url, b"", dict(signed.headers.items()), method="PUT")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def _end(process: subprocess.Popen[bytes], ports: Sequence[int]) -> None:
    """By force: its shutdown would wait for itself, and nobody wants its data."""
    process.kill()
    process.wait()
    for name, port in zip(_SERVERS, ports, strict=True):
        with suppress(FileNotFoundError):
            os.unlink(f"/tmp/seaweedfs-{name.partition('.')[0]}-grpc-{port}.sock")
