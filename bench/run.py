#!/usr/bin/env python3
"""
Measure dregistry beside Debian's docker-registry and nginx, on this machine and this file system.

    bench/run.py [--rounds 5] [--seconds 4] [--quick]

The table is printed, and written to bench/results/ with a plot and all values. Everything listens on 127.0.0.1 only;
data is in $TMPDIR, else in this directory, and is removed. It needs wrk, gcc, OpenSSL's headers, docker-registry and
nginx, which bench/install-tools installs on Debian.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent)]

import report  # noqa: E402
from content import BIG_BYTES, MIB, PUSH_BYTES, Payloads, generate, seed, write_random  # noqa: E402
from figures import Bench, Figure, all_figures, memory_figures, run_rounds  # noqa: E402
from machine import describe, file_system  # noqa: E402
from servers import Server, docker_registry, dregistry, nginx, program  # noqa: E402
from tools import Clients  # noqa: E402

_SECONDS_OF_ROUNDS = 540
"""After these no further round is begun."""
_SETTLE = 2
"""Seconds after which a server that has started is idle."""


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with ExitStack() as stack:
        work = _directory(stack, os.environ.get("TMPDIR") or str(HERE))
        try:
            _check(work, options.rounds)
        except OSError as error:
            print(f"bench: {error}", file=sys.stderr)
            return 2
        machine = describe(work)
        figures, rounds = _measure(stack, work, options)
    settings = {"rounds": rounds, "seconds": options.seconds}
    print(report.write(HERE / "results", machine, settings, figures))
    return 1 if any(None in values for figure in figures for values in figure.values.values()) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure dregistry beside docker-registry and nginx.")
    parser.add_argument("--rounds", type=int, default=5, help="how often everything is measured (default: 5)")
    parser.add_argument("--seconds", type=int, default=4, help="how long each load lasts (default: 4)")
    parser.add_argument("--quick", action="store_true", help="one round of one second: does it work?")
    options = parser.parse_args()
    if options.quick:
        options.rounds = options.seconds = 1
    if min(options.rounds, options.seconds) < 1:
        parser.error("rounds and seconds are at least 1")
    return options


def _check(work: Path, rounds: int) -> None:
    """
    :raise FileNotFoundError: if a program is missing.
    :raise OSError: if the disk is too small.
    """
    for name in ("wrk", "gcc", "docker-registry", "nginx"):
        program(name)
    need = 2 * (BIG_BYTES + rounds * 5 * PUSH_BYTES) + 4 * 1024 * MIB
    if shutil.disk_usage(work).free < need:
        raise OSError(f"{need >> 30} GiB are needed in $TMPDIR, or here")
    if file_system(work) in {"tmpfs", "ramfs"}:
        print("bench: $TMPDIR is in memory: pushes do not reach a disk", file=sys.stderr)


def _measure(stack: ExitStack, work: Path, options: argparse.Namespace) -> tuple[list[Figure], int]:
    """The figures, and how many rounds there were."""
    _say("making content")
    clients = Clients(_sub(work, "bin"))
    payloads = Payloads(_directory(stack, _memory(5 * PUSH_BYTES) or str(work)))
    write_random(_sub(work, "files") / "big", BIG_BYTES)
    generate(_sub(work, "listed"))

    _say("starting servers")
    registries, listed = [], []
    for start in (dregistry, docker_registry):
        registries.append(_started(stack, start(_sub(work, start.__name__), _sub(work, f"{start.__name__}-data"))))
        listed.append(_started(stack, start(_sub(work, f"{start.__name__}-listed"), work / "listed")))
    static = _started(stack, nginx(_sub(work, "nginx"), work / "files", "big"))
    time.sleep(_SETTLE)
    idle = {server.name: server.usage().resident for server in registries}

    bench = Bench(
        registries=[(server, seed(server.port, work / "files" / "big")) for server in registries],
        listed=listed,
        nginx=(static, "/big"),
        clients=clients,
        payloads=payloads,
        scratch=work,
        seconds=options.seconds,
    )
    figures = all_figures(bench)
    rounds = run_rounds(figures, options.rounds, _SECONDS_OF_ROUNDS)
    after = {server.name: server.usage().resident for server in registries}
    _say("cleaning up")
    return [*figures, *memory_figures(idle, after)], rounds


def _started(stack: ExitStack, server: Server) -> Server:
    stack.callback(server.stop)
    return server


def _memory(size: int) -> str | None:
    """A directory in memory with room for so many bytes."""
    shared = "/dev/shm"
    return shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > size else None


def _directory(stack: ExitStack, parent: str) -> Path:
    """A directory that is removed at the end."""
    path = tempfile.mkdtemp(prefix="work-", dir=parent)
    stack.callback(shutil.rmtree, path, ignore_errors=True)
    return Path(path)


def _sub(work: Path, name: str) -> Path:
    path = work / name
    path.mkdir()
    return path


def _say(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (subprocess.CalledProcessError, RuntimeError) as failure:
        sys.exit(f"bench: {failure}")
