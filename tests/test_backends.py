"""Tests of :mod:`dregistry.backends`: from the sections of a configuration to what they name."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from dregistry import __version__
from dregistry.backends import KINDS, Setup, StorageChoice, choose_storage
from dregistry.config import ConfigError, Problem
from dregistry.storage import DriverContext, IRedirecting
from dregistry.storage.memory import MemoryDriver
from dregistry.testing import InlineThreads

from .config._loading import MINIMAL, LoadingTestCase
from .plugin_folder import PluginFolder

MIDDLEWARE = """
from attrs import frozen
from twisted.plugin import IPlugin
from zope.interface import implementer
from dregistry.storage import API_VERSION, IStorageMiddlewareFactory, StorageMiddleware

@frozen
class Options:
    mark: str = ""

@implementer(IPlugin, IStorageMiddlewareFactory)
class Factory:
    name = "marking"
    help = "for a test"
    api_version = API_VERSION
    options = Options
    def build(self, options, driver, context):
        if options.mark == "bad":
            raise ValueError("this mark is taken")
        if options.mark == "none":
            return driver
        middleware = StorageMiddleware(driver)
        middleware.mark = options.mark
        return middleware

factory = Factory()
"""


class BackendsCase(LoadingTestCase):
    def setUp(self) -> None:
        self.folder = PluginFolder(self)
        self.folder.module("dregistry_test_marking", MIDDLEWARE)
        self.warned: list[Problem] = []

    def choose(self, text: str) -> StorageChoice:
        return choose_storage(self.config(text), "test.yml", self.warned.append)

    def report(self, text: str) -> dict[str, str]:
        error = self.assertRaises(ConfigError, self.choose, text)
        self.assertEqual(error.source, "test.yml")
        return {problem.path: problem.message for problem in error.problems}

    def driver(self, text: str) -> Any:
        return self.choose(text).build_driver(DriverContext(None, InlineThreads()))


class ChooseTests(BackendsCase):
    def test_driver_only(self) -> None:
        choice = self.choose(MINIMAL)
        self.assertEqual((choice.factory.name, choice.middleware), ("inmemory", ()))
        self.assertIs(type(self.driver(MINIMAL)), MemoryDriver)

    def test_order(self) -> None:
        """The first is next to the driver; what is disabled is not there, nor need it be installed."""
        driver = self.driver(
            MINIMAL + "middleware: {storage: [{name: marking, options: {mark: a}}, {name: nix, disabled: true}, "
            "{name: marking, options: {mark: b}}, {name: marking, disabled: true, options: {mark: c}}]}"
        )
        self.assertEqual((driver.mark, driver.wrapped.mark), ("b", "a"))
        self.assertIs(type(driver.wrapped.wrapped), MemoryDriver)

    def test_one_changes_what_another_gives(self) -> None:
        redirect = "{name: redirect, options: {baseurl: 'http://a/b'}}"
        rewrite = "{name: rewrite, options: {host: c, trimpathprefix: /b}}"
        for entries, expected in (
            ((redirect, rewrite), "http://c/x"),
            ((rewrite, redirect), "http://a/b/x"),
        ):
            driver = self.driver(MINIMAL + f"middleware: {{storage: [{', '.join(entries)}]}}")
            self.assertTrue(IRedirecting.providedBy(driver))
            url = self.successResultOf(Deferred.fromCoroutine(driver.redirect_url("/x", "GET", "")))
            self.assertEqual(url, expected)

    def test_all_faults(self) -> None:
        report = self.report(
            "version: 0.1\nstorage: {floppy: {}}\nmiddleware: {storage: [{name: cloudfront}, {}, "
            "{name: redirect}, {name: redirect, options: {baseurl: [a]}}, "
            "{name: redirect, options: {baseurl: a.example}}, {name: rewrite, options: {host: 'a b'}}]}"
        )
        self.assertEqual(
            report["storage"], "no storage driver is named 'floppy'; found: filesystem, inmemory, s3, s3aws"
        )
        self.assertEqual(
            report["middleware.storage[0]"],
            "no storage middleware is named 'cloudfront'; found: marking, redirect, rewrite",
        )
        self.assertIn("no storage middleware is named ''", report["middleware.storage[1]"])
        self.assertEqual(report["middleware.storage[2].options.baseurl"], "missing, and it has no default")
        self.assertEqual(report["middleware.storage[3].options.baseurl"], "expected a string, not a list")
        self.assertIn("baseurl must be a URL with scheme", report["middleware.storage[4].options"])
        self.assertIn("host must be a host", report["middleware.storage[5].options"])

    def test_warnings(self) -> None:
        self.choose(
            "version: 0.1\nstorage: {inmemory: {size: 1}}\nmiddleware: {storage: [{name: marking, options: {marc: a}}]}"
        )
        self.assertEqual(
            {warning.path: warning.message for warning in self.warned},
            {
                "storage.inmemory.size": "unknown key, ignored",
                "middleware.storage[0].options.marc": "unknown key, ignored; did you mean mark?",
            },
        )


class BuildTests(BackendsCase):
    def build_report(self, mark: str) -> str:
        choice = self.choose(MINIMAL + f"middleware: {{storage: [{{name: marking, options: {{mark: {mark}}}}}]}}")
        error = self.assertRaises(ConfigError, choice.build_driver, DriverContext(None, InlineThreads()))
        return str(error)

    def test_refused_by_the_factory(self) -> None:
        self.assertEqual(
            self.build_report("bad"),
            "test.yml: 1 problem\n  middleware.storage[0].options: "
            "the storage middleware 'marking' cannot be used: ValueError: this mark is taken",
        )

    def test_no_middleware(self) -> None:
        """The factory gave back the driver that it was to stand before."""
        self.assertIn("IStorageMiddleware", self.build_report("none"))


class DescribeTests(BackendsCase):
    def test_enabled(self) -> None:
        self.folder.package("acme-marks", "3.1", "dregistry_test_marking")
        text = MINIMAL + "middleware: {storage: [{name: marking}, {name: marking, disabled: true}]}"
        self.assertEqual(
            Setup(self.config(text), self.choose(text)).describe_enabled(),
            f"storage driver inmemory (dregistry {__version__}), storage middleware marking (acme-marks 3.1)",
        )


class KindTests(BackendsCase):
    def test_kinds(self) -> None:
        """Each has an interface of its own, by which its plugins are found."""
        self.assertEqual(len({kind.factory for kind in KINDS}), len(KINDS))
        for kind in KINDS:
            self.assertLessEqual({"name", "help", "api_version", "options", "build"}, set(kind.factory.names()))
