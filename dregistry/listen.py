"""
The socket to listen on, as distribution's ``http.net`` and ``http.addr`` say.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import stat
import time
from contextlib import suppress

_ADDRESS = re.compile(r"(?:\[([^\]]*)\]|([^:\[\]]*)):(\d+)")
BACKLOG = 1024
PATIENCE = 3.0
"""Seconds in which a port may be taken by processes that were killed a moment ago."""
_NO_IPV6 = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def listening_socket(net: str, address: str) -> socket.socket:
    """
    A socket that listens on one address, not blocking.

    :param net: ``tcp`` or ``unix``.
    :param address: ``HOST:PORT``, where an empty host is all addresses of the machine; for ``unix`` a path, where a
        socket that nobody serves any more is replaced.
    :raise ValueError: if the address is malformed, or its host has no address.
    :raise OSError: if it is taken (after some seconds), or not of this machine.
    """
    if net == "unix":
        return _unix_socket(address)
    host, port = split_address(address)
    family, place = (socket.AF_INET6, "::") if not host else _resolved(host)
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _tcp_socket(family, place, port)
        except OSError as error:
            if error.errno in _NO_IPV6 and not host and family == socket.AF_INET6:
                family, place = socket.AF_INET, ""
            elif error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise
            else:
                time.sleep(0.05)


def split_address(address: str) -> tuple[str, int]:
    """
    The two parts of ``HOST:PORT``, where IPv6 addresses stand in brackets and the host may be empty.

    :raise ValueError: if it is nothing of that kind.
    """
    match = _ADDRESS.fullmatch(address)
    if match is None or int(match[3]) > 65535:
        raise ValueError("it must be HOST:PORT")
    return match[1] or match[2], int(match[3])


def _tcp_socket(family: int, place: str, port: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and place == "::":
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)  # IPv4 comes there, too
        made.setblocking(False)
        made.bind((place, port))
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _unix_socket(path: str) -> socket.socket:
    with suppress(FileNotFoundError):
        if stat.S_ISSOCK(os.stat(path).st_mode) and not _is_served(path):
            os.unlink(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.setblocking(False)
        made.bind(path)
        made.listen(BACKLOG)
    except BaseException:
        made.close()
        raise
    return made


def _is_served(path: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return False
    return True


def _resolved(host: str) -> tuple[int, str]:
    """The family and address of a name, once, at the start."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ValueError(f"{host!r} cannot be resolved: {error}") from None
    family, _, _, _, place = found[0]
    return int(family), str(place[0])
