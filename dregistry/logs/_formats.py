"""
Records as lines: what distribution's three formatters (logrus and its logstash hook) make of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from ._record import Record

_BARE = re.compile(r"[A-Za-z0-9._/@^+-]*")


def text(record: Record) -> str:
    """``time="..." level=info msg="..." name=value``; names of fields are sorted."""
    parts = [f'time="{record.time}" level={record.level} msg={_value(record.message)}']
    if record.caller is not None:
        function, place = record.caller
        parts.append(f"func={_value(function)} file={_value(place)}")
    parts += [f"{name}={_value(value)}" for name, value in sorted(record.fields.items())]
    return " ".join(parts)


def json_line(record: Record) -> str:
    """An object with ``time``, ``level`` and ``msg``."""
    return _encode(
        {**record.fields, **_caller(record), "level": record.level, "msg": record.message, "time": record.time}
    )


def logstash(record: Record) -> str:
    """An object with ``@timestamp``, ``@version``, ``level`` and ``message``."""
    main = {"@timestamp": record.time, "@version": "1", "level": record.level, "message": record.message}
    return _encode({**record.fields, **_caller(record), **main})


FORMATS: Mapping[str, Callable[[Record], str]] = {"text": text, "json": json_line, "logstash": logstash}


def _caller(record: Record) -> dict[str, str]:
    return {} if record.caller is None else {"func": record.caller[0], "file": record.caller[1]}


def _encode(value: Any) -> str:
    return _visible(json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str))


def _value(value: Any) -> str:
    found = value if isinstance(value, str) else _encode(value)
    return found if _BARE.fullmatch(found) else _visible(json.dumps(found, ensure_ascii=False))


def _visible(line: str) -> str:
    """Without what a terminal, or whoever reads a line, may take for something else."""
    if line.isprintable():
        return line
    return "".join(each if each.isprintable() else json.dumps(each)[1:-1] for each in line)
