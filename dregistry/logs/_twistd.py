"""
The log of a process: where it goes is for twistd's options to say.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.logger import ILogObserver
from twisted.python.components import Componentized

from ._observer import Logs
from ._output import AppendedFile, Descriptor, Output
from ._settings import LogSettings

FILE = "DREGISTRY_LOG_FILE"
"""The variable by which processes that a supervisor starts know the file to log to; without it, standard output."""
_DEFAULT_FILE = "twistd.log"
_STANDARD_OUTPUT = 1


class LoggingService(Service):
    """
    A service of twistd's that brings the log of the process along.

    :ivar logs: what twistd is to log through; None to leave that to twistd.
    """

    logs: Logs | None = None

    def setServiceParent(self, parent: Any) -> None:
        if self.logs is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.logs)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]


def log_file(twistd: Mapping[str, Any]) -> str | None:
    """The file that twistd's options name, absolute; None for standard output."""
    named = twistd.get("logfile") or ""
    if named == "-" or (not named and twistd.get("nodaemon")):
        return None
    return os.path.abspath(named or _DEFAULT_FILE)


def logs_of_twistd(twistd: Mapping[str, Any], settings: LogSettings, instance: str) -> Logs | None:
    """
    The log of the process that twistd starts; None if an observer of its own is asked for (``--logger``,
    ``--syslog``), or twistd is to refuse its options.

    :raise OSError: if the file cannot be opened.
    """
    path = log_file(twistd)
    if twistd.get("logger") or twistd.get("syslog") or (path is None and not twistd.get("nodaemon")):
        return None
    output: Output = Descriptor(_STANDARD_OUTPUT) if path is None else AppendedFile(path)
    return Logs(settings, output, instance)


def logs_of_child(environ: Mapping[str, str], settings: LogSettings, instance: str) -> Logs:
    """
    The log of a process that a supervisor started. A file that it may not open is its supervisor's to write, who reads
    standard output then.
    """
    output: Output = Descriptor(_STANDARD_OUTPUT)
    if FILE in environ:
        with suppress(OSError):
            output = AppendedFile(environ[FILE])
    return Logs(settings, output, instance)
