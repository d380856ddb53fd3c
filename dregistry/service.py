"""
The twistd command: from a configuration file to a running registry.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any

from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from . import __version__
from ._notify import ServiceNotices
from ._plan import Plan, PlanError, read_plan
from ._tls import tls_if
from .purging import UploadPurging
from .reloading import Reloading, log_plan
from .workers import Supervisor

if TYPE_CHECKING:
    from .backends import Setup


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
    notices = ServiceNotices(os.environ)
    twistd: Any = options.parent or {}
    try:
        plan = read_plan(path)
    except PlanError as error:
        sys.exit(str(error))
    log_plan(f"dregistry {__version__}", plan)
    alone = plan.workers == 1
    with tls_if(alone and plan.needs_tls):
        from twisted.internet import reactor

        purging = UploadPurging(path, plan.purge_interval, reactor)
        if alone:
            return _registry(path, plan, reactor, purging, notices, _changes(twistd))
    return Supervisor(path, plan, reactor, bool(twistd.get("nodaemon")), purging, notices)


def _registry(
    path: str, plan: Plan, reactor: Any, purging: UploadPurging, notices: ServiceNotices, late: bool
) -> IService:
    from .config import ConfigError
    from .debug import own_debug
    from .server import RegistryService

    setup: Setup = pickle.loads(plan.setup)  # noqa: S301  from a process that this one started
    try:
        debug = own_debug(setup, reactor, purging)
        service = RegistryService(
            setup, reactor, purging=purging, deliver=True, debug=debug, notices=notices, late=late
        )
    except ConfigError as error:
        sys.exit(str(error))
    service.reloading = Reloading(path, plan, service.go_by, reactor, notices)
    return service


def _changes(twistd: Any) -> bool:
    """Whether twistd leaves this process, or its user, before it starts the service."""
    return bool(twistd) and (not twistd["nodaemon"] or twistd["uid"] is not None or twistd["gid"] is not None)
