"""
The process that reads a configuration for the one that twistd starts: ``python -m dregistry.planning FILE``, started by
:mod:`dregistry._plan` only.
"""

from __future__ import annotations

import os
import pickle
import sys

from ._plan import Plan
from .backends import Setup, read_setup
from .config import ConfigError, Problem
from .logs import LogSettings
from .sockets import is_shareable


def worker_count(setup: Setup, source: str) -> int:
    """
    How many processes are to serve.

    :raise ConfigError: if several are asked for, and the storage is of one process.
    """
    asked = setup.config.http.workers
    shared = setup.storage.factory.shared
    if not shared and asked not in (None, 1):
        name = setup.config.storage.driver
        problem = Problem("http.workers", f"storage {name} is of one process only: set it to 1")
        raise ConfigError([problem], source=source)
    several = shared and is_shareable(setup.config.http.endpoint)
    return asked or (len(os.sched_getaffinity(0)) if several else 1)


def make_plan(path: str) -> Plan:
    """
    :raise ConfigError: if the file has faults, or names backends that cannot be had.
    """
    warnings: list[tuple[str, str]] = []
    setup = read_setup(path, lambda warning: warnings.append((warning.path, warning.message)))
    http = setup.config.http
    purging = setup.config.storage.maintenance.uploadpurging
    return Plan(
        workers=worker_count(setup, path),
        net=http.net,
        addr=http.addr,
        endpoint=http.endpoint,
        debug_addr=http.debug.addr,
        drain_timeout=http.draintimeout,
        shared=setup.storage.factory.shared,
        needs_tls=setup.needs_tls_alone or setup.exposes_metrics,
        records_events=setup.records_events,
        purge_interval=purging.interval if purging.enabled and setup.storage.factory.shared else None,
        log=LogSettings.of(setup.config.log),
        enabled=setup.describe_enabled(),
        warnings=tuple(warnings),
        setup=pickle.dumps(setup),
    )


def main() -> None:
    output = os.dup(1)
    os.dup2(2, 1)  # whatever plugins print
    try:
        plan = make_plan(sys.argv[1])
    except ConfigError as error:
        sys.exit(str(error))
    with open(output, "wb") as file:
        pickle.dump(plan, file)


if __name__ == "__main__":
    main()
