"""
The ``rewrite`` middleware: changes the URLs to which the driver behind it sends clients, as for a CDN before an object
store. Behind a driver that sends nobody away it changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from attrs import Attribute, field, frozen

from .._interfaces import IStorageDriver
from ._urls import PATH_CHARACTERS
from ._wrapping import StorageMiddleware

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")


def _of_form(form: re.Pattern[str], what: str) -> Callable[[Any, Attribute[str], str], None]:
    def check(_: Any, attribute: Attribute[str], value: str) -> None:
        if value and form.fullmatch(value) is None:
            raise ValueError(f"{attribute.name} must be {what}, not {value!r}")

    return check


@frozen
class RewriteOptions:
    """
    What is empty is left as it is.

    :ivar scheme: of the URLs that clients get.
    :ivar host: theirs, with the port if it has one.
    :ivar trimpathprefix: what is taken away from the front of their paths, where it is there.
    """

    scheme: str = field(default="", validator=_of_form(_SCHEME, "the scheme of a URL, such as https"))
    host: str = field(default="", validator=_of_form(_HOST, "a host, such as cdn.example.com or cdn.example.com:8443"))
    trimpathprefix: str = ""


class Rewrite(StorageMiddleware):
    """It has no URLs of its own: it provides ``IRedirecting`` if the driver behind it does."""

    def __init__(self, driver: IStorageDriver, options: RewriteOptions) -> None:
        super().__init__(driver)
        self._options = options

    async def redirect_url(self, path: str, method: str, client: str) -> str | None:
        url: str | None = await self.wrapped.redirect_url(path, method, client)
        return None if url is None else self._rewritten(url)

    def _rewritten(self, url: str) -> str:
        parts = urlsplit(url)
        path = unquote(parts.path)
        trimmed = path.removeprefix(self._options.trimpathprefix)
        return urlunsplit(
            parts._replace(
                scheme=self._options.scheme or parts.scheme,
                netloc=self._options.host or parts.netloc,
                path=parts.path if trimmed == path else quote(trimmed, safe=PATH_CHARACTERS),
            )
        )
