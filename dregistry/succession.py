"""
A registry in one process, and what it was before its configuration changed: for a while both have connections.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from ._memory import settle
from .auth import AccessControl
from .backends import Setup, StorageChoice
from .config import ConfigError, Problem
from .observation import Observation
from .registry import Descriptors, Locks
from .storage import IAttendance, ILock, IStorageDriver, Threads
from .web import CurrentFactory, RegistrySite

if TYPE_CHECKING:
    from twisted.internet.interfaces import IProtocolFactory

    from .events import EventService
    from .notifications.outbox import Outbox
    from .tls._certificates import Certificates

_COLLECTED = Problem("storage", "its garbage is being collected; until that ends it can only be served read-only")
_LOST = Problem("storage", "what is in it would be lost; its change takes a restart")
_NO_TLS = Problem(
    "http.workers",
    "TLS, endpoints of notifications, keys from a URL and a Redis need what a single process that was started without"
    " any of them has not loaded; restart",
)

_REPLACED_DRAIN = 3600.0
"""Seconds that requests under way may go on at a reload, if ``http.draintimeout`` gives them none."""

_log = Logger()


@frozen(eq=False)
class Holdings:
    """What goes from a server to the one that replaces it in a process, if the storage is of that process only."""

    driver: IStorageDriver
    threads: Threads
    pool: ThreadPool
    locks: Locks


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
    holdings: Holdings
    _access: AccessControl | None
    _auth_pool: ThreadPool
    _drain_timeout: float
    _read_only: bool
    _descriptors: Descriptors | None
    _attendance: list[ILock] = field(factory=list)

    def attend(self) -> bool:
        """Announce that this process may write, if it may; False if another has the storage for itself."""
        driver = self.holdings.driver
        if self._read_only or self._attendance or not IAttendance.providedBy(driver):
            return True
        lock = driver.attend()
        if lock is not None:
            self._attendance.append(lock)
        return lock is not None

    def start(self, succeeds: bool = False) -> None:
        """
        Before the first connection.

        :param succeeds: whether the holdings are another server's, which has started them.
        """
        if not succeeds:
            self.holdings.pool.start()
        self._auth_pool.start()
        if self._access is not None:
            self._access.start()
        if self.events is not None:
            self.events.start()
        if self.certificates is not None:
            self.certificates.start()
        self.observation.start(self.site)
        settle()

    async def stop(self, replaced: bool = False, hand_over: bool = False) -> None:
        """
        After the last connection was accepted: let what is under way come to its end.

        :param replaced: whether the registry goes on, in another server.
        :param hand_over: whether that has the holdings.
        """
        if self.events is not None:
            self.events.feed.stop()
        if self.certificates is not None:
            self.certificates.stop()
        await self.site.drain(self._drain_timeout or (_REPLACED_DRAIN if replaced else 0.0))
        if self.events is not None:
            await self.events.stop()
        self.observation.stop()
        if self._descriptors is not None:
            self._descriptors.close()
        self._auth_pool.stop()
        if not hand_over:
            self.holdings.pool.stop()
        while self._attendance:
            self._attendance.pop().release()

    def hurry(self) -> None:
        """The process ends: let :meth:`stop` take no longer than it does then."""
        self.site.hurry(self._drain_timeout)


class Succession:
    """
    Servers of one process, each going by another configuration. All but the last are coming to their end.

    :ivar current: the present server.
    :ivar factory: of connections, for the port.
    :param build: makes a server, with the holdings of another one. Raises :class:`ConfigError`.
    """

    current: Server

    def __init__(self, setup: Setup, build: Callable[[Setup, Holdings | None], Server]) -> None:
        self.factory = CurrentFactory()
        self._setup = setup
        self._build = build
        self._speaks_tls = setup.needs_tls_alone
        self._is_built = False
        self._before: dict[Server, Deferred[None]] = {}
        self._is_replaced = False

    def build(self) -> None:
        """
        The first server, once.

        :raise ConfigError:
        """
        if not self._is_built:
            self.current = self._build(self._setup, None)
            self.factory.factory = self.current.factory
            self._is_built = True

    def attend(self) -> None:
        """
        See :meth:`Server.attend`; the server is built if it is not yet.

        :raise ConfigError: also if another process has the storage for itself.
        """
        self.build()
        self._require(self.current, self._setup)

    def _require(self, server: Server, setup: Setup) -> None:
        if not server.attend():
            raise ConfigError([_COLLECTED], source=setup.storage.source)

    def start(self) -> None:
        """Before the first connection."""
        self.current.start()

    def go_by(self, setup: Setup) -> None:
        """
        Serve new connections as another configuration says. What is under way goes on as it began.

        :raise ConfigError: if that takes another process; nothing has changed then.
        """
        _check(self._setup, setup, self._speaks_tls)
        before, hand_over = self.current, not setup.storage.factory.shared
        server = self._build(setup, before.holdings if hand_over else None)
        self._require(server, setup)
        server.start(succeeds=hand_over)
        self._setup, self.current, self.factory.factory = setup, server, server.factory
        self._before[before] = Deferred.fromCoroutine(self._end(before, hand_over))

    async def _end(self, server: Server, hand_over: bool) -> None:
        try:
            await server.stop(replaced=True, hand_over=hand_over)
        except Exception:
            _log.failure("the registry as it was before a reload did not end well")
        self._before.pop(server, None)

    @property
    def outbox(self) -> Outbox | None:
        """Of the present server."""
        return None if self.current.events is None else self.current.events.outbox

    def replaced(self) -> None:
        """The registry goes on in another process: :meth:`stop` has time."""
        self._is_replaced = True

    def hurry(self) -> None:
        """The process is to end: there is no more time than it has for that."""
        for server in (self.current, *self._before):
            server.hurry()

    async def stop(self) -> None:
        """After the last connection was accepted: let what is under way come to its end."""
        for server in self._before:
            server.hurry()
        ending = [*self._before.values(), Deferred.fromCoroutine(self.current.stop(self._is_replaced, hand_over=True))]
        for each in ending:
            await each
        self.current.holdings.pool.stop()


def _check(before: Setup, after: Setup, speaks_tls: bool) -> None:
    """
    Whether a process that went by ``before`` can go by ``after``.

    :param speaks_tls: whether it was started so that it can.
    :raise ConfigError: if that takes another process.
    """
    problems = []
    if not speaks_tls and after.needs_tls_alone:
        problems.append(_NO_TLS)
    if not after.storage.factory.shared and _meaning(before.storage) != _meaning(after.storage):
        problems.append(_LOST)
    if problems:
        raise ConfigError(problems, source=after.storage.source)


def _meaning(storage: StorageChoice) -> list[tuple[str, Any]]:
    return [(choice.factory.name, choice.options) for choice in (storage, *storage.middleware)]
