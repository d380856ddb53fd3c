"""
The ``health`` section, as far as it is looked at before anything is checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from ..config import ConfigError, Configuration, Problem
from ..listen import split_address


def has_checks(config: Configuration) -> bool:
    """Whether there is anything to check."""
    section = config.health
    return section.storagedriver.enabled or bool(section.file or section.http or section.tcp)


def needs_tls(config: Configuration) -> bool:
    """Whether checks speak TLS."""
    return any(not check.uri.lower().startswith("http://") for check in config.health.http)


def check_health(config: Configuration, source: str) -> None:
    """
    Whether everything can be checked; nothing is.

    :param source: the name of the file, for the report.
    :raise ConfigError: if not.
    """
    problems = list(_problems(config))
    if problems:
        raise ConfigError(problems, source=source)


def _problems(config: Configuration) -> Iterator[Problem]:
    path = config.http.debug.prometheus.path
    if not path.startswith("/") or not path.isascii():
        yield Problem("http.debug.prometheus.path", "must be a path that starts with a slash, such as /metrics")
    for index, file in enumerate(config.health.file):
        if not file.file:
            yield Problem(f"health.file[{index}].file", "missing: which file makes the registry unhealthy")
    for index, tcp in enumerate(config.health.tcp):
        try:
            split_address(tcp.addr)
        except ValueError as error:
            yield Problem(f"health.tcp[{index}].addr", str(error))
    for index, http in enumerate(config.health.http):
        if not _is_url(http.uri):
            yield Problem(f"health.http[{index}].uri", "must be a whole URL, such as https://example.com/ping")
        for name, values in http.headers.items():
            if not all(text.isascii() and text.isprintable() for text in (name, *values)):
                yield Problem(f"health.http[{index}].headers.{name}", "cannot be sent: it is not ASCII")


def _is_url(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 0) >= 0
    except ValueError:
        return False
    return whole and uri.isascii() and uri.isprintable() and " " not in uri
