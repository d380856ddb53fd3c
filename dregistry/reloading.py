"""
SIGHUP: another configuration for a registry that runs.

What can change is told by what cannot: the addresses and the number of processes stay until a restart, as do the
content of a storage of one process and what TLS needs in a process that was started without.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ._notify import ServiceNotices
from ._plan import Plan, PlanError, read_plan_later

_SETTLED = {
    "http.addr": "addr",
    "http.net": "net",
    "http.endpoint": "endpoint",
    "http.workers": "workers",
    "http.debug.addr": "debug_addr",
}
"""Keys of the configuration, and what a plan has of them."""

_log = Logger()


def log_plan(what: str, plan: Plan) -> None:
    """What there is to say of it: whoever reads it for us has no log."""
    for path, message in plan.warnings:
        _log.warn("{path}: {message}", path=path, message=message)
    _log.info("{what}: {enabled}", what=what, enabled=plan.enabled)


class Reloading:
    """
    Has the configuration read at SIGHUP. With one that has faults nothing changes.

    :param path: of the file.
    :param plan: of the start.
    :param go_by: makes the registry go by another one; raises :class:`PlanError` if it cannot, and has changed nothing
        then.
    """

    def __init__(
        self, path: str, plan: Plan, go_by: Callable[[Plan], None], reactor: Any, notices: ServiceNotices
    ) -> None:
        self._path = path
        self._plan = plan
        self._go_by = go_by
        self._reactor = reactor
        self._notices = notices
        self._reading = False
        self._read_again = False
        self._stopped = False

    def start(self) -> None:
        """Heed the signal."""
        signal.signal(signal.SIGHUP, lambda *_: self._reactor.callFromThread(self.reload))

    def stop(self) -> None:
        """Heed it no more; nor does it end the process."""
        self._stopped = True
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def reload(self) -> None:
        if self._reading:
            self._read_again = True  # what is being read may be from before
            return
        self._reading = True
        self._notices.reloading()
        reading = Deferred.fromCoroutine(self._reload())
        reading.addErrback(lambda failure: _log.failure("not reloaded", failure))

    async def _reload(self) -> None:
        try:
            plan = await read_plan_later(self._path, self._reactor)
            if not self._stopped and not self._read_again:
                self._check(plan)
                self._go_by(plan)
        except PlanError as error:
            _log.error("not reloaded: {error}", error=error)
            self._notices.ready("serves; the changed configuration was not taken, see the log")
        finally:
            self._reading = False
            if self._read_again and not self._stopped:
                self._read_again = False
                self.reload()

    def _check(self, plan: Plan) -> None:
        if plan.shared != self._plan.shared:
            raise PlanError(
                f"{self._path}: 1 problem\n  storage: a change from or to a storage of one process takes a restart"
            )
        for key, name in _SETTLED.items():
            if getattr(plan, name) != getattr(self._plan, name):
                _log.warn("{path}: changed; this takes a restart", path=key)
