"""Tests of :mod:`dregistry.storage.middleware.rewrite`, beside what distribution's does."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from dregistry.storage import IRedirecting, IStorageMiddlewareFactory
from dregistry.storage.memory import MemoryDriver
from dregistry.storage.middleware.factories import RewriteFactory
from dregistry.storage.middleware.rewrite import Rewrite, RewriteOptions

URL = "http://some.host:9000/some/path/file?X-Signature=a%2Fb&d="


@implementer(IRedirecting)
class Sending(MemoryDriver):
    """:ivar asked: for what it was asked."""

    def __init__(self, url: str | None) -> None:
        super().__init__()
        self.url = url
        self.asked: list[tuple[str, str, str]] = []

    async def redirect_url(self, path: str, method: str, client: str) -> str | None:
        self.asked.append((path, method, client))
        return self.url


class RewriteTests(SynchronousTestCase):
    def url(self, before: str | None, **options: str) -> str | None:
        driver = Sending(before)
        rewrite = Rewrite(driver, RewriteOptions(**options))
        verifyObject(IRedirecting, rewrite)
        url: Deferred[str | None] = Deferred.fromCoroutine(rewrite.redirect_url("/file", "HEAD", "192.0.2.1"))
        found = self.successResultOf(url)
        self.assertEqual(driver.asked, [("/file", "HEAD", "192.0.2.1")])
        return found

    def test_factory(self) -> None:
        verifyObject(IStorageMiddlewareFactory, RewriteFactory())

    def test_nothing(self) -> None:
        self.assertEqual(self.url(URL), URL)

    def test_parts(self) -> None:
        query = "?X-Signature=a%2Fb&d="
        for options, after in (
            ({"scheme": "https"}, "https://some.host:9000/some/path/file"),
            ({"host": "example.com"}, "http://example.com/some/path/file"),
            ({"scheme": "https", "host": "example.com:8443"}, "https://example.com:8443/some/path/file"),
            ({"host": "[2001:db8::1]:80"}, "http://[2001:db8::1]:80/some/path/file"),
            ({"trimpathprefix": "/some/path"}, "http://some.host:9000/file"),
            ({"trimpathprefix": "/some/path/"}, "http://some.host:9000/file"),
            ({"trimpathprefix": "/some/path/file"}, "http://some.host:9000"),
            ({"trimpathprefix": "/path"}, "http://some.host:9000/some/path/file"),
        ):
            self.assertEqual(self.url(URL, **options), after + query)

    def test_characters_of_the_path(self) -> None:
        """The prefix is written as people write it; what needs to be escaped in the rest stays so."""
        before = "http://h/a%20b/c%20d%3F"
        self.assertEqual(self.url(before, host="i"), "http://i/a%20b/c%20d%3F")
        self.assertEqual(self.url(before, trimpathprefix="/a b"), "http://h/c%20d%3F")

    def test_no_url(self) -> None:
        self.assertIs(self.url(None, scheme="https", host="example.com"), None)

    def test_driver_that_sends_nobody_away(self) -> None:
        """There is nothing to rewrite, so blobs are served here."""
        rewrite: Any = Rewrite(MemoryDriver(), RewriteOptions(host="example.com"))
        self.assertFalse(IRedirecting.providedBy(rewrite))

    def test_options(self) -> None:
        for options in (
            {"scheme": "ht tp"},
            {"scheme": "https:"},
            {"host": "a/b"},
            {"host": "a b"},
            {"host": "https://a"},
        ):
            [name] = options
            error = self.assertRaises(ValueError, RewriteOptions, **options)
            self.assertTrue(str(error).startswith(f"{name} must be "), error)
