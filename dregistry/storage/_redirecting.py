"""
An ability of storage drivers: to send clients elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable

from zope.interface import Interface


class IRedirecting(Interface):
    """An ability of drivers that know a URL at which clients can read content without the registry."""

    def redirect_url(path: str, method: str, client: str) -> Awaitable[str | None]:
        """
        An absolute URL in ASCII at which ``path`` can be read now and for some minutes, by ranges too; None to have it
        read here. Whoever has it can read the content, so it is given to the client only, and never logged.

        Whether anything is at ``path`` need not be looked at: the caller has.

        :param method: that the URL is for, ``GET`` or ``HEAD``.
        :param client: the IP address of whoever asks; empty if it has none.
        """
