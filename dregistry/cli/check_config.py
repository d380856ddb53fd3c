"""
``dregistry check-config``: what the start would say of a configuration, without a start.
"""

from __future__ import annotations

import argparse
import os
import sys

from twisted.python.threadpool import ThreadPool

from .._threads import PooledThreads
from .._tls import tls_if
from ..auth import AuthContext, Slowdown
from ..backends import read_setup
from ..config import ConfigError, Configuration, Problem, render
from ..planning import worker_count
from ..storage import DriverContext


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file",
        nargs="?",
        default=os.environ.get("REGISTRY_CONFIGURATION_PATH"),
        help="the configuration file; else REGISTRY_CONFIGURATION_PATH names it",
    )
    parser.add_argument(
        "--show", action="store_true", help="also print what results, with the environment applied and secrets masked"
    )
    parser.epilog = "The exit status is 0 if the registry would start with it, 1 if not."


def run(arguments: argparse.Namespace) -> int:
    if not arguments.file:
        sys.stderr.write("dregistry check-config: name a configuration file\n")
        return 2
    path = os.path.abspath(arguments.file)
    try:
        config = _checked(path)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(render(config) if arguments.show else f"{path}: no problems\n")
    return 0


def _checked(path: str) -> Configuration:
    setup = read_setup(path, _warn)
    worker_count(setup, path)
    with tls_if(setup.needs_tls_alone):
        from twisted.internet import reactor
    threads = PooledThreads(reactor, ThreadPool(0, 1))  # nothing runs yet
    setup.storage.build_driver(DriverContext(reactor, threads))
    setup.auth.build_control(AuthContext(reactor, threads, Slowdown(reactor)))
    if setup.sinks:
        from ..events import build_sink

        for choice in setup.sinks:
            build_sink(choice, reactor)
    return setup.config


def _warn(warning: Problem) -> None:
    sys.stderr.write(f"warning: {warning}\n")
