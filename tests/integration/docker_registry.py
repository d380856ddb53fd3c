"""
registry:2, as Debian packages it: a second registry to share a directory with.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Any

import yaml

from .requirements import tool
from .server import RunningRegistry

PACKAGE = "docker-registry"


def program() -> str:
    return tool("docker-registry", PACKAGE)


class DockerRegistry(RunningRegistry):
    """
    registry:2 in place of dregistry; all else is as with that.

    :raise SkipTest: if it is not installed.
    """

    def __init__(self, data: str, settings: Mapping[str, Any] | None = None) -> None:
        self._program = program()
        super().__init__(settings, data)

    def _command(self) -> list[str]:
        return [self._program, "serve", self._config]


def collect_garbage(data: str, config: str, *flags: str) -> str:
    """
    Run registry:2's garbage collection on a directory.

    :param config: a file to write its configuration to.
    :return: what it printed.
    """
    with open(config, "w", encoding="utf-8") as file:
        yaml.safe_dump({"version": 0.1, "storage": {"filesystem": {"rootdirectory": data}}}, file)
    command = [program(), "garbage-collect", *flags, config]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"garbage-collect exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def stock_config() -> str | None:
    """The configuration file that the package installs, which lies beside its program; None if it is gone."""
    prefix = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(program()))))
    path = os.path.join(prefix, "etc", "docker", "registry", "config.yml")
    return path if os.path.exists(path) else None
