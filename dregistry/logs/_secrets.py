"""
What no log may have.

Whatever is logged of a request goes through :func:`masked_target`, which knows what a query is. :func:`masked` is the
net below that, for texts that others wrote: messages of exceptions, tracebacks, what a client says of itself.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

_NAME = re.compile(
    r"(?:_state|[\w.-]*(?:token|passw|secret|signature|credential|api[_-]?key)[\w.-]*|sig|code)", re.IGNORECASE
)
_PARAMETER = re.compile(r"([?&;])([^?&;=\s\"'<>]*)=([^&;\s\"'<>]*)")
_WHOLE_PARAMETER = re.compile(r"([?&;])([^&;=]*)=([^&;]*)")
_AUTHORIZATION = re.compile(r"\b(basic|bearer)(\s+|%20|\+)(?!realm=)[\w+/=.~-]{4,}", re.IGNORECASE)
_USER_INFO = re.compile(r"(?<=://)[^/\s@\"'<>]+(?=@)")
_SUSPECT = re.compile(r"[=@]|basic|bearer", re.IGNORECASE)


def masked(text: str) -> str:
    """The text without credentials, and without values of query parameters whose names tell that they are secret."""
    if _SUSPECT.search(text) is None:
        return text
    text = _PARAMETER.sub(_parameter, text)
    text = _AUTHORIZATION.sub(r"\1\2*", text)
    return _USER_INFO.sub("*", text)


def masked_target(target: str) -> str:
    """The same of the target of a request, path and query: what is no query has no secrets."""
    path, mark, query = target.partition("?")
    return path + mark + _WHOLE_PARAMETER.sub(_parameter, "?" + query)[1:] if mark and query else target


def _parameter(found: re.Match[str]) -> str:
    name = unquote(found[2].replace("+", " "))
    return f"{found[1]}{found[2]}=*" if _NAME.fullmatch(name.strip()) else found[0]
