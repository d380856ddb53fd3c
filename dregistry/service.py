"""
The twistd command: from a configuration file to a running registry.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from twisted.application.service import IService, Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from . import __version__
from ._tls import without_tls
from .backends import StorageChoice, Warn, choose_storage, describe_enabled
from .config import ConfigError, Configuration, Problem, load_file
from .listen import listening_sockets
from .workers import Supervisor, worker_count

_log = Logger()


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
    A service for twistd: the registry itself, or the supervisor of several processes that serve it.

    :raise SystemExit: with a report of all that is wrong with the configuration.
    """
    with without_tls():
        from twisted.internet import reactor

    path = os.path.abspath(options["config"])
    try:
        config, storage = load(path)
        count = worker_count(config, storage.factory.shared, path)
        enabled = describe_enabled([storage, *storage.middleware])
        _log.info("dregistry {version}: {enabled}", version=__version__, enabled=enabled)
        if count == 1:
            return RegistryService(config, storage, reactor)
    except ConfigError as error:
        sys.exit(str(error))
    twistd: Any = options.parent or {}
    return Supervisor(path, config, count, reactor, bool(twistd.get("nodaemon")))


def log_warning(warning: Problem) -> None:
    _log.warn("{path}: {message}", path=warning.path, message=warning.message)


def load(path: str, warn: Warn = log_warning) -> tuple[Configuration, StorageChoice]:
    """
    The configuration of a file and of the environment.

    :param warn: is told what does not stop the start.
    :raise ConfigError:
    """
    loaded = load_file(path, os.environ)
    for warning in loaded.warnings:
        warn(warning)
    return loaded.config, choose_storage(loaded.config, path, warn)


class RegistryService(Service):
    """
    A registry that listens from its start to its stop.

    :param listening: the socket to serve; None to make one as the configuration says.
    """

    def __init__(
        self, config: Configuration, storage: StorageChoice, reactor: Any, listening: socket.socket | None = None
    ) -> None:
        with without_tls():
            from .server import build_server

        self._http = config.http
        self._reactor = reactor
        self._listening = listening
        self._port: IListeningPort | None = None
        self._server = build_server(config, storage, reactor)

    def privilegedStartService(self) -> None:
        """Listen, while the process may still use ports below 1024."""
        if self._listening is None:
            try:
                [self._listening] = listening_sockets(self._http.net, self._http.addr, 1)
            except (OSError, ValueError) as error:
                sys.exit(f"http.addr: cannot listen on {self._http.addr!r}: {error}")

    def startService(self) -> None:
        super().startService()
        self._server.start()
        listening, self._listening = self._listening, None
        assert listening is not None
        self._port = self._reactor.adoptStreamPort(listening.fileno(), listening.family, self._server.site)
        listening.close()

    def stopService(self) -> Deferred[None]:
        """Fires when nothing is under way any more."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._port is not None:
            stopped = self._port.stopListening()
            if stopped is not None:
                await stopped
        await self._server.stop()
