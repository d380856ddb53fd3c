"""
Where the server listens.
"""

from __future__ import annotations

import errno
import re
import socket
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort

_ADDRESS = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*)):(\d+)")
_BACKLOG = 1024


def listen(reactor: Any, factory: Any, net: str, address: str) -> IListeningPort:
    """
    Listen as distribution's ``http.net`` and ``http.addr`` say.

    :param net: ``tcp`` or ``unix``.
    :param address: ``HOST:PORT``, where an empty host is all addresses of the machine; for ``unix`` a path, where a
        socket that nobody serves any more is replaced.
    :raise ValueError: if the address is malformed.
    :raise CannotListenError: if it is taken, or not of this machine.
    """
    if net == "unix":
        port: IListeningPort = reactor.listenUNIX(address, factory, wantPID=False)
        return port
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match[3]) > 65535:
        raise ValueError("it must be HOST:PORT")
    host, number = match[1] or match[2], int(match[3])
    if host:
        port = reactor.listenTCP(number, factory, _BACKLOG, _resolved(host))
        return port
    try:
        port = reactor.listenTCP(number, factory, _BACKLOG, "::")  # IPv4 comes there, too
    except CannotListenError as error:
        if not isinstance(error.socketError, OSError) or error.socketError.errno not in _NO_IPV6:
            raise
        port = reactor.listenTCP(number, factory, _BACKLOG, "0.0.0.0")  # noqa: S104 - that is what the empty host means
    return port


_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def _resolved(host: str) -> str:
    """The address of a name, once, at the start."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ValueError(f"{host!r} cannot be resolved: {error}") from None
    return str(found[0][4][0])
