"""What the model's classes are made of: the metadata of a key, and the checks of its value.

A plain annotated attribute is a key of the same name. :func:`about` says what an annotation cannot: that
Go's field, which names the key in the environment, is called otherwise; that the YAML key is no Python
name; what a value must satisfy beyond its type.
"""

import re
from collections.abc import Callable, Sequence
from ipaddress import ip_network
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

from attrs import Factory, frozen

Check = Callable[[Any], str | None]
"""Given a structured value, says what is wrong with it, or None."""

NAME: Final = "name"
GO_NAME: Final = "go"
CHECK: Final = "check"
FIXED: Final = "fixed"


def about(
    *, name: str | None = None, go: str | None = None, check: Check | None = None, fixed: bool = False
) -> dict[str, object]:
    """Describe a key, as metadata of its ``attrs.field``.

    :param name: the YAML key, where it cannot be the attribute's name.
    :param go: the name of distribution's Go field, where it is not the YAML key in another case.
    :param check: what a structured value must satisfy; not asked of the default.
    :param fixed: the environment may not set it.
    """
    return {NAME: name, GO_NAME: go, CHECK: check, FIXED: fixed}


@frozen
class DriverSection:
    """A section which names one backend and holds that backend's options, beside keys of its own.

    In the file the backend's name is the key of the options (``filesystem: {...}``), or the whole section
    (``storage: inmemory``).

    :ivar driver: the backend's name, ``""`` for none.
    :ivar parameters: its options as YAML gave them, checked by nobody yet.
    """

    required: ClassVar[bool] = False

    driver: str = ""
    parameters: dict[str, object] = Factory(dict)


@frozen
class AtLeast:
    """Accepts integers from ``least`` on."""

    least: int

    def __call__(self, value: int) -> str | None:
        return None if value >= self.least else f"must be at least {self.least}, not {value}"


def at_least(least: int) -> Check:
    """Accept integers from ``least`` on."""
    return AtLeast(least)


def url_prefix(value: str) -> str | None:
    """Accept a path such as ``/registry/``, or nothing."""
    if not value or re.fullmatch(r"/[!-~]*", value):
        return None
    return "must be a path that starts with a slash, such as /registry/"


def external_url(value: str) -> str | None:
    """Accept a URL of scheme and host, or nothing."""
    if not value:
        return None
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    return None if usable else "must be a whole URL, such as https://registry.example.com"


def networks(values: Sequence[str]) -> str | None:
    """Accept addresses, networks (``10.0.0.0/8``) and the word ``unix``."""
    for value in values:
        try:
            if value != "unix":
                ip_network(value)
        except ValueError as error:
            return f"{error}; an entry is an address, a network such as 10.0.0.0/8, or unix"
    return None


def ip_networks(values: Sequence[str]) -> str | None:
    """Accept addresses and networks."""
    return "an entry is an address, or a network such as 10.0.0.0/8; not unix" if "unix" in values else networks(values)


def not_negative(value: float) -> str | None:
    """Accept finite numbers from 0 on."""
    return None if 0 <= value < float("inf") else f"must be 0 or more, not {value}"


def paths(values: Sequence[str]) -> str | None:
    """Accept paths of URLs."""
    for value in values:
        if not re.fullmatch(r"/[!-~]*", value) or "?" in value:
            return f"{value!r} is no path such as /livez"
    return None


def audit_file(value: str) -> str | None:
    """Accept an absolute path, ``-``, or nothing."""
    return None if value in ("", "-") or value.startswith("/") else "must be an absolute path, or - for the log"


def origins(values: Sequence[str]) -> str | None:
    """Accept scheme and host, with a port or not, as browsers send them; and ``*``."""
    for value in values:
        if value != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[a-z0-9._~\[\]:-]+", value):
            return f"{value!r} is no origin such as https://ui.example.com: scheme and host in lower case, no path"
    return None
