"""
Delivery: from the outbox to each endpoint, in order, until it has taken what it is to have.

Endpoints do not wait for each other, and nobody waits for them. This runs in one process of those that share an outbox.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, gatherResults
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ._backoff import Backoff
from ._interfaces import INotificationSink, Notification, Refused
from ._upkeep import Bounds, Upkeep
from .outbox import Next, Outbox, Wanted

_LONGEST_REASON = 300
_LAST_ANSWER = 5.0
"""Seconds that an answer may still take when delivery ends. What is not answered by then is sent again one day."""
_BROKEN = 5.0
"""Seconds to wait when the outbox itself cannot be used."""

_log = Logger()


@frozen
class Endpoint:
    """
    :ivar name: of this endpoint only.
    :ivar timeout: seconds that it may take for one event.
    :ivar threshold: see :class:`Backoff`, also for the next two.
    """

    name: str
    sink: INotificationSink
    wanted: Wanted = field(factory=Wanted)
    timeout: float = 1.0
    threshold: int = 10
    backoff: float = 1.0
    most_backoff: float = 300.0


class Delivery:
    """
    :param random: gives numbers from 0 up to 1.
    """

    def __init__(
        self, outbox: Outbox, endpoints: Sequence[Endpoint], bounds: Bounds, clock: Any, random: Callable[[], float]
    ) -> None:
        self._outbox = outbox
        self._endpoints = endpoints
        self._clock = clock
        self._random = random
        self._upkeep = Upkeep(outbox, {each.name: each.wanted for each in endpoints}, bounds, clock)
        self._lanes: list[_Lane] = []

    async def start(self) -> None:
        """
        Begin where delivery ended the last time.

        :raise OutboxError:
        """
        names = [each.name for each in self._endpoints]
        await self._outbox.change(lambda tables: tables.positions.register(names))
        await self._outbox.change(lambda tables: tables.positions.forget_others(names))
        self._lanes = [_Lane(each, self._outbox, self._clock, self._random) for each in self._endpoints]
        for lane in self._lanes:
            lane.start()
        self._upkeep.start()

    async def stop(self) -> None:
        """
        Wait for the answers that are under way, but not for long, and end. What was not delivered stays in the outbox.
        """
        await gatherResults([lane.stop() for lane in self._lanes])
        await self._upkeep.stop()
        for endpoint in self._endpoints:
            try:
                await endpoint.sink.close()
            except Exception:
                _log.failure("endpoint {name}: its sink did not close", name=endpoint.name)


class _Lane:
    """The way to one endpoint."""

    def __init__(self, endpoint: Endpoint, outbox: Outbox, clock: Any, random: Callable[[], float]) -> None:
        self._endpoint = endpoint
        self._outbox = outbox
        self._clock = clock
        self._backoff = Backoff(endpoint.threshold, endpoint.backoff, endpoint.most_backoff, random)
        self._stopping = False
        self._pause: Deferred[None] | None = None
        self._sent: Deferred[str] | None = None
        self._work: Deferred[None] | None = None

    def start(self) -> None:
        self._work = Deferred.fromCoroutine(self._run())

    def stop(self) -> Deferred[None]:
        """Fires when the event that is under way has its answer."""
        self._stopping = True
        if self._pause is not None:
            self._pause.cancel()
        if self._sent is not None:
            self._sent.addTimeout(_LAST_ANSWER, self._clock)
        assert self._work is not None
        return self._work

    async def _run(self) -> None:
        while not self._stopping:
            try:
                await self._go_on()
            except Exception:
                _log.failure("endpoint {name}: the outbox cannot be used", name=self._endpoint.name)
                if not self._stopping:
                    await self._wait(deferLater(self._clock, _BROKEN))

    async def _go_on(self) -> None:
        """Deliver until there is nothing more, then wait for a change."""
        while not self._stopping:
            version = await self._outbox.version()
            found = await self._next()
            while found.event is not None and not self._stopping:
                await self._deliver(found)
                found = await self._next()
            if not self._stopping:
                await self._wait(self._outbox.changed(version))

    async def _next(self) -> Next:
        endpoint = self._endpoint
        return await self._outbox.change(lambda tables: tables.positions.next(endpoint.name, endpoint.wanted))

    async def _deliver(self, found: Next) -> None:
        """Try once; after a failure, wait as long as is to be waited."""
        assert found.event is not None
        name, event = self._endpoint.name, found.event.id
        try:
            status = await self._send(Notification(event, json.loads(found.event.content)))
        except Refused as error:
            await self._failed(error.status, error.status)
        except TimeoutError as error:
            await self._failed(None, str(error))
        except Exception as error:
            await self._failed(None, f"{type(error).__name__}: {error}"[:_LONGEST_REASON])
        else:
            await self._outbox.change(lambda tables: tables.positions.delivered(name, found.position, event, status))
            if self._backoff.failures:
                _log.info("endpoint {name}: delivered after {count} failures", name=name, count=self._backoff.failures)
            self._backoff.succeeded()

    async def _send(self, notification: Notification) -> str:
        async def send() -> str:
            return await self._endpoint.sink.send(notification)

        timeout = self._endpoint.timeout
        late = TimeoutError(f"no answer within {timeout:g} s")
        self._sent = Deferred.fromCoroutine(send())
        try:
            return await self._sent.addTimeout(timeout, self._clock, lambda outcome, _: Failure(late))
        finally:
            self._sent = None

    async def _failed(self, status: str | None, reason: str) -> None:
        name = self._endpoint.name
        await self._outbox.change(lambda tables: tables.positions.failed(name, status))
        delay = self._backoff.failed()
        if self._backoff.failures == 1:
            _log.warn("endpoint {name}: {reason}; trying again", name=name, reason=reason)
        elif self._backoff.failures == self._backoff.threshold:
            count = self._backoff.failures
            _log.error("endpoint {name}: {count} failures in a row: {reason}", name=name, count=count, reason=reason)
        if delay and not self._stopping:
            await self._wait(deferLater(self._clock, delay))

    async def _wait(self, pause: Deferred[None]) -> None:
        """For something that :meth:`stop` breaks off."""
        self._pause = pause
        try:
            await pause
        except CancelledError:
            return
        finally:
            self._pause = None
