"""
The ``redirect`` middleware: clients read content from another server which serves the storage's directory, such as a
CDN, or a plain web server. As in distribution, the path of ``baseurl`` is put before the content's.
"""

from __future__ import annotations

import posixpath
from urllib.parse import quote, unquote, urlsplit

from attrs import field, frozen
from zope.interface import implementer

from .._interfaces import IStorageDriver
from .._redirecting import IRedirecting
from ._urls import PATH_CHARACTERS
from ._wrapping import StorageMiddleware


def _split(baseurl: str) -> tuple[str, str, str]:
    """Scheme, host with port, and path; ValueError where one of the first two is missing."""
    try:
        parts = urlsplit(baseurl)
        whole = bool(parts.scheme and parts.hostname) and (parts.port or 0) >= 0  # a bad port raises ValueError
    except ValueError:
        whole = False
    if not whole or not all("!" <= mark <= "~" for mark in baseurl):
        raise ValueError("baseurl must be a URL with scheme and host, such as https://cdn.example.com")
    return parts.scheme, parts.netloc.rpartition("@")[2], parts.path


@frozen
class RedirectOptions:
    """:ivar baseurl: where content is served: scheme, host and, if need be, port and path."""

    baseurl: str = field()

    @baseurl.validator
    def _check(self, _: object, value: str) -> None:
        _split(value)


@implementer(IRedirecting)
class Redirect(StorageMiddleware):
    """:param baseurl: whatever is at a path is served below it."""

    def __init__(self, driver: IStorageDriver, baseurl: str) -> None:
        super().__init__(driver)
        scheme, host, path = _split(baseurl)
        self._base = f"{scheme}://{host}"
        self._path = unquote(path)

    async def redirect_url(self, path: str, method: str, client: str) -> str | None:
        """The same for all methods and clients."""
        joined = posixpath.normpath(f"/{self._path}/{path}").lstrip("/")
        return f"{self._base}/{quote(joined, safe=PATH_CHARACTERS)}"
