"""
Wheels that were built here, installed into an environment of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from typing import Any

from .server import RunningRegistry

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = "import sys; from dregistry.cli import main; sys.exit(main())"


def run(*command: str, cwd: str) -> str:
    """What a program prints, which sees nothing of this Python's path."""
    done = subprocess.run(command, check=False, cwd=cwd, env=_environ(), capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"{command} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


class Installation:
    """
    A new environment with the wheels of some projects. After them on its path come the packages of this environment,
    for their dependencies. An editable installation in this one is not seen: its path file is not read there.

    :param folder: for all of it.
    :param projects: directories with a ``pyproject.toml``.
    :ivar packages: where they are installed.
    """

    def __init__(self, folder: str, *projects: str) -> None:
        self._folder = folder
        wheels = os.path.join(folder, "wheels")
        pip = (sys.executable, "-m", "pip", "--quiet")
        for project in projects:
            run(*pip, "wheel", "--no-deps", "--wheel-dir", wheels, project, cwd=folder)
        environment = os.path.join(folder, "venv")
        venv.create(environment, with_pip=False, symlinks=True)
        self.python_path = os.path.join(environment, "bin", "python")
        self.packages = self.python("-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
        built = [os.path.join(wheels, name) for name in os.listdir(wheels)]
        run(*pip, "install", "--no-deps", "--no-index", "--target", self.packages, *built, cwd=folder)
        with open(os.path.join(self.packages, "dependencies.pth"), "w", encoding="utf-8") as file:
            file.write("\n".join(dict.fromkeys(sysconfig.get_path(each) for each in ("purelib", "platlib"))) + "\n")

    def python(self, *arguments: str) -> str:
        """What its Python prints."""
        return run(self.python_path, "-I", *arguments, cwd=self._folder)

    def tool(self, *arguments: str) -> str:
        """What its command ``dregistry`` prints."""
        return self.python("-c", TOOL, *arguments)


class InstalledRegistry(RunningRegistry):
    """The server of an installation, and its workers."""

    def __init__(self, installation: Installation, settings: Mapping[str, Any] | None = None) -> None:
        super().__init__(settings)
        self._python = installation.python_path

    def _command(self) -> list[str]:
        return [self._python, "-I", *super()._command()[1:]]

    def _variables(self) -> dict[str, str]:
        return _environ()
