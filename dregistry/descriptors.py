"""
The cache of blob descriptors that the configuration asks for.
"""

from __future__ import annotations

from typing import Any

from .config import Configuration
from .registry import Descriptors


def check_descriptors(config: Configuration, source: str) -> None:
    """
    Whether it can be had; nothing is connected to.

    :param source: the name of the file, for the report.
    :raise ConfigError: if not.
    """
    if config.storage.cache.blobdescriptor == "redis":
        from .redis._options import read_redis

        read_redis(config.redis, source)


def loads_tls(config: Configuration) -> bool:
    """Whether the library that it needs loads OpenSSL, by TLS or not."""
    return config.storage.cache.blobdescriptor == "redis"


def build_descriptors(config: Configuration, reactor: Any, source: str) -> Descriptors | None:
    """
    The cache, None if there is to be none.

    :param source: the name of the file, for the report.
    :raise ConfigError: if it cannot be had.
    """
    cache = config.storage.cache
    if not cache.blobdescriptor:
        return None
    shared = _redis(config, reactor, source) if cache.blobdescriptor == "redis" else None
    return Descriptors(cache.blobdescriptorsize, shared)


def _redis(config: Configuration, reactor: Any, source: str) -> Any:
    from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint

    from .redis._connection import RedisConnection
    from .redis._descriptors import RedisDescriptors
    from .redis._options import read_redis

    options = read_redis(config.redis, source)
    if options.path:
        endpoint: Any = UNIXClientEndpoint(reactor, options.path, options.dial_timeout)
    else:
        endpoint = HostnameEndpoint(reactor, options.host, options.port, options.dial_timeout)
    tls = options.tls
    if tls is None:
        return RedisDescriptors(RedisConnection(options, endpoint, reactor))
    from .redis._tls import tls_factory

    def wrap(factory: Any) -> Any:
        return tls_factory(options.host, tls, factory, source)

    return RedisDescriptors(RedisConnection(options, endpoint, reactor, wrap))
