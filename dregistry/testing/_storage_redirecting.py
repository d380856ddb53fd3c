"""
The storage suite: drivers that send clients elsewhere.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from zope.interface.verify import verifyObject

from ..storage import IRedirecting
from ._storage_case import StorageCase


class RedirectingSuite(StorageCase):
    """What drivers that provide :class:`IRedirecting` keep to, too. Where its URLs lead, its own test sees."""

    driver: Any

    async def test_interface_of_redirects(self) -> None:
        verifyObject(IRedirecting, self.driver)

    async def test_redirect_url(self) -> None:
        await self.put("/folder/file")
        for method in ("GET", "HEAD"):
            for client in ("192.0.2.1", "2001:db8::1", ""):
                url = await self.driver.redirect_url("/folder/file", method, client)
                if url is not None:
                    self.assert_absolute(url)

    def assert_absolute(self, url: str) -> None:
        parts = urlsplit(url)
        self.assertTrue(parts.scheme and parts.netloc, "a URL that is not absolute")
        self.assertTrue(all("!" <= mark <= "~" for mark in url), "a URL with characters that no URL has")
        self.assertFalse(parts.fragment, "a URL with a fragment")
