"""
The certificate that clients are shown, and how it is replaced while the registry serves.
"""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from .._stamp import Stamp, file_stamp
from ..config import ConfigError, Tls
from ._context import make_context

LOOK_EVERY = 60.0
"""Seconds between looks for files that have changed."""

_log = Logger()


@implementer(IOpenSSLServerConnectionCreator)
class Certificates:
    """
    Makes the server's side of new connections by the files as they are now. Connections that are open keep what they
    began with, and files that do not fit together change nothing.

    :param source: the name of the configuration file, for the report.
    :raise ConfigError: see :func:`._context.make_context`.
    """

    def __init__(self, tls: Tls, reactor: Any, source: str) -> None:
        self._tls = tls
        self._source = source
        self._stamps = self._look()
        self._context = make_context(tls, source)
        self._watch = LoopingCall(self.reload_changed)
        self._watch.clock = reactor

    def start(self) -> None:
        """Look for changes from now on."""
        self._watch.start(LOOK_EVERY, now=False)

    def stop(self) -> None:
        if self._watch.running:
            self._watch.stop()

    def serverConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """As :class:`twisted.protocols.tls.TLSMemoryBIOFactory` asks for it."""
        return SSL.Connection(self._context, None)

    def reload_changed(self) -> None:
        """Read the files if one of them has changed."""
        if self._look() != self._stamps:
            self.reload()

    def reload(self) -> None:
        """Read the files."""
        self._stamps = self._look()  # first: what changes while they are read is seen at the next look
        try:
            self._context = make_context(self._tls, self._source)
        except ConfigError as error:
            _log.error("certificate not reloaded, the one from before stays: {error}", error=error)
        else:
            _log.info("certificate reloaded from {path}", path=self._tls.certificate)

    def _look(self) -> list[Stamp | None]:
        return [file_stamp(path) for path in (self._tls.certificate, self._tls.key, *self._tls.clientcas)]
