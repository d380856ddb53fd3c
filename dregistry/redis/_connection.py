"""
One connection to a Redis, which may be down or slow: then whoever asks is told so at once, or after a bounded time.

All commands of the process go over it without waiting for one another's answers (pipelining), so no pool is needed.
When it is lost, or an answer is overdue, nothing is asked for a while; the first who asks after that has it made anew,
and does not wait for it. The log has one line when it is lost and one when it is back.
"""

from __future__ import annotations

from collections.abc import Callable
from random import uniform
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure
from txredisapi import ConnectionError as LibraryConnectionError
from txredisapi import RedisError, RedisProtocol, ResponseError
from txredisapi import TimeoutError as LibraryTimeoutError

from ._options import RedisOptions

_FIRST_DELAY = 0.1
_LONGEST_DELAY = 30.0
"""Seconds between attempts to connect; a connection that lasted as long has shown that it can be relied upon."""
_log = Logger()


class RedisUnavailable(Exception):
    """The Redis cannot be asked now."""


class RedisRefused(Exception):
    """
    The Redis answered with an error.

    :ivar kind: the first word of it, such as ``WRONGTYPE``.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.kind = message.partition(" ")[0]


class _Protocol(RedisProtocol):  # type: ignore[misc]
    """
    What is no Redis, at the other end, ends the connection without more ado.

    :ivar end: why the connection ended; None while it lasts.
    """

    end: Failure | None = None

    def dataReceived(self, data: bytes, unpause: bool = False) -> None:
        try:
            super().dataReceived(data, unpause)
        except Exception:
            self.transport.abortConnection()

    def connectionLost(self, why: Failure) -> None:
        self.end = why
        super().connectionLost(why)


class _Factory(Factory):
    noisy = False

    def __init__(self, reply_timeout: float, clock: Any) -> None:
        self._reply_timeout = reply_timeout
        self._clock = clock

    def buildProtocol(self, addr: Any) -> Any:
        protocol = _Protocol(charset=None, convertNumbers=False, replyTimeout=self._reply_timeout)
        protocol.callLater = self._clock.callLater
        protocol.factory = self
        return protocol


class RedisConnection:
    """
    Made when something is first asked.

    :param endpoint: to connect to; its own timeout bounds that.
    :param clock: of the reactor.
    :param wrap: takes the factory of the connection, and gives the one to connect with, as for TLS.
    """

    def __init__(
        self, options: RedisOptions, endpoint: Any, clock: Any, wrap: Callable[[Any], Any] = lambda factory: factory
    ) -> None:
        self._options = options
        self._endpoint = endpoint
        self._clock = clock
        self._factory = wrap(_Factory(options.reply_timeout, clock))
        self._protocol: Any = None
        self._connecting: Deferred[None] | None = None
        self._known_down = False
        self._since = self._retry_at = 0.0
        self._delay = _FIRST_DELAY
        self._complaint = ""
        self._closed = False

    async def ask(self, *command: bytes | str | int) -> Any:
        """
        Send a command, and wait for the answer, for the timeout at most.

        :return: bytes, an integer, None, or a list of these.
        :raise RedisUnavailable: at once if there is no connection; if it is lost meanwhile, or the time is over.
        :raise RedisRefused: if the answer is an error.
        """
        protocol = self._protocol
        if protocol is None:
            self._connect_if_due()
            raise RedisUnavailable
        try:
            return await protocol.execute_command(*command)
        except ResponseError as error:
            raise self._refused(str(error)) from None
        except RedisError as error:
            self._down(self._reason(error, protocol), protocol)
            raise RedisUnavailable from None

    def close(self) -> None:
        """For good."""
        self._closed = True
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.transport.abortConnection()
        if self._connecting is not None:
            self._connecting.cancel()

    def _connect_if_due(self) -> None:
        if self._connecting is None and not self._closed and self._clock.seconds() >= self._retry_at:
            self._connecting = Deferred.fromCoroutine(self._connect())
            if self._connecting.called:
                self._connecting = None

    async def _connect(self) -> None:
        outer = protocol = None
        try:
            outer = await self._endpoint.connect(self._factory)
            protocol = getattr(outer, "wrappedProtocol", outer)
            await self._greet(protocol)
        except CancelledError:
            if outer is not None:
                outer.transport.abortConnection()
        except Exception as error:
            if outer is not None:
                outer.transport.abortConnection()
            self._down(self._reason(error, protocol))
        else:
            self._up(protocol)
        self._connecting = None

    async def _greet(self, protocol: Any) -> None:
        options = self._options
        if not options.path:
            protocol.transport.setTcpKeepAlive(1)
            protocol.transport.setTcpNoDelay(True)
        if options.password:
            credentials = (options.username, options.password) if options.username else (options.password,)
            await protocol.execute_command("AUTH", *credentials)
        if options.client_name:
            await protocol.execute_command("CLIENT", "SETNAME", options.client_name)
        if options.database:
            await protocol.execute_command("SELECT", options.database)
        await protocol.execute_command("PING")

    def _up(self, protocol: Any) -> None:
        self._protocol = protocol
        self._since = self._clock.seconds()
        self._known_down = False
        self._complaint = ""
        protocol.whenDisconnected().addCallback(lambda _: self._down(_text(protocol.end), protocol))
        _log.info("the descriptor cache is reachable: redis {options}", options=self._options)

    def _down(self, reason: str, protocol: Any = None) -> None:
        """
        Ask nothing for a while.

        :param protocol: that is of no use any more; None if there was none.
        """
        if self._closed or protocol is not self._protocol:
            return
        if protocol is not None and self._clock.seconds() - self._since > _LONGEST_DELAY:
            self._delay = _FIRST_DELAY
        self._protocol = None
        self._retry_at = self._clock.seconds() + uniform(self._delay / 2, self._delay)  # noqa: S311
        self._delay = min(2 * self._delay, _LONGEST_DELAY)
        if not self._known_down:
            self._known_down = True
            _log.warn(
                "the descriptor cache is out of reach, the storage is asked instead: redis {options}: {reason}",
                options=self._options,
                reason=reason,
            )

    def _refused(self, message: str) -> RedisRefused:
        """Logged once for each kind in a row; a key of a wrong type is one key's matter."""
        refused = RedisRefused(message.strip())
        if refused.kind not in (self._complaint, "WRONGTYPE"):
            self._complaint = refused.kind
            _log.warn(
                "the descriptor cache refuses a command: redis {options}: {error}", options=self._options, error=refused
            )
        return refused

    def _reason(self, error: Exception, protocol: Any) -> str:
        """For the log; nothing in it is secret."""
        if isinstance(error, LibraryTimeoutError):
            return f"no answer in {self._options.reply_timeout:g} s"
        if isinstance(error, LibraryConnectionError) and protocol is not None and protocol.end is not None:
            return _text(protocol.end)
        return _text(Failure(error))


def _text(failure: Failure) -> str:
    """On one line."""
    return " ".join(failure.getErrorMessage().split()) or type(failure.value).__name__
