"""
A registry put together from its configuration: driver, domain, web, and the threads that they share.
"""

from __future__ import annotations

import pickle
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.python.threadpool import ThreadPool

from ._balance import Gate, Loads
from ._configured import make_api, make_settings
from ._notify import NOBODY, ServiceNotices
from ._plan import Plan, PlanError
from .auth import AuthContext, Slowdown
from .backends import Setup
from .config import ConfigError
from .descriptors import build_descriptors
from .logs import LoggingService
from .observation import Observation
from .purging import UploadPurging
from .registry import Core, Locks, Registry
from .reloading import Reloading, log_plan
from .requestlogs import audit_log, log_line, rate_limits, request_logs
from .sockets import Listening, adopt, is_shareable, listen, listen_at
from .storage import DriverContext
from .succession import Holdings, Server, Succession
from .web import RegistrySite

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocolFactory

    from .debug.process import ProcessDebug
    from .events import EventService
    from .metrics.recorder import Recorder
    from .tls._certificates import Certificates

_AUTH_THREADS = 2
"""A password takes one for a tenth of a second or more: they are few, lest guessing takes all processors."""


def build_server(
    setup: Setup,
    reactor: Any,
    deliver: bool = False,
    recorder: Recorder | None = None,
    holdings: Holdings | None = None,
    write_line: Callable[[str], None] = log_line,
) -> Server:
    """
    Put it together; nothing runs yet.

    :param deliver: whether this process delivers notifications.
    :param recorder: counts, if metrics are to be shown; None if there is no debug server.
    :param holdings: of the server that this one replaces; None to build them.
    :param write_line: takes lines that are logged as they are.
    :raise ConfigError: if a backend cannot be built, or the registry's events cannot be kept.
    """
    config = setup.config
    observation = Observation(setup, reactor, recorder)
    auth_pool = ThreadPool(0, _AUTH_THREADS, "auth")
    context = AuthContext(reactor, observation.threads(auth_pool), Slowdown(reactor))
    access = setup.auth.build_control(context)
    held = _holdings(setup, reactor, observation) if holdings is None else holdings
    driver = observation.driver(held.driver)
    events = _events(setup, reactor, deliver)
    listeners = [] if events is None else [events.listener]
    descriptors = observation.descriptors(build_descriptors(config, reactor, setup.storage.source))
    core = Core(driver, held.threads, make_settings(config), listeners, locks=held.locks, descriptors=descriptors)
    feed = None if events is None else events.feed
    audit = audit_log(config.log, reactor, write_line, setup.storage.source)
    limits = rate_limits(config.http.ratelimit, reactor)
    api = observation.api(make_api(config, Registry(core), access, feed, audit, limits))
    site = RegistrySite(api, reactor, request_logs(config.log, api.proxies, write_line, reactor))
    return Server(
        site,
        *_secured(site, setup, reactor),
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
        write_line: Callable[[str], None] = log_line,
    ) -> None:
        self._http = setup.config.http
        self._reactor = reactor
        self._listening = None if listening is None else Listening(listening, "")
        self._purging = purging
        self._port: IListeningPort | None = None
        self._turn = turn
        self._gate: Gate | None = None
        self._debug = debug
        self._notices = notices
        recorder = None if debug is None else debug.recorder

        def build(setup: Setup, held: Holdings | None) -> Server:
            return build_server(setup, reactor, deliver, recorder, held, write_line)

        self.servers = Succession(setup, build)
        if not late:
            self.servers.build()

    def privilegedStartService(self) -> None:
        """Listen, while the process may still use ports below 1024."""
        http = self._http
        if self._listening is None and is_shareable(http.endpoint):
            self._listening = listen(http.net, http.addr, http.endpoint, self._reactor)
        elif self._listening is None:
            self._port = listen_at(http.endpoint, self._reactor, self.servers.factory)
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
        if self._listening is not None:
            self._port = adopt(self._reactor, self._listening.socket, self.servers.factory)
            self._listening.socket.close()
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
        if self.logs is not None:
            self.logs.go_by(plan.log)
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
            await maybeDeferred(self._port.stopListening)
        if self._listening is not None:
            await self._listening.close()
        if self._purging is not None:
            await self._purging.stopService()
        await self.servers.stop()
        if self._debug is not None:
            await self._debug.stop()
