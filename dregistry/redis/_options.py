"""
Where the Redis is, and how to speak to it: the ``redis`` section of the configuration.
"""

from __future__ import annotations

import re
from importlib.util import find_spec

from attrs import field, frozen

from ..config import ConfigError, Problem, Redis

_ADDRESS = re.compile(r"(?:\[([^\]]+)\]|([^:\[\]/]+)):(\d+)")
_SENTINEL = "Redis Sentinel is not supported: give the address of one server in redis.addr, and remove this"
_CLUSTER = "Redis Cluster is not supported: give the address of one server in redis.addr, and remove this"
_DIAL = 5.0
_READ = _WRITE = 0.5
"""Seconds, where the file gives none. A cache that answers later than that is worth little."""


@frozen
class RedisTls:
    """
    :ivar certificate: the file of the client's certificate; empty for none.
    :ivar roots: files of authorities to trust; none for those of the system.
    """

    certificate: str = ""
    key: str = ""
    roots: tuple[str, ...] = ()


@frozen
class RedisOptions:
    """
    :ivar path: of a unix socket; else host and port are given.
    :ivar dial_timeout: seconds to connect in.
    :ivar reply_timeout: seconds in which a command must be answered.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    username: str = ""
    password: str = field(default="", repr=False)
    database: int = 0
    client_name: str = ""
    dial_timeout: float = _DIAL
    reply_timeout: float = _READ + _WRITE
    tls: RedisTls | None = None

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"


def read_redis(section: Redis, source: str) -> RedisOptions:
    """
    What the section says.

    :param source: the name of the file, for the report.
    :raise ConfigError: with all that is wrong, libraries included that are not installed.
    """
    place, address = ("redis.addrs[0]", section.addrs[0]) if section.addrs else ("redis.addr", section.addr)
    problems = [*_unsupported(section), *_address_problems(place, address), *_tls_problems(section, address)]
    if section.db < 0:
        problems.append(Problem("redis.db", "must not be negative"))
    if find_spec("txredisapi") is None or find_spec("hiredis") is None:
        message = "redis needs txredisapi and hiredis: install dregistry[redis] to have them"
        problems.append(Problem("storage.cache.blobdescriptor", message))
    if problems:
        raise ConfigError(problems, source=source)
    match = _ADDRESS.fullmatch(address)
    return RedisOptions(
        host="" if match is None else match[1] or match[2],
        port=0 if match is None else int(match[3]),
        path=address if match is None else "",
        username=section.username,
        password=section.password,
        database=section.db,
        client_name=section.clientname,
        dial_timeout=section.dialtimeout or _DIAL,
        reply_timeout=(section.readtimeout or _READ) + (section.writetimeout or _WRITE),
        tls=_tls(section),
    )


def _address_problems(place: str, address: str) -> list[Problem]:
    if not address:
        return [Problem("redis.addr", "missing: the HOST:PORT of the Redis that is to be the cache")]
    match = _ADDRESS.fullmatch(address)
    if match is None and not address.startswith("/"):
        return [Problem(place, "must be HOST:PORT, or the absolute path of a socket")]
    if match is not None and not 0 < int(match[3]) < 65536:
        return [Problem(place, "there is no such port")]
    return []


def _unsupported(section: Redis) -> list[Problem]:
    problems = [
        Problem(f"redis.{key}", _SENTINEL)
        for key in ("mastername", "sentinelusername", "sentinelpassword")
        if getattr(section, key)
    ]
    problems += [
        Problem(f"redis.{key}", _CLUSTER)
        for key in ("readonly", "routebylatency", "routerandomly")
        if getattr(section, key)
    ]
    if len(section.addrs) > 1:
        problems.append(
            Problem("redis.addrs", "several are those of a Redis Cluster or Sentinel: only one is supported")
        )
    if section.addr and section.addrs:
        problems.append(Problem("redis.addr", "redis.addrs is given, too: remove one of them"))
    return problems


def _tls(section: Redis) -> RedisTls | None:
    tls = section.tls
    if not (tls.enabled or tls.certificate or tls.key or tls.rootcas):
        return None
    return RedisTls(tls.certificate, tls.key, tls.rootcas)


def _tls_problems(section: Redis, address: str) -> list[Problem]:
    tls = section.tls
    problems = []
    if bool(tls.certificate) != bool(tls.key):
        given, other = ("certificate", "key") if tls.certificate else ("key", "certificate")
        problems.append(Problem(f"redis.tls.{other}", f"missing: redis.tls.{given} needs it"))
    if _tls(section) is not None and address.startswith("/"):
        problems.append(Problem("redis.tls", "there is no TLS on a unix socket"))
    files = [("redis.tls.certificate", tls.certificate), ("redis.tls.key", tls.key)]
    files += [(f"redis.tls.rootcas[{index}]", root) for index, root in enumerate(tls.rootcas)]
    for path, name in files:
        try:
            if name:
                open(name, "rb").close()
        except OSError as error:
            problems.append(Problem(path, f"{name} cannot be read: {error.strerror}"))
    return problems
