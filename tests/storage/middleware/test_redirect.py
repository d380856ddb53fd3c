"""Tests of :mod:`dregistry.storage.middleware.redirect`, beside what distribution's does."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyClass, verifyObject

from dregistry.storage import IRedirecting, IStorageMiddlewareFactory
from dregistry.storage.memory import MemoryDriver
from dregistry.storage.middleware.factories import RedirectFactory
from dregistry.storage.middleware.redirect import Redirect, RedirectOptions
from dregistry.testing import RedirectingSuite, StorageDriverSuite

DATA = "/docker/registry/v2/blobs/sha256/0a/0a.b_c-d/data"


class RedirectDriverTests(StorageDriverSuite, RedirectingSuite, TestCase):
    def make_driver(self) -> Redirect:
        return Redirect(MemoryDriver(), "https://cdn.example.com:8443/some/path/")


class RedirectTests(SynchronousTestCase):
    def url(self, baseurl: str, path: str = DATA) -> str | None:
        redirect = Redirect(MemoryDriver(), baseurl)
        url: Deferred[str | None] = Deferred.fromCoroutine(redirect.redirect_url(path, "GET", "192.0.2.1"))
        return self.successResultOf(url)

    def test_interfaces(self) -> None:
        verifyClass(IRedirecting, Redirect)
        verifyObject(IStorageMiddlewareFactory, RedirectFactory())

    def test_urls(self) -> None:
        for baseurl, before in {
            "https://example.com:5443": "https://example.com:5443",
            "http://example.com": "http://example.com",
            "http://example.com/": "http://example.com",
            "https://example.com/path": "https://example.com/path",
            "https://example.com/path/": "https://example.com/path",
            "https://example.com//a//b/../c": "https://example.com/a/c",
            "https://example.com/a%20b%C3%A9": "https://example.com/a%20b%C3%A9",
            "https://example.com/a?b=c#d": "https://example.com/a",
            "https://user:password@example.com/a": "https://example.com/a",
            "http://[2001:db8::1]:80/a": "http://[2001:db8::1]:80/a",
            "HTTPS://Example.com": "https://Example.com",
        }.items():
            self.assertEqual(self.url(baseurl), before + DATA)

    def test_options(self) -> None:
        for baseurl in (
            "",
            "example.com",
            "//example.com/a",
            "https://",
            "https:///a",
            "http://:80",
            "http://a b",
            "http://a/\n",
            "http://é",
            "http://[::1",
            "http://a:port",
            "http://a:99999",
        ):
            error = self.assertRaises(ValueError, RedirectOptions, baseurl)
            self.assertIn("baseurl must be a URL with scheme and host", str(error))
