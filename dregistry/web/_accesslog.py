"""
The access log, in the combined format.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from twisted.web.http import combinedLogFormatter, datetimeToLogString

_STATE = re.compile(r"(?<=[?&]_state=)[^&\" ]*")
_QUIET = frozenset({b"/", b"/livez", b"/readyz"})


class AccessLog:
    """
    One line for each request, but for what load balancers ask; upload tokens of other registries are masked.

    :param write: takes a line without its end.
    :param seconds: the time, in seconds since the epoch.
    """

    def __init__(self, write: Callable[[str], None], seconds: Callable[[], float]) -> None:
        self._write = write
        self._seconds = seconds

    def log(self, request: Any) -> None:
        if request.path in _QUIET:
            return
        line = combinedLogFormatter(datetimeToLogString(self._seconds()), request)
        self._write(_STATE.sub("*", line) if "_state=" in line else line)
