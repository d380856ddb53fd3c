"""
The twistd command: from a configuration file to a running registry.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from . import __version__
from ._tls import tls_if
from .backends import read_setup
from .config import ConfigError
from .purging import UploadPurging
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
    path = os.path.abspath(options["config"])
    try:
        setup = read_setup(path)
        count = worker_count(setup, path)
        _log.info("dregistry {version}: {enabled}", version=__version__, enabled=setup.describe_enabled())
        alone = count == 1
        with tls_if(alone and (setup.needs_tls or bool(setup.sinks))):
            from twisted.internet import reactor

            if alone:
                from .server import RegistryService
        purging = None
        if setup.storage.factory.shared:
            purging = UploadPurging(path, setup.config.storage.maintenance.uploadpurging, reactor)
        if alone:
            return RegistryService(setup, reactor, purging=purging, deliver=True)
    except ConfigError as error:
        sys.exit(str(error))
    twistd: Any = options.parent or {}
    return Supervisor(path, setup, count, reactor, bool(twistd.get("nodaemon")), purging)
