"""
The checks of distribution's ``health`` section.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ..config import Configuration, hide_secrets
from ..listen import split_address
from ..storage import IStorageDriver, PathNotFound, Threads, paths
from .polling import Check
from .section import needs_tls

_LONGEST = 30.0
"""Seconds that a connection or an answer may take if the configuration says nothing."""

Probe = Callable[[], Awaitable[object]]


class Unwell(Exception):
    """What a check found; its text says what is wrong."""


def storage_probe(driver: IStorageDriver) -> Probe:
    """
    The storage answers. That nothing has been stored yet is no fault.

    Drivers list in threads or by requests, so storage that hangs does not hold up the event loop.
    """

    async def probe() -> None:
        try:
            await driver.children(paths.ROOT, "", 1)
        except PathNotFound:
            return

    return probe


def file_probe(path: str, threads: Threads) -> Probe:
    """A file is not there: it is made to take a registry out of service."""

    async def probe() -> None:
        if await threads.run(_exists, os.path.abspath(path)):
            raise Unwell("file exists")

    return probe


def _exists(path: str) -> bool:
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    return True


def tcp_probe(address: str, timeout: float, reactor: Any) -> Probe:
    """An address takes connections."""
    from twisted.internet.endpoints import HostnameEndpoint

    host, port = split_address(address)
    endpoint = HostnameEndpoint(reactor, host or "localhost", port, timeout or _LONGEST)

    async def probe() -> None:
        try:
            connection = await endpoint.connect(Factory.forProtocol(Protocol))
        except Exception as error:
            raise Unwell(f"{address}: connection failed: {error}") from None
        connection.transport.loseConnection()  # type: ignore[attr-defined]

    return probe


def http_probe(
    uri: str, headers: Mapping[str, Sequence[str]], status: int, timeout: float, agent: Any, clock: Any
) -> Probe:
    """HEAD of a URI, and of those that it redirects to, is answered by a status."""
    from twisted.web.http_headers import Headers

    shown = hide_secrets(uri)
    wanted = Headers({name.encode("latin-1"): [each.encode("latin-1") for each in headers[name]] for name in headers})

    async def probe() -> None:
        asked: Deferred[Any] = agent.request(b"HEAD", uri.encode("ascii"), wanted.copy())
        try:
            response = await asked.addTimeout(timeout or _LONGEST, clock)
        except Exception as error:
            raise Unwell(f"{shown}: error while checking: {_reason(error)}") from None
        response.deliverBody(Protocol())  # there is none: that ends the answer
        if response.code != status:
            raise Unwell(f"{shown}: downstream service returned unexpected status: {response.code}")

    return probe


def _reason(error: Any) -> str:
    """What went wrong, and not only that something did."""
    reasons = getattr(error, "reasons", None)
    inner = reasons[0].value if reasons else error
    return f"{type(inner).__name__}: {inner}"


def build_checks(config: Configuration, driver: IStorageDriver, threads: Threads, reactor: Any) -> list[Check]:
    """
    All checks that a configuration asks for.

    :param threads: for files.
    """
    health = config.health
    found = []
    if health.storagedriver.enabled:
        section = health.storagedriver
        name = f"storagedriver_{config.storage.driver}"
        found.append(Check(name, storage_probe(driver), section.interval, section.threshold))
    for file in health.file:
        found.append(Check(file.file, file_probe(file.file, threads), file.interval, file.threshold))
    for tcp in health.tcp:
        found.append(Check(tcp.addr, tcp_probe(tcp.addr, tcp.timeout, reactor), tcp.interval, tcp.threshold))
    if health.http:
        agents = _Agents(reactor, needs_tls(config))
        for http in health.http:
            agent = agents.agent(http.uri)
            probe = http_probe(http.uri, http.headers, http.statuscode, http.timeout, agent, reactor)
            found.append(Check(hide_secrets(http.uri), probe, http.interval, http.threshold))
    return found


class _Agents:
    """HTTP clients that follow redirects."""

    def __init__(self, reactor: Any, tls: bool) -> None:
        from .._outgoing import Outgoing

        self._outgoing = Outgoing(reactor, os.environ, None if tls else _NoTls(), persistent=False)

    def agent(self, uri: str) -> Any:
        from twisted.web.client import RedirectAgent

        return RedirectAgent(self._outgoing.agent(uri))


@implementer(IPolicyForHTTPS)
class _NoTls:
    """In place of a policy for TLS, where it is not loaded."""

    def creatorForNetloc(self, host: bytes, port: int) -> Any:
        raise Unwell("it leads to https, and no check has a URI of that kind")
