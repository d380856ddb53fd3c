"""
The twistd command: from a configuration to a running registry.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.threadpool import ThreadPool
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError
from zope.interface.verify import verifyObject

from . import __version__
from ._threads import PooledThreads
from .config import ConfigError, Configuration, Problem, load_file, read_options
from .plugins import PluginError, find_factory
from .registry import Core, Registry, Settings
from .registry.validation import ManifestPolicy
from .storage import API_VERSION, DriverContext, IStorageDriver, IStorageDriverFactory
from .web import AccessLog, Api, Links, RegistrySite
from .web.listen import listen

_log = Logger()
_access_log = Logger("access")


class Options(UsageOptions):
    """``twistd dregistry`` takes distribution's configuration file."""

    optParameters = [
        ["config", "c", None, "The configuration file; else REGISTRY_CONFIGURATION_PATH names it."],
    ]

    def opt_version(self) -> None:
        """Show the version of dregistry, and stop."""
        sys.stdout.write(f"dregistry {__version__}\n")
        sys.exit(0)

    def postOptions(self) -> None:
        self["config"] = self["config"] or os.environ.get("REGISTRY_CONFIGURATION_PATH")
        if not self["config"]:
            raise UsageError("name a configuration file: --config FILE")


def makeService(options: Options) -> IService:
    """
    A service for twistd.

    :raise SystemExit: with a report of all that is wrong with the configuration.
    """
    from twisted.internet import reactor

    try:
        loaded = load_file(options["config"], os.environ)
        for warning in loaded.warnings:
            _log.warn("{path}: {message}", path=warning.path, message=warning.message)
        return RegistryService(loaded.config, options["config"], reactor)
    except ConfigError as error:
        sys.exit(str(error))


class RegistryService(Service):
    """
    A registry that listens from its start to its stop.

    :raise ConfigError: if the storage driver cannot be had, or does not take its options.
    """

    def __init__(self, config: Configuration, source: str, reactor: Any) -> None:
        self._config = config
        self._reactor = reactor
        self._port: IListeningPort | None = None
        factory, driver_options = _find_driver(config, source)
        self._pool = ThreadPool(0, factory.max_threads(driver_options), "storage")
        threads = PooledThreads(reactor, self._pool)
        driver = factory.build(driver_options, DriverContext(reactor, threads))
        verifyObject(IStorageDriver, driver)
        core = Core(driver, threads, _settings(config))
        access_log = None
        if not config.log.accesslog.disabled:
            access_log = AccessLog(lambda line: _access_log.info("{line}", line=line), reactor.seconds)
        self.site = RegistrySite(_api(config, Registry(core)), reactor, access_log)
        _log.info("dregistry {version}: storage {driver}", version=__version__, driver=driver.name)

    def privilegedStartService(self) -> None:
        """Listen, while the process may still use ports below 1024."""
        try:
            self._port = listen(self._reactor, self.site, self._config.http.net, self._config.http.addr)
        except (CannotListenError, ValueError) as error:
            sys.exit(f"http.addr: cannot listen on {self._config.http.addr!r}: {error}")

    def startService(self) -> None:
        super().startService()
        self._pool.start()

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is under way any more."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._port is not None:
            stopped = self._port.stopListening()
            if stopped is not None:
                await stopped
        await self.site.drain(self._config.http.draintimeout)
        self._pool.stop()


def _find_driver(config: Configuration, source: str) -> tuple[Any, Any]:
    """The factory of the storage driver that the configuration names, and its options."""
    name = config.storage.driver
    try:
        factory = find_factory(IStorageDriverFactory, "storage driver", name, API_VERSION)
    except PluginError as error:
        raise ConfigError([Problem("storage", str(error))], source=source) from None
    options, warnings = read_options(config.storage.parameters, factory.options, f"storage.{name}", source)
    for warning in warnings:
        _log.warn("{path}: {message}", path=warning.path, message=warning.message)
    return factory, options


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
    return Settings(config.storage.delete.enabled, config.limits.manifestbytes, policy)


def _api(config: Configuration, registry: Registry) -> Api:
    http = config.http
    headers = [
        (name.encode("latin-1"), value.encode("latin-1")) for name, all_ in http.headers.items() for value in all_
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
