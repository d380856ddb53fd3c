"""What is wrong with a configuration, and where."""

import json
import re
from collections.abc import Iterable

from attrs import field, frozen

Path = tuple[str | int, ...]
"""Where a value stands: the keys and list indexes from the top of the file."""

_PLAIN_KEY = re.compile(r"[\w-]+", re.ASCII)


def one_line(text: str) -> str:
    """Escape what would break a line of the report, or could not be printed."""
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else ascii(mark)[1:-1] for mark in text)


@frozen
class Problem:
    """One fault or warning; its ``str()`` is one printable line, ``path: message``.

    :ivar path: the dotted path of the key, the name of an environment variable, or a place in the file.
    :ivar message: what is wrong and, where there is one, the way out; never the value of a secret.
    """

    path: str = field(converter=one_line)
    message: str = field(converter=one_line)

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ConfigError(Exception):
    """The configuration cannot be used; ``str()`` is the whole report, one problem a line.

    :ivar problems: every fault that was found, in the order of discovery; never empty.
    :ivar source: the name of the file, for the report's first line.
    """

    def __init__(self, problems: Iterable[Problem], *, source: str = "configuration") -> None:
        self.problems = tuple(problems)
        self.source = one_line(source)
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        heading = f"{self.source}: {count} problem{'' if count == 1 else 's'}"
        return "\n".join([heading, *(f"  {problem}" for problem in self.problems)])


def format_path(path: Path) -> str:
    """Write ``path`` as ``notifications.endpoints[0].url``; a key that is not a plain word is quoted."""
    parts: list[str] = []
    for part in path:
        if isinstance(part, int):
            parts.append(f"[{part}]")
            continue
        text = part if _PLAIN_KEY.fullmatch(part) else json.dumps(shorten(part))
        parts.append(f".{text}" if parts else text)
    return "".join(parts) or "(top level)"


def shorten(text: str, limit: int = 60) -> str:
    """Cut ``text`` to at most ``limit`` characters, marking the cut."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
