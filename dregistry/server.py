"""
A registry put together from its configuration: driver, domain, web, and the threads that they share.
"""

from __future__ import annotations

import gc
from typing import Any

from attrs import frozen
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool

from ._threads import PooledThreads
from .backends import StorageChoice
from .config import Configuration
from .registry import Core, Registry, Settings
from .registry.validation import ManifestPolicy
from .storage import DriverContext
from .web import AccessLog, Api, Links, RegistrySite

_access_log = Logger("access")


@frozen(eq=False)
class Server:
    """
    :ivar site: the factory of its connections; whoever listens hands them to it.
    """

    site: RegistrySite
    _pool: ThreadPool
    _drain_timeout: float

    def start(self) -> None:
        """Before the first connection."""
        self._pool.start()
        gc.collect()
        gc.freeze()  # what is here now stays: the collector need not look at it again

    async def stop(self) -> None:
        """After the last connection was accepted: let what is under way come to its end."""
        await self.site.drain(self._drain_timeout)
        self._pool.stop()


def build_server(config: Configuration, storage: StorageChoice, reactor: Any) -> Server:
    """
    Put it together; nothing runs yet.

    :raise ConfigError: if a backend cannot be built.
    """
    pool = ThreadPool(0, storage.factory.max_threads(storage.options), "storage")
    threads = PooledThreads(reactor, pool)
    driver = storage.build_driver(DriverContext(reactor, threads))
    access_log = None
    if not config.log.accesslog.disabled:
        access_log = AccessLog(lambda line: _access_log.info("{line}", line=line), reactor.seconds)
    registry = Registry(Core(driver, threads, _settings(config)))
    return Server(RegistrySite(_api(config, registry), reactor, access_log), pool, config.http.draintimeout)


def _settings(config: Configuration) -> Settings:
    rules = config.validation
    policy = ManifestPolicy()
    if not rules.disabled:
        policy = ManifestPolicy(
            tuple(rules.manifests.urls.allow),
            tuple(rules.manifests.urls.deny),
            rules.manifests.indexes.platforms,
            frozenset((each.architecture, each.os) for each in rules.manifests.indexes.platformlist),
        )
    return Settings(
        config.storage.delete.enabled, config.limits.manifestbytes, policy, not config.storage.redirect.disable
    )


def _api(config: Configuration, registry: Registry) -> Api:
    http = config.http
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, values in http.headers.items() for value in values
    ]
    return Api(
        registry,
        links=Links(http.prefix.rstrip("/"), http.host.rstrip("/"), http.relativeurls),
        headers=headers,
        read_only=config.storage.maintenance.readonly.enabled,
        catalog_limit=config.catalog.maxentries,
        tags_limit=config.tags.maxtags,
        manifest_limit=config.limits.manifestbytes,
        tags_per_put=config.limits.tagsperput,
        strict_accept=config.compat.strictaccept,
    )
