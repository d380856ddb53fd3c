"""
The observer of :mod:`twisted.logger` that writes what is logged.
"""

from __future__ import annotations

from twisted.logger import ILogObserver, LogEvent
from zope.interface import implementer

from ._formats import FORMATS
from ._output import Output
from ._record import level_of, rank, record_of
from ._settings import LogSettings


@implementer(ILogObserver)
class Logs:
    """
    :param instance: the value of ``instance.id``.
    :ivar output: where lines go.
    """

    def __init__(self, settings: LogSettings, output: Output, instance: str) -> None:
        self.output = output
        self._instance = instance
        self.go_by(settings)

    def go_by(self, settings: LogSettings) -> None:
        """From now on."""
        self._least = rank(settings.level)
        self._format = FORMATS[settings.formatter]
        self._report_caller = settings.report_caller
        self._constant = settings.constant_fields(self._instance)

    def __call__(self, event: LogEvent) -> None:
        if rank(level_of(event)) >= self._least:
            self.output.write(self._format(record_of(event, self._constant, self._report_caller)))

    def write_line(self, line: str) -> None:
        """A line as it is, such as the access log's."""
        self.output.write(line)
