"""
From an event of :mod:`twisted.logger` to a record.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import frozen
from twisted.logger import LogEvent, LogLevel, formatEvent
from twisted.python.failure import Failure

from ._secrets import masked

_LEVELS = {
    LogLevel.debug: "debug",
    LogLevel.info: "info",
    LogLevel.warn: "warning",
    LogLevel.error: "error",
    LogLevel.critical: "error",
}
_RANKS = {"debug": 0, "info": 1, "warn": 2, "warning": 2, "error": 3}
_FIXED = frozenset({"time", "level", "msg", "func", "file"})
_THROUGH = ("twisted.logger", "twisted.python.log", "dregistry.logs")
"""Modules by which an event comes here."""


def rank(level: str) -> int:
    """The higher, the graver."""
    return _RANKS[level]


def level_of(event: LogEvent) -> str:
    """``debug``, ``info``, ``warning`` or ``error``, as distribution writes them."""
    return _LEVELS.get(event.get("log_level", LogLevel.info), "info")


@frozen
class Record:
    """
    :ivar time: RFC 3339.
    :ivar fields: names to values of JSON.
    :ivar caller: function, and file with line; None if nobody wants to know.
    """

    time: str
    level: str
    message: str
    fields: Mapping[str, Any]
    caller: tuple[str, str] | None = None


def record_of(event: LogEvent, constant: Mapping[str, Any], report_caller: bool) -> Record:
    """:param constant: fields of all records; those of the event come before them."""
    moment = datetime.fromtimestamp(event.get("log_time", 0.0), UTC)
    fields = {**constant, **_failure_fields(event.get("log_failure")), **_event_fields(event)}
    return Record(
        f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z",
        level_of(event),
        masked(formatEvent(event)),
        {f"fields.{name}" if name in _FIXED else name: value for name, value in fields.items()},
        _caller() if report_caller else None,
    )


def _event_fields(event: LogEvent) -> dict[str, Any]:
    found: Mapping[str, Any] = event.get("fields") or {}
    return {name: masked(value) if isinstance(value, str) else value for name, value in found.items()}


def _failure_fields(failure: Failure | None) -> dict[str, str]:
    if failure is None:
        return {}
    try:
        said = f"{failure.type.__name__}: {failure.getErrorMessage()}"  # type: ignore[union-attr]
        return {"error": masked(said), "stack": masked(failure.getTraceback())}
    except Exception as error:  # that of a foreign exception's __str__
        return {"error": f"a failure that cannot be described: {type(error).__name__}"}


def _caller() -> tuple[str, str] | None:
    """Who logs. Of what is logged before the log is there, nobody knows."""
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
        if not str(frame.f_globals.get("__name__", "")).startswith(_THROUGH):
            code = frame.f_code
            return f"{frame.f_globals.get('__name__')}.{code.co_qualname}", f"{code.co_filename}:{frame.f_lineno}"
    return None
