"""
A registry put together from its configuration: driver, domain, web, and the threads that they share.
"""

from __future__ import annotations

import pickle
import socket
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from ._balance import Gate, Loads
from ._notify import NOBODY, ServiceNotices
from ._plan import Plan, PlanError
from .auth import AccessControl, AuthContext, Slowdown, TokenDesk
from .backends import Setup
from .config import ConfigError, Configuration
from .descriptors import build_descriptors
from .listen import listening_socket
from .observation import Observation
from .purging import UploadPurging
from .registry import Core, Locks, Registry, Settings
from .registry.validation import ManifestPolicy
from .reloading import Reloading, log_plan
from .storage import DriverContext
from .succession import Holdings, Server, Succession
from .web import AccessLog, Api, Links, RegistrySite, TrustedProxies

if TYPE_CHECKING:
    from .debug.process import ProcessDebug
    from .events import EventService
    from .metrics.recorder import Recorder
    from .notifications.stream import EventFeed

_access_log = Logger("access")

_AUTH_THREADS = 2
"""A password takes one for a tenth of a second or more: they are few, lest guessing takes all processors."""


def build_server(
    setup: Setup,
    reactor: Any,
    deliver: bool = False,
    recorder: Recorder | None = None,
    holdings: Holdings | None = None,
) -> Server:
    """
    Put it together; nothing runs yet.

    :param deliver: whether this process delivers notifications.
    :param recorder: counts, if metrics are to be shown; None if there is no debug server.
    :param holdings: of the server that this one replaces; None to build them.
    :raise ConfigError: if a backend cannot be built, or the registry's events cannot be kept.
    """
    config = setup.config
    observation = Observation(setup, reactor, recorder)
    auth_pool = ThreadPool(0, _AUTH_THREADS, "auth")
    context = AuthContext(reactor, observation.threads(auth_pool), Slowdown(reactor))
    access = setup.auth.build_control(context)
    access_log = None
    if not config.log.accesslog.disabled:
        access_log = AccessLog(lambda line: _access_log.info("{line}", line=line), reactor.seconds)
    held = _holdings(setup, reactor, observation) if holdings is None else holdings
    driver = observation.driver(held.driver)
    events = _events(setup, reactor, deliver)
    listeners = [] if events is None else [events.listener]
    descriptors = observation.descriptors(build_descriptors(config, reactor, setup.storage.source))
    core = Core(driver, held.threads, _settings(config), listeners, locks=held.locks, descriptors=descriptors)
    api = observation.api(_api(config, Registry(core), access, None if events is None else events.feed))
    return Server(
        RegistrySite(api, reactor, access_log),
        events,
        observation,
        held,
        access,
        auth_pool,
        config.http.draintimeout,
        config.storage.maintenance.readonly.enabled,
        descriptors,
    )


def _holdings(setup: Setup, reactor: Any, observation: Observation) -> Holdings:
    storage = setup.storage
    pool = ThreadPool(0, storage.factory.max_threads(storage.options), "storage")
    threads = observation.threads(pool)
    return Holdings(storage.build_driver(DriverContext(reactor, threads)), threads, pool, Locks())


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
) -> Api:
    http = config.http
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, values in http.headers.items() for value in values
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
    )


class RegistryService(Service):
    """
    A registry that listens from its start to its stop.

    :param listening: the socket to serve; None to make one as the configuration says.
    :param purging: runs beside it; None if another process sees to that.
    :param deliver: whether this process delivers notifications.
    :param turn: if other processes accept from the same socket, what connections they have, and which of them this is.
    :param debug: None if there is no debug server.
    :param late: build it only when it starts, which another user or another process does than the one that makes it.
    :ivar servers: the present one, and those before it.
    :ivar reloading: None if another process sees to that.
    :raise ConfigError: see :func:`build_server`.
    """

    reloading: Reloading | None = None

    def __init__(
        self,
        setup: Setup,
        reactor: Any,
        listening: socket.socket | None = None,
        purging: UploadPurging | None = None,
        deliver: bool = False,
        turn: tuple[Loads, int] | None = None,
        debug: ProcessDebug | None = None,
        notices: ServiceNotices = NOBODY,
        late: bool = False,
    ) -> None:
        self._http = setup.config.http
        self._reactor = reactor
        self._listening = listening
        self._purging = purging
        self._port: IListeningPort | None = None
        self._turn = turn
        self._gate: Gate | None = None
        self._debug = debug
        self._notices = notices
        recorder = None if debug is None else debug.recorder
        self.servers = Succession(setup, lambda setup, held: build_server(setup, reactor, deliver, recorder, held))
        if not late:
            self.servers.build()

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

        :raise SystemExit: while one is going on, or if it cannot be built.
        """
        try:
            self.servers.attend()
        except ConfigError as error:
            sys.exit(str(error))

    def startService(self) -> None:
        super().startService()
        self.attend()
        self.servers.start()
        listening, self._listening = self._listening, None
        assert listening is not None
        self._port = self._reactor.adoptStreamPort(listening.fileno(), listening.family, self.servers.site)
        listening.close()
        self._take_turns(self._port)
        if self._debug is not None:
            self._debug.start(self.servers.outbox)
        if self._purging is not None:
            self._purging.startService()
        if self.reloading is not None:
            self.reloading.start()
        self._notices.ready(f"serves {self._http.addr}")

    def go_by(self, plan: Plan) -> None:
        """
        Another configuration, in this process.

        :raise PlanError: if that takes another process.
        """
        setup: Setup = pickle.loads(plan.setup)  # noqa: S301  from a process that this one started
        try:
            self.servers.go_by(setup)
        except ConfigError as error:
            raise PlanError(str(error)) from error
        log_plan("reloaded", plan)
        if self._debug is not None:
            self._debug.go_by(setup, self.servers.outbox)
        if self._purging is not None:
            self._purging.reload(plan.purge_interval)
        self._notices.ready(f"serves {self._http.addr}")

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is under way any more."""
        super().stopService()
        self._notices.stopping()
        if self.reloading is not None:
            self.reloading.stop()
        return Deferred.fromCoroutine(self._stop())

    def _take_turns(self, port: IListeningPort) -> None:
        if self._turn is None:
            return
        loads, number = self._turn
        loads.put(number, 0)
        self.servers.current.site.connections.changed = partial(loads.put, number)
        self._gate = Gate(self._reactor, port, loads, number)
        self._gate.start()

    async def _stop(self) -> None:
        self.servers.current.observation.health.drain()
        if self._gate is not None:
            self._gate.stop()
            self.servers.current.site.connections.changed = lambda count: None  # its successor counts there
        if self._port is not None:
            stopped = self._port.stopListening()
            if stopped is not None:
                await stopped
        if self._purging is not None:
            await self._purging.stopService()
        await self.servers.stop()
        if self._debug is not None:
            await self._debug.stop()
