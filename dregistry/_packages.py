"""
The installed package that a file belongs to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from urllib.parse import unquote, urlsplit

from attrs import frozen


@frozen
class Package:
    """What pip installs: a distribution, in Python's words."""

    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@lru_cache
def package_of_file(path: str | None) -> Package | None:
    """
    The package that installed the file or, if none did, the editable one in whose directory it lies.

    :return: None if it is nobody's.
    """
    if path is None:
        return None
    path = os.path.realpath(path)
    editable: tuple[str, metadata.Distribution] | None = None
    for distribution in metadata.distributions():
        if _installed(distribution, path):
            return _package(distribution)
        for folder in _editable(distribution):
            if path.startswith(folder + os.sep) and (editable is None or len(folder) > len(editable[0])):
                editable = folder, distribution
    return _package(editable[1]) if editable else None


def _package(distribution: metadata.Distribution) -> Package:
    return Package(distribution.metadata["Name"], distribution.version)


def _installed(distribution: metadata.Distribution, path: str) -> bool:
    name = os.path.basename(path)
    for line in (distribution.read_text("RECORD") or "").splitlines():
        if name in line:
            recorded = line.split(",")[0].strip('"')
            if os.path.basename(recorded) == name and os.path.realpath(str(distribution.locate_file(recorded))) == path:
                return True
    return False


def _editable(distribution: metadata.Distribution) -> Iterator[str]:
    """The directory that the package is installed from, if it was left there."""
    try:
        origin = json.loads(distribution.read_text("direct_url.json") or "{}")
        if origin.get("dir_info", {}).get("editable"):
            yield os.path.realpath(unquote(urlsplit(origin["url"]).path))
    except (ValueError, KeyError, AttributeError):
        return
