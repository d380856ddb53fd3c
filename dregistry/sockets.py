"""
Where the registry listens: on what systemd hands over, at an endpoint of Twisted's, or as distribution's ``http.net``
and ``http.addr`` say.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import frozen
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from .listen import BACKLOG, listening_socket

if TYPE_CHECKING:
    from .config import Configuration

SHAREABLE = frozenset({"tcp", "tcp6", "unix", "systemd"})
"""Endpoints that are a socket and nothing more, which several processes can serve."""
_FIRST_INHERITED = 3
_INHERITED = "what systemd handed over"


@frozen
class Listening:
    """
    A socket that listens, not blocking.

    :ivar place: what it is, for the log.
    :ivar path: of a unix socket, which is removed at the end; empty for none.
    :ivar port: of Twisted, which keeps the place; None for none.
    """

    socket: socket.socket
    place: str
    path: str = ""
    port: IListeningPort | None = None

    async def close(self) -> None:
        """Leave the place, and what of it is in the file system."""
        self.socket.close()
        stopped = None if self.port is None else self.port.stopListening()
        if stopped is not None:
            await stopped
        if self.path:
            with suppress(OSError):
                os.unlink(self.path)


def check_endpoint(config: Configuration, source: str) -> None:
    """
    :param source: the name of the configuration file, for the report.
    :raise ConfigError: if ``http.endpoint`` is none of Twisted's, or does not go with other keys.
    """
    from .config import ConfigError, Problem  # noqa: PLC0415  # who only listens does without

    http = config.http
    if not http.endpoint:
        return
    message = None
    if not http.endpoint.startswith("systemd:"):  # that is only known where it is started
        message = _fault(http.endpoint)
    if message is None and not is_shareable(http.endpoint):
        if http.tls.enabled:
            message = f"http.tls is for endpoints that leave TLS to it: {_names()}"
        elif (http.workers or 1) > 1:
            message = (
                f"an endpoint of this kind is of one process only: set http.workers to 1, or use one of {_names()}"
            )
    if message is not None:
        raise ConfigError([Problem("http.endpoint", message)], source=source)


def _names() -> str:
    return ", ".join(sorted(SHAREABLE))


def _fault(text: str) -> str | None:
    try:
        parse_endpoint(text, None)
    except Exception as error:  # whatever a plugin raises
        said = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        return f"no endpoint of Twisted's: {said}"
    return None


def is_shareable(endpoint: str) -> bool:
    """Whether several processes can serve the place; the empty one is that of ``http.addr``."""
    return not endpoint or endpoint.partition(":")[0] in SHAREABLE


def parse_endpoint(text: str, reactor: Any) -> IStreamServerEndpoint:
    """:raise Exception: of any kind, if it is none."""
    from twisted.internet.endpoints import serverFromString  # noqa: PLC0415  # it loads OpenSSL, unless that is hidden

    endpoint: IStreamServerEndpoint = serverFromString(reactor, text)
    return endpoint


def listen(net: str, addr: str, endpoint: str, reactor: Any, environ: Mapping[str, str] | None = None) -> Listening:
    """
    :param net: ``tcp`` or ``unix``; for ``addr`` see :func:`dregistry.listen.listening_socket`.
    :param endpoint: in place of the two, if it is not empty.
    :param environ: that the process was started with.
    :raise SystemExit: if that is impossible, with the reason.
    """
    try:
        inherited = inherited_socket(started_with() if environ is None else environ)
    except (OSError, ValueError) as error:
        sys.exit(f"LISTEN_FDS: {error}")
    if inherited is not None:
        return Listening(inherited, _INHERITED)
    if endpoint:
        port = listen_at(endpoint, reactor, Factory())
        port.stopReading()  # type: ignore[attr-defined]
        made = socket.socket(fileno=os.dup(port.fileno()))  # type: ignore[attr-defined]
        made.setblocking(False)
        return Listening(made, endpoint, port=port)
    try:
        return Listening(listening_socket(net, addr), addr, addr if net == "unix" else "")
    except (OSError, ValueError) as error:
        sys.exit(f"http.addr: cannot listen on {addr!r}: {error}")


def listen_at(text: str, reactor: Any, factory: Any) -> IListeningPort:
    """
    The port of an endpoint that listens at once.

    :raise SystemExit: if it does not, with the reason.
    """
    found: list[Any] = []
    try:
        parse_endpoint(text, reactor).listen(factory).addBoth(found.append)
    except Exception as error:  # whatever a plugin raises
        found.append(Failure(error))
    if not found or isinstance(found[0], Failure):
        reason = found[0].getErrorMessage() if found else "it does not listen at once"
        sys.exit(f"http.endpoint: cannot listen at {text!r}: {reason}")
    port: IListeningPort = found[0]
    return port


def adopt(reactor: Any, listening: socket.socket, factory: Any) -> IListeningPort:
    """
    Serve a socket. Twisted would take a unix socket for its own: let everybody connect, and at the end shut it down and
    remove its path, whoever serves it besides.
    """
    port: Any
    if listening.family == socket.AF_UNIX:
        from twisted.internet.unix import Port  # noqa: PLC0415

        port = Port._fromListeningDescriptor(reactor, listening.fileno(), factory)
        port._bindPath = b"\0" + port._bindPath  # as of one that is in no file system
        port._shouldShutdown = False
        port.backlog = BACKLOG
        port.startListening()
    else:
        port = reactor.adoptStreamPort(listening.fileno(), listening.family, factory)
    found: IListeningPort = port
    return found


def inherited_socket(environ: Mapping[str, str], first: int = _FIRST_INHERITED) -> socket.socket | None:
    """
    The socket that systemd, or whoever started this process in its way, listens on (``sd_listen_fds(3)``).

    :param first: the descriptor from which they are counted.
    :raise ValueError: if it is not exactly one socket that listens for streams.
    :raise OSError: if there is none at the descriptor.
    """
    if environ.get("LISTEN_PID") != str(os.getpid()) or not environ.get("LISTEN_FDS", "").isdecimal():
        return None
    count = int(environ["LISTEN_FDS"])
    if count == 0:
        return None
    if count > 1:
        raise ValueError(f"there are {count} sockets, and there must be one")
    found = socket.socket(fileno=os.dup(first))
    if found.type != socket.SOCK_STREAM or not found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        found.close()
        raise ValueError("the socket does not listen for connections (Accept=yes is not for this)")
    found.setblocking(False)
    os.close(first)
    return found


def started_with() -> dict[str, str]:
    """
    The variables that this process was started with. Twisted takes those of systemd out of ``os.environ`` when
    ``twisted.internet.endpoints`` is imported, by whomever.
    """
    try:
        with open("/proc/self/environ", encoding="utf-8", errors="surrogateescape") as file:
            pairs = file.read().split("\0")
    except OSError:
        return dict(os.environ)
    return {name: value for name, _, value in (pair.partition("=") for pair in pairs)}
