"""
Bytes to the socket without waiting for the reactor's next turn.

A Twisted transport queues what is written and asks the reactor when it may send. Most answers fit into the socket's
buffer at once: sending them where they are made saves two changes of the poll set and a turn of the loop. What does
not fit, and what goes through TLS, takes the usual way.

The attributes of ``twisted.internet.abstract.FileDescriptor`` that tell whether something is queued are private:
``tests/web/test_transport.py`` fails loudly when a new Twisted changes them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import tcp
from twisted.internet.interfaces import ITransport


class IEncrypting(ITransport):
    """
    A transport that encrypts what is written to it before :meth:`write` returns. So it takes a ``memoryview``, too, and
    whoever called may use the memory again.
    """


def plain_tcp(transport: Any) -> tcp.Connection | None:
    """The transport, if it is a socket and nothing in between encrypts."""
    return transport if isinstance(transport, tcp.Connection) and not transport.TLS else None


def is_idle(transport: tcp.Connection) -> bool:
    """Whether nothing is queued, so that what is sent now is in order."""
    return (
        not transport._tempDataBuffer
        and transport.offset == len(transport.dataBuffer)
        and bool(transport.connected)
        and not transport.disconnecting
        and not transport._writeDisconnected
    )


def send(transport: Any, data: bytes) -> None:
    """Send as much as the socket takes, and queue the rest."""
    socket = plain_tcp(transport)
    if socket is not None and is_idle(socket):
        while True:
            sent = socket.writeSomeData(data)
            if not isinstance(sent, int):
                break
            if sent == len(data):
                return
            data = data[sent:]
            if sent != socket.SEND_LIMIT:
                break
    transport.write(data)
