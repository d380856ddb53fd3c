"""
The twistd command: from a configuration file to a running registry.
"""

from __future__ import annotations

import os
import pickle
import sys
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from twisted.application.service import IService
from twisted.python.usage import Options as UsageOptions
from twisted.python.usage import UsageError

from . import __version__
from ._notify import ServiceNotices
from ._plan import Plan, PlanError, read_plan
from ._tls import tls_if
from .logs import Logs, logs_of_twistd
from .purging import UploadPurging
from .reloading import Reloading, log_plan
from .workers import INSTANCE, Supervisor

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
    twistd: Any = options.parent or {}
    os.environ[INSTANCE] = str(uuid4())  # one for what is logged and for events, in all processes
    notices = ServiceNotices(os.environ)
    try:
        plan = read_plan(path)
    except PlanError as error:
        sys.exit(str(error))
    logs = _logs(twistd, plan)
    log_plan(f"dregistry {__version__}", plan)
    alone = plan.workers == 1
    with tls_if(alone and plan.needs_tls):
        from twisted.internet import reactor

        purging = UploadPurging(path, plan.purge_interval, reactor)
        if alone:
            return _registry(path, plan, reactor, purging, notices, logs, _changes(twistd))
    log_file = None if logs is None else getattr(logs.output, "path", None)
    inherit_output = bool(twistd.get("nodaemon")) and logs is not None and log_file is None
    supervisor = Supervisor(path, plan, reactor, inherit_output, purging, log_file, notices)
    supervisor.logs = logs
    return supervisor


def _logs(twistd: Any, plan: Plan) -> Logs | None:
    """
    What the process logs through; None to leave it to twistd, or to whoever has no options of twistd's.

    :raise SystemExit: if the file that twistd's option names cannot be opened.
    """
    if not twistd:
        return None
    try:
        return logs_of_twistd(twistd, plan.log, os.environ[INSTANCE])
    except OSError as error:
        sys.exit(f"twistd --logfile: {error}")


def _registry(
    path: str,
    plan: Plan,
    reactor: Any,
    purging: UploadPurging,
    notices: ServiceNotices,
    logs: Logs | None,
    late: bool,
) -> IService:
    from .config import ConfigError
    from .debug import own_debug
    from .requestlogs import log_line
    from .server import RegistryService

    setup: Setup = pickle.loads(plan.setup)  # noqa: S301  from a process that this one started
    write_line = log_line if logs is None else logs.write_line
    try:
        debug = own_debug(setup, reactor, purging)
        service = RegistryService(
            setup,
            reactor,
            purging=purging,
            deliver=True,
            debug=debug,
            write_line=write_line,
            notices=notices,
            late=late,
        )
    except ConfigError as error:
        sys.exit(str(error))
    service.logs = logs
    service.reloading = Reloading(path, plan, service.go_by, reactor, notices)
    return service


def _changes(twistd: Any) -> bool:
    """Whether twistd leaves this process, or its user, before it starts the service."""
    return bool(twistd) and (not twistd["nodaemon"] or twistd["uid"] is not None or twistd["gid"] is not None)
