"""
What systemd is told of the state of the service (``Type=notify``).

The protocol is a datagram to a socket whose name is in the environment, see sd_notify(3). Its libraries either need a
compiler or are not kept any more.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

from twisted.logger import Logger

_log = Logger()


class ServiceNotices:
    """
    Tells nobody anything without the variable ``NOTIFY_SOCKET``.

    :param environ: the variable is taken out of it: processes that this one starts have nothing to say.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._address = environ.pop("NOTIFY_SOCKET", "")

    def ready(self, status: str) -> None:
        """The service serves; also after :meth:`reloading`."""
        self._send("READY=1", f"MAINPID={os.getpid()}", f"STATUS={status}")

    def reloading(self) -> None:
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def _send(self, *assignments: str) -> None:
        if not self._address:
            return
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
                sending.sendto("\n".join(assignments).encode(), address)
        except OSError as error:
            _log.warn("systemd cannot be told {what}: {error}", what=assignments[0], error=error)


NOBODY = ServiceNotices({})
