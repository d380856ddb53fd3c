"""
What processes of dregistry log, in distribution's formats and with its field names, by :mod:`twisted.logger`.

A module logs as any on Twisted does; ``fields`` of an event are names and values that go into the record as they are::

    _log.info("response completed", fields={"http.response.status": 200})
"""

from ._observer import Logs
from ._output import AppendedFile, Descriptor, Output
from ._secrets import masked, masked_target
from ._settings import LogSettings
from ._twistd import FILE, LoggingService, logs_of_child, logs_of_twistd

__all__ = [
    "FILE",
    "AppendedFile",
    "Descriptor",
    "LogSettings",
    "LoggingService",
    "Logs",
    "Output",
    "logs_of_child",
    "logs_of_twistd",
    "masked",
    "masked_target",
]
