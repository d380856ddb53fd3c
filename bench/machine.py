"""
The machine that measures, without its name: what a reader needs to know to compare figures.
"""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from servers import program

from dregistry import __version__


def describe(directory: Path) -> dict[str, str]:
    """
    :param directory: where the registries keep their data.
    """
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "CPU": _cpu(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "file system": file_system(directory),
        "kernel": f"{platform.system()} {platform.release()}",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "unknown"),
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
        "versions": ", ".join(f"{name} {number}" for name, number in _versions().items()),
    }


def file_system(directory: Path) -> str:
    """The type of the file system that a directory is on."""
    mounts = [line.split()[1:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    # Of several mounts on one place the last is seen.
    found = max(
        (len(Path(place).parts), number, kind)
        for number, (place, kind) in enumerate(mounts)
        if directory.resolve().is_relative_to(place)
    )
    return found[2]


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _versions() -> dict[str, str]:
    return {
        "dregistry": __version__,
        "Twisted": version("twisted"),
        "Python": platform.python_version(),
        "docker-registry": _last_word("docker-registry", "--version"),
        "nginx": _last_word("nginx", "-v").removeprefix("nginx/"),
        "wrk": _output("wrk", "-v").split()[1],
    }


def _last_word(name: str, option: str) -> str:
    return _output(name, option).split()[-1]


def _output(name: str, option: str) -> str:
    command = [program(name), option]
    ended = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return ended.stdout.strip() or "unknown unknown"
