"""
A registry put together from its configuration: driver, domain, web, and the threads that they share.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.python.threadpool import ThreadPool

from ._balance import Gate, Loads
from ._memory import settle
from .auth import AccessControl, AuthContext, Slowdown, TokenDesk
from .backends import Setup
from .config import Configuration
from .descriptors import build_descriptors
from .listen import listening_socket
from .logs import LoggingService
from .observation import Observation
from .purging import UploadPurging
from .registry import Core, Descriptors, Registry, Settings
from .registry.validation import ManifestPolicy
from .requestlogs import audit_log, log_line, rate_limits, request_logs
from .storage import DriverContext, IAttendance, ILock, IStorageDriver
from .web import Api, AuditLog, Cors, Links, RateLimits, RegistrySite, TrustedProxies

if TYPE_CHECKING:
    from .debug.process import ProcessDebug
    from .events import EventService
    from .metrics.recorder import Recorder
    from .notifications.stream import EventFeed

_AUTH_THREADS = 2
"""A password takes one for a tenth of a second or more: they are few, lest guessing takes all processors."""


@frozen(eq=False)
class Server:
    """
    :ivar site: the factory of its connections; whoever listens hands them to it.
    """

    site: RegistrySite
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
        settle()

    async def stop(self) -> None:
        """After the last connection was accepted: let what is under way come to its end."""
        if self.events is not None:
            self.events.feed.stop()
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
    registry = Registry(Core(driver, threads, _settings(config), listeners, descriptors=descriptors))
    audit = audit_log(config.log, reactor, write_line, storage.source)
    limits = rate_limits(config.http.ratelimit, reactor)
    api = observation.api(_api(config, registry, access, None if events is None else events.feed, audit, limits))
    return Server(
        RegistrySite(api, reactor, request_logs(config.log, api.proxies, write_line, reactor)),
        events,
        observation,
        driver,
        access,
        (pool, auth_pool),
        config.http.draintimeout,
        config.storage.maintenance.readonly.enabled,
        descriptors,
    )


def _events(setup: Setup, reactor: Any, deliver: bool) -> EventService | None:
    if not setup.records_events:
        return None
    from .events import EventService

    return EventService(setup, reactor, deliver)


def _settings(config: Configuration) -> Settings:
    rules = config.validation
    classes = frozenset(config.policy.repository.classes)
    policy = ManifestPolicy(classes=classes)
    if not rules.disabled:
        policy = ManifestPolicy(
            tuple(rules.manifests.urls.allow),
            tuple(rules.manifests.urls.deny),
            rules.manifests.indexes.platforms,
            frozenset((each.architecture, each.os) for each in rules.manifests.indexes.platformlist),
            classes,
        )
    return Settings(
        config.storage.delete.enabled,
        config.limits.manifestbytes,
        policy,
        not config.storage.redirect.disable,
        config.notifications.events.includereferences,
    )


def _api(
    config: Configuration,
    registry: Registry,
    access: AccessControl | None = None,
    events: EventFeed | None = None,
    audit: AuditLog | None = None,
    limits: RateLimits | None = None,
) -> Api:
    http = config.http
    headers = [
        (name.encode("ascii"), value.encode("utf-8")) for name, values in http.headers.items() for value in values
    ]
    issuer = None if access is None else access.issuer
    return Api(
        registry,
        access=access,
        tokens=None if access is None or issuer is None else TokenDesk(access, issuer),
        links=Links(http.prefix.rstrip("/"), http.host.rstrip("/"), http.relativeurls),
        headers=headers,
        read_only=config.storage.maintenance.readonly.enabled,
        catalog_limit=config.catalog.maxentries,
        tags_limit=config.tags.maxtags,
        manifest_limit=config.limits.manifestbytes,
        tags_per_put=config.limits.tagsperput,
        strict_accept=config.compat.strictaccept,
        proxies=TrustedProxies.parse(http.trustedproxies),
        only_get_pulls=config.notifications.events.pullon == "get",
        events=events,
        audit=audit,
        limits=limits,
        cors=Cors(http.cors.origins, http.cors.credentials) if http.cors.origins else None,
    )


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
        self._listening = listening
        self._purging = purging
        self._port: IListeningPort | None = None
        self._turn = turn
        self._gate: Gate | None = None
        self._debug = debug
        recorder = None if debug is None else debug.recorder
        self._server = build_server(setup, reactor, deliver, recorder, write_line)

    def privilegedStartService(self) -> None:
        """Listen, while the process may still use ports below 1024."""
        if self._listening is None:
            try:
                self._listening = listening_socket(self._http.net, self._http.addr)
            except (OSError, ValueError) as error:
                sys.exit(f"http.addr: cannot listen on {self._http.addr!r}: {error}")
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
        listening, self._listening = self._listening, None
        assert listening is not None
        self._port = self._reactor.adoptStreamPort(listening.fileno(), listening.family, self._server.site)
        listening.close()
        self._take_turns(self._port)
        if self._debug is not None:
            events = self._server.events
            self._debug.start(None if events is None else events.outbox)
        if self._purging is not None:
            self._purging.startService()

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is under way any more."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    def _take_turns(self, port: IListeningPort) -> None:
        if self._turn is None:
            return
        loads, number = self._turn
        loads.put(number, 0)
        self._server.site.connections.changed = partial(loads.put, number)
        self._gate = Gate(self._reactor, port, loads, number)
        self._gate.start()

    async def _stop(self) -> None:
        self._server.observation.health.drain()
        if self._gate is not None:
            self._gate.stop()
            self._server.site.connections.changed = lambda count: None  # its successor counts there
        if self._port is not None:
            stopped = self._port.stopListening()
            if stopped is not None:
                await stopped
        if self._purging is not None:
            await self._purging.stopService()
        await self._server.stop()
        if self._debug is not None:
            await self._debug.stop()
