"""
A registry put together from its configuration: driver, domain, web, and the threads that they share.
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from ._balance import Gate, Loads
from ._configured import make_api, make_settings
from ._memory import settle
from .auth import AccessControl, AuthContext, Slowdown
from .backends import Setup
from .descriptors import build_descriptors
from .logs import LoggingService
from .observation import Observation
from .purging import UploadPurging
from .registry import Core, Descriptors, Registry
from .requestlogs import audit_log, log_line, rate_limits, request_logs
from .sockets import Listening, adopt, is_shareable, listen, listen_at
from .storage import DriverContext, IAttendance, ILock, IStorageDriver
from .web import RegistrySite

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocolFactory

    from .debug.process import ProcessDebug
    from .events import EventService
    from .metrics.recorder import Recorder
    from .tls._certificates import Certificates

_log = Logger()

_AUTH_THREADS = 2
"""A password takes one for a tenth of a second or more: they are few, lest guessing takes all processors."""


@frozen(eq=False)
class Server:
    """
    :ivar site: what is served.
    :ivar factory: of its connections; whoever listens hands them to it.
    :ivar certificates: for TLS; None without it.
    """

    site: RegistrySite
    factory: IProtocolFactory
    certificates: Certificates | None
    events: EventService | None
    observation: Observation
    _driver: IStorageDriver
    _access: AccessControl | None
    _pools: Sequence[ThreadPool]
    _drain_timeout: float
    _read_only: bool
    _descriptors: Descriptors | None
    _attendance: list[ILock] = field(factory=list)

    def attend(self) -> bool:
        """Announce that this process may write, if it may; False if another has the storage for itself."""
        if self._read_only or self._attendance or not IAttendance.providedBy(self._driver):
            return True
        lock = self._driver.attend()
        if lock is not None:
            self._attendance.append(lock)
        return lock is not None

    def start(self) -> None:
        """Before the first connection."""
        for pool in self._pools:
            pool.start()
        if self._access is not None:
            self._access.start()
        if self.events is not None:
            self.events.start()
        self.observation.start(self.site)
        if self.certificates is not None:
            self.certificates.start()
        settle()

    async def retire(self) -> None:
        """After the last connection was accepted: end the other way, without breaking anything off."""
        if self.events is not None:
            self.events.feed.stop()
        await self.site.retire()

    async def stop(self) -> None:
        """After the last connection was accepted: let what is under way come to its end."""
        if self.events is not None:
            self.events.feed.stop()
        if self.certificates is not None:
            self.certificates.stop()
        await self.site.drain(self._drain_timeout)
        if self.events is not None:
            await self.events.stop()
        self.observation.stop()
        if self._descriptors is not None:
            self._descriptors.close()
        for pool in self._pools:
            pool.stop()
        while self._attendance:
            self._attendance.pop().release()


def build_server(
    setup: Setup,
    reactor: Any,
    deliver: bool = False,
    recorder: Recorder | None = None,
    write_line: Callable[[str], None] = log_line,
) -> Server:
    """
    Put it together; nothing runs yet.

    :param deliver: whether this process delivers notifications.
    :param recorder: counts, if metrics are to be shown; None if there is no debug server.
    :param write_line: takes lines that are logged as they are.
    :raise ConfigError: if a backend cannot be built, or the registry's events cannot be kept.
    """
    config, storage = setup.config, setup.storage
    observation = Observation(setup, reactor, recorder)
    pool = ThreadPool(0, storage.factory.max_threads(storage.options), "storage")
    auth_pool = ThreadPool(0, _AUTH_THREADS, "auth")
    threads, auth_threads = observation.threads(pool), observation.threads(auth_pool)
    driver = observation.driver(storage.build_driver(DriverContext(reactor, threads)))
    access = setup.auth.build_control(AuthContext(reactor, auth_threads, Slowdown(reactor)))
    events = _events(setup, reactor, deliver)
    listeners = [] if events is None else [events.listener]
    descriptors = observation.descriptors(build_descriptors(config, reactor, storage.source))
    registry = Registry(Core(driver, threads, make_settings(config), listeners, descriptors=descriptors))
    audit = audit_log(config.log, reactor, write_line, storage.source)
    limits = rate_limits(config.http.ratelimit, reactor)
    api = observation.api(make_api(config, registry, access, None if events is None else events.feed, audit, limits))
    site = RegistrySite(api, reactor, request_logs(config.log, api.proxies, write_line, reactor))
    return Server(
        site,
        *_secured(site, setup, reactor),
        events,
        observation,
        driver,
        access,
        (pool, auth_pool),
        config.http.draintimeout,
        config.storage.maintenance.readonly.enabled,
        descriptors,
    )


def _secured(site: RegistrySite, setup: Setup, reactor: Any) -> tuple[IProtocolFactory, Certificates | None]:
    """The factory of connections, by TLS if that is configured."""
    tls = setup.config.http.tls
    if not tls.enabled:
        return site, None
    from .tls._certificates import Certificates
    from .tls._transport import TlsFactory

    certificates = Certificates(tls, reactor, setup.storage.source)
    return TlsFactory(certificates, site, reactor), certificates


def _events(setup: Setup, reactor: Any, deliver: bool) -> EventService | None:
    if not setup.records_events:
        return None
    from .events import EventService

    return EventService(setup, reactor, deliver)


class RegistryService(LoggingService):
    """
    A registry that listens from its start to its stop.

    :param listening: the socket to serve; None to make one as the configuration says.
    :param purging: runs beside it; None if another process sees to that.
    :param deliver: whether this process delivers notifications.
    :param turn: if other processes accept from the same socket, what connections they have, and which of them this is.
    :param debug: None if there is no debug server.
    :param write_line: see :func:`build_server`.
    :raise ConfigError: see :func:`build_server`.
    """

    def __init__(
        self,
        setup: Setup,
        reactor: Any,
        listening: socket.socket | None = None,
        purging: UploadPurging | None = None,
        deliver: bool = False,
        turn: tuple[Loads, int] | None = None,
        debug: ProcessDebug | None = None,
        write_line: Callable[[str], None] = log_line,
    ) -> None:
        self._http = setup.config.http
        self._reactor = reactor
        self._alone = listening is None
        self._listening = None if listening is None else Listening(listening, "")
        self._purging = purging
        self._port: IListeningPort | None = None
        self._turn = turn
        self._gate: Gate | None = None
        self._debug = debug
        recorder = None if debug is None else debug.recorder
        self._server = build_server(setup, reactor, deliver, recorder, write_line)

    def privilegedStartService(self) -> None:
        """Listen, while the process may still use ports below 1024."""
        if self._listening is None and is_shareable(self._http.endpoint):
            self._listening = listen(self._http.net, self._http.addr, self._http.endpoint, self._reactor)
        elif self._listening is None:
            self._port = listen_at(self._http.endpoint, self._reactor, self._server.factory)
        if self._debug is not None:
            self._debug.listen()

    def attend(self) -> None:
        """
        Let no collection of garbage begin while this registry takes writes.

        :raise SystemExit: while one is going on.
        """
        if not self._server.attend():
            sys.exit("storage: its garbage is being collected; until that ends it can only be served read-only")

    def startService(self) -> None:
        super().startService()
        self.attend()
        self._server.start()
        if self._listening is not None:
            self._port = adopt(self._reactor, self._listening.socket, self._server.factory)
            self._listening.socket.close()
            self._take_turns(self._port)
        if self._alone:
            signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))
        if self._debug is not None:
            events = self._server.events
            self._debug.start(None if events is None else events.outbox)
        if self._purging is not None:
            self._purging.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is under way any more."""
        super().stopService()
        if self._alone:
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        return Deferred.fromCoroutine(self._stop())

    def reload(self) -> None:
        """What SIGHUP asks for, of a registry that is one process."""
        if self._server.certificates is None:
            _log.info("nothing to reload: in one process, SIGHUP is for certificates only")
        else:
            self._server.certificates.reload()

    async def retire(self) -> None:
        """Leave the socket to another process, and see to an end of what is under way here."""
        await self._leave()
        await self._server.retire()

    def _take_turns(self, port: IListeningPort) -> None:
        if self._turn is None:
            return
        loads, number = self._turn
        loads.put(number, 0)
        self._server.site.connections.changed = partial(loads.put, number)
        self._gate = Gate(self._reactor, port, loads, number)
        self._gate.start()

    async def _leave(self) -> None:
        """Accept nothing more."""
        if self._gate is not None:
            self._gate.stop()
            self._server.site.connections.changed = lambda count: None  # its successor counts there
            self._gate = None
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        if self._listening is not None:
            await self._listening.close()

    async def _stop(self) -> None:
        self._server.observation.health.drain()
        await self._leave()
        if self._purging is not None:
            await self._purging.stopService()
        await self._server.stop()
        if self._debug is not None:
            await self._debug.stop()
