"""
From the configuration to who records events, who serves them, and who delivers them.

A registry that records no events (:attr:`dregistry.backends.Setup.records_events`) does not import this.
"""

from __future__ import annotations

import fcntl
import os
import random
import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from ._threads import PooledThreads
from .backends import Setup, SinkChoice
from .config import ConfigError, Configuration, Problem
from .notifications import INotificationSink, SinkContext
from .notifications._upkeep import Bounds
from .notifications.delivery import Delivery, Endpoint
from .notifications.envelope import encode
from .notifications.event import Source
from .notifications.listener import OutboxListener
from .notifications.outbox import Outbox, OutboxError, Tables, Wanted
from .notifications.statistics import describe_all, wanted_by
from .notifications.stream import EventFeed
from .storage import Threads
from .workers import INSTANCE

_LOCK = "delivery.lock"
_RETRY = 0.2

_log = Logger()


class EventService:
    """
    The outbox as one process has it.

    :ivar listener: of the domain's events.
    :ivar feed: for the web.
    :param deliver: whether this process delivers, too.
    :raise ConfigError: if the outbox cannot be opened, or a sink cannot be built.
    """

    def __init__(self, setup: Setup, reactor: Any, deliver: bool) -> None:
        self._folder = setup.outbox_folder
        self._reactor = reactor
        self._sinks = setup.sinks
        self._pools = [ThreadPool(0, 1, "outbox"), ThreadPool(0, 1, "outbox reading")]
        self._endpoints = {each.settings.name: wanted_by(each.endpoint) for each in setup.sinks}
        self._outbox = _opened(setup, self._open)
        wanted = [Wanted()] if setup.config.notifications.events.record else list(self._endpoints.values())
        self.listener = OutboxListener(self._outbox, wanted, _source(setup.config))
        self.feed = EventFeed(self._outbox, reactor, self._statistics)
        self._deliveries = Deliveries(self._outbox, setup, reactor) if deliver else None

    @property
    def outbox(self) -> Outbox:
        return self._outbox

    def _open(self) -> Outbox:
        writing, reading = (PooledThreads(self._reactor, pool) for pool in self._pools)
        tables = Tables(self._folder)
        tables.positions.register(list(self._endpoints))
        if self._folder is None:
            return Outbox(tables, writing, self._reactor)
        return Outbox(tables, writing, self._reactor, (Tables(self._folder), reading))

    def start(self) -> None:
        for pool in self._pools:
            pool.start()
        if self._deliveries is not None:
            self._deliveries.start()

    async def stop(self) -> None:
        """Write what is still in memory, and end delivery."""
        self.feed.stop()
        if self._deliveries is not None:
            await self._deliveries.stop()
        await self._outbox.close()
        for pool in self._pools:
            pool.stop()

    async def _statistics(self) -> list[dict[str, Any]]:
        return await self._outbox.read(lambda tables: describe_all(self._sinks, tables.positions.counts))


def read_only_outbox(setup: Setup, threads: Threads, reactor: Any) -> Outbox:
    """
    The outbox for a process that only looks into it.

    :raise ConfigError: if it cannot be opened.
    """
    return _opened(setup, lambda: Outbox(Tables(setup.outbox_folder, durable=False), threads, reactor))


def _opened(setup: Setup, call: Callable[[], Outbox]) -> Outbox:
    try:
        return call()
    except OutboxError as error:
        raise ConfigError([Problem("notifications", str(error))], source=setup.storage.source) from None


class Deliveries:
    """
    Delivery, once no other process that has the same outbox delivers.

    :param outbox: for cursors and what is to be sent.
    """

    def __init__(self, outbox: Outbox, setup: Setup, reactor: Any) -> None:
        self._folder = setup.outbox_folder
        self._reactor = reactor
        self._lock: int | None = None
        self._stopping = False
        self._started: Deferred[None] | None = None
        self._running = False
        section = setup.config.notifications
        bounds = Bounds(section.maxpending, section.maxage, section.keep)
        endpoints = [_endpoint(each, reactor) for each in setup.sinks]
        self._delivery = Delivery(outbox, endpoints, bounds, reactor, random.random)

    def start(self) -> None:
        self._started = Deferred.fromCoroutine(self._start())
        self._started.addErrback(lambda failure: _log.failure("events are not delivered", failure))

    async def _start(self) -> None:
        while not self._take_lock():
            await deferLater(self._reactor, _RETRY)
            if self._stopping:
                return
        await self._delivery.start()
        self._running = True

    def _take_lock(self) -> bool:
        if self._folder is None:
            return True
        if self._lock is None:
            self._lock = os.open(os.path.join(self._folder, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def stop(self) -> None:
        """Wait for the answers that are under way."""
        self._stopping = True
        if self._started is not None:
            await self._started
        if self._running:
            await self._delivery.stop()
        if self._lock is not None:
            os.close(self._lock)


class DeliveryService:
    """
    Delivery in a process of its own.

    :raise ConfigError: see :class:`EventService`.
    """

    def __init__(self, setup: Setup, reactor: Any) -> None:
        self._pool = ThreadPool(0, 1, "outbox")
        threads = PooledThreads(reactor, self._pool)
        # not durable: what is sent once more after a power cut was sent at least once
        self._outbox = _opened(setup, lambda: Outbox(Tables(setup.outbox_folder, durable=False), threads, reactor))
        self._deliveries = Deliveries(self._outbox, setup, reactor)

    def start(self) -> None:
        self._pool.start()
        self._deliveries.start()

    async def stop(self) -> None:
        await self._deliveries.stop()
        await self._outbox.close()
        self._pool.stop()


def build_sink(choice: SinkChoice, reactor: Any) -> INotificationSink:
    """:raise ConfigError:"""
    settings = choice.settings
    threads: Threads = PooledThreads(reactor, reactor.getThreadPool())
    context = SinkContext(
        reactor, threads, settings, lambda notification: encode(notification.event, settings.media_type)
    )
    sink: INotificationSink = choice.build(INotificationSink, context)
    return sink


def _endpoint(choice: SinkChoice, reactor: Any) -> Endpoint:
    section = choice.endpoint
    return Endpoint(
        choice.settings.name,
        build_sink(choice, reactor),
        wanted_by(section),
        section.timeout,
        section.threshold,
        section.backoff,
        section.backoffmax,
    )


def _source(config: Configuration) -> Source:
    """As distribution names itself: this machine, and the port if one is configured."""
    _, colon, port = config.http.addr.rpartition(":")
    name = socket.gethostname()
    address = f"{name}:{port}" if colon and config.http.net == "tcp" else name
    return Source(address, os.environ.get(INSTANCE) or str(uuid4()))
