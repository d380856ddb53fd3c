"""A Redis in memory, and the connections to it: whatever is asked is answered before the call ends, or never."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import hiredis
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from dregistry.redis._connection import RedisConnection
from dregistry.redis._options import RedisOptions

WRONG_TYPE = b"-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"
Reply = bytes | int | None | list[Any]


class FakeRedis:
    """
    An endpoint, and the server behind it.

    :ivar keys: to a dict for a hash, a set for a set, bytes for a string.
    :ivar up: whether connections are taken.
    :ivar silent: whether commands are taken without an answer.
    :ivar errors: by command, what it is answered in place of its result.
    :ivar asked: the commands of all connections, in order, but for those that each begins with.
    """

    def __init__(self) -> None:
        self.keys: dict[bytes, Any] = {}
        self.up = True
        self.silent = False
        self.password = b""
        self.errors: dict[bytes, bytes] = {}
        self.asked: list[list[bytes]] = []
        self.attempts = 0
        self.connections: list[_Connection] = []
        self.greetings: list[list[bytes]] = []

    def connect(self, factory: Any) -> Deferred[Any]:
        self.attempts += 1
        if not self.up:
            return fail(ConnectionRefusedError())
        done: Deferred[Any] = Deferred()
        protocol = factory.buildProtocol(None)
        connection = _Connection(self, protocol)
        self.connections.append(connection)
        protocol.makeConnection(connection)
        done.callback(protocol)
        return done

    def drop(self) -> None:
        """Close all connections."""
        for connection in list(self.connections):
            connection.abortConnection()

    def answer(self, connection: _Connection, command: list[bytes]) -> bytes:
        name, *arguments = command
        if name == b"AUTH":
            connection.trusted = arguments[-1] == self.password
        if name in (b"AUTH", b"PING", b"SELECT", b"CLIENT"):
            self.greetings.append(command)
        else:
            self.asked.append(command)
        if name in self.errors:
            return self.errors[name]
        if self.password and not connection.trusted:
            return b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        handler: Callable[..., Reply] = getattr(self, f"do_{name.decode().lower()}", lambda *_: b"OK")
        try:
            return encode(handler(*arguments))
        except TypeError:
            return WRONG_TYPE

    def typed(self, key: bytes, kind: type, create: bool = False) -> Any:
        found = self.keys.get(key)
        if found is None:
            found = kind()
            if create:
                self.keys[key] = found
        if not isinstance(found, kind):
            raise TypeError
        return found

    def do_hmget(self, key: bytes, *fields: bytes) -> Reply:
        found = self.typed(key, dict)
        return [found.get(field) for field in fields]

    def do_hset(self, key: bytes, *pairs: bytes) -> Reply:
        self.typed(key, dict, create=True).update(zip(pairs[::2], pairs[1::2], strict=True))
        return len(pairs) // 2

    def do_hsetnx(self, key: bytes, field: bytes, value: bytes) -> Reply:
        self.typed(key, dict, create=True).setdefault(field, value)
        return 1

    def do_expire(self, key: bytes, seconds: bytes) -> Reply:
        return int(key in self.keys and int(seconds) > 0)

    def do_srem(self, key: bytes, member: bytes) -> Reply:
        self.typed(key, set).discard(member)
        return 1

    def do_del(self, *keys: bytes) -> Reply:
        return sum(self.keys.pop(key, None) is not None for key in keys)


class _Connection:
    """The transport of one connection, the server's side included."""

    def __init__(self, server: FakeRedis, protocol: Any) -> None:
        self._server = server
        self._protocol = protocol
        self._reader = hiredis.Reader()
        self.trusted = False
        self.disconnecting = False

    def write(self, data: bytes) -> None:
        self._reader.feed(data)
        while (command := self._reader.gets()) is not False:
            if not self._server.silent:
                self._protocol.dataReceived(self._server.answer(self, command))

    def abortConnection(self) -> None:
        if self in self._server.connections:
            self._server.connections.remove(self)
            self._protocol.connectionLost(Failure(ConnectionDone()))

    def setTcpKeepAlive(self, value: int) -> None: ...

    def setTcpNoDelay(self, value: int) -> None: ...


def encode(reply: Reply) -> bytes:
    if isinstance(reply, int):
        return b":%d\r\n" % reply
    if isinstance(reply, list):
        return b"*%d\r\n" % len(reply) + b"".join(map(encode, reply))
    return b"$-1\r\n" if reply is None else b"$%d\r\n%b\r\n" % (len(reply), reply)


def connection_to(server: FakeRedis, clock: Clock, **options: Any) -> RedisConnection:
    """One to a fake, by a clock."""
    return RedisConnection(RedisOptions("redis.example", 6379, **options), server, clock)
