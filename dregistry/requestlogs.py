"""
From the configuration to what is logged of requests, and to how many there may be.
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

from twisted.logger import Logger

from .config import ConfigError, Log, Problem, RateLimit
from .logs import AppendedFile, LogSettings
from .web import AccessLog, AuditLog, Bucket, RateLimits, RequestLog, ResponseLog, TrustedProxies

_access_log = Logger("access")
_log = Logger()

WriteLine = Callable[[str], None]


def log_line(line: str) -> None:
    """Log a line through whatever observers this process has."""
    _access_log.info("{line}", line=line)


def request_logs(section: Log, proxies: TrustedProxies, write_line: WriteLine, reactor: Any) -> list[RequestLog]:
    """
    Those that are told of each answer.

    :param write_line: takes lines of the access log.
    """
    found: list[RequestLog] = []
    if not section.accesslog.disabled:
        found.append(AccessLog(write_line, reactor.seconds, proxies, section.accesslog.skip))
    found.append(ResponseLog(proxies, section.responses == "all"))
    return found


def audit_log(section: Log, reactor: Any, write_line: WriteLine, source: str) -> AuditLog | None:
    """
    :param write_line: takes its lines if they go to the log.
    :raise ConfigError: if its file cannot be opened.
    """
    path = section.audit.file
    if not path:
        return None
    constant = LogSettings.of(section).constant_fields("")
    constant = {name: constant[name] for name in section.fields}
    if path == "-":
        return AuditLog(write_line, reactor.seconds, constant)
    try:
        file = AppendedFile(path)
    except OSError as error:
        raise ConfigError([Problem("log.audit.file", f"cannot be opened: {error}")], source=source) from None

    def append(line: str) -> None:
        try:
            file.append(line)
        except OSError as error:
            _log.error("the audit log cannot be written: {error}", error=error)
            write_line(line)

    return AuditLog(append, reactor.seconds, constant)


def rate_limits(section: RateLimit, reactor: Any) -> RateLimits | None:
    """None without any."""
    every = Bucket.of(section.rate, section.burst)
    writes = Bucket.of(section.writes.rate, section.writes.burst)
    if every is None and writes is None:
        return None
    exempt = tuple(ip_network(network) for network in section.exempt)
    return RateLimits(reactor.seconds, every, writes, section.per == "user", exempt)
