"""Tests of :mod:`dregistry.plugins`, with plugins on a path of their own."""

from __future__ import annotations

import os
import sys
from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

import twisted.plugins
from dregistry.plugins import PluginAmbiguous, PluginNotFound, PluginUnfit, find_factory
from dregistry.storage import API_VERSION, IStorageDriverFactory

from .storage.support import temporary_directory

PLUGIN = """
from twisted.plugin import IPlugin
from zope.interface import implementer
from dregistry.storage import IStorageDriverFactory

@implementer(IPlugin, IStorageDriverFactory)
class Factory:
    name = {name!r}
    help = "for a test"
    api_version = {version}
    options = dict
    shared = True
    def max_threads(self, options): return 1
    def build(self, options, context): pass

factory = Factory()
{more}
"""


class PluginsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = temporary_directory(self)
        twisted.plugins.__path__.append(self.folder)
        self.addCleanup(twisted.plugins.__path__.remove, self.folder)
        self.modules: list[str] = []
        self.addCleanup(self.forget)

    def forget(self) -> None:
        for name in self.modules:
            sys.modules.pop(f"twisted.plugins.{name}", None)

    def plugin(self, module: str, name: str, version: int = API_VERSION, more: str = "") -> None:
        self.module(module, PLUGIN.format(name=name, version=version, more=more))

    def module(self, module: str, text: str) -> None:
        self.modules.append(module)
        with open(os.path.join(self.folder, f"{module}.py"), "w") as file:
            file.write(text)

    def find(self, name: str) -> Any:
        return find_factory(IStorageDriverFactory, "storage driver", name, API_VERSION)

    def test_own(self) -> None:
        for name in ("filesystem", "inmemory"):
            factory = self.find(name)
            self.assertEqual(factory.name, name)
            verifyObject(IStorageDriverFactory, factory)

    def test_found(self) -> None:
        self.plugin("dregistry_test_found", "other")
        self.assertEqual(self.find("other").name, "other")
        self.assertEqual(self.find("inmemory").name, "inmemory")

    def test_not_found(self) -> None:
        """The names that there are help whoever mistyped one."""
        self.plugin("dregistry_test_other", "other")
        error = self.assertRaises(PluginNotFound, self.find, "othr")
        self.assertEqual(str(error), "no storage driver is named 'othr'; found: filesystem, inmemory, other")
        self.assertEqual(list(error.failures), [])

    def test_broken(self) -> None:
        """Twisted only logs why a plugin is missing; the report says it."""
        self.module("dregistry_test_broken", "import a_module_that_is_not_there")
        error = self.assertRaises(PluginNotFound, self.find, "other")
        self.flushLoggedErrors(ModuleNotFoundError)
        [failure] = error.failures
        self.assertEqual(failure, "ModuleNotFoundError: No module named 'a_module_that_is_not_there'")
        self.assertTrue(str(error).endswith(f"; a plugin failed to load: {failure}"))

    def test_another_is_broken(self) -> None:
        self.module("dregistry_test_broken_too", "1 / 0")
        self.assertEqual(self.find("inmemory").name, "inmemory")
        self.flushLoggedErrors(ZeroDivisionError)

    def test_ambiguous(self) -> None:
        self.plugin("dregistry_test_one", "same")
        self.plugin("dregistry_test_two", "same")
        error = self.assertRaises(PluginAmbiguous, self.find, "same")
        self.assertEqual(
            str(error),
            "more than one storage driver is named 'same': twisted.plugins.dregistry_test_one, "
            "twisted.plugins.dregistry_test_two; uninstall all but one",
        )

    def test_of_another_version(self) -> None:
        self.plugin("dregistry_test_old", "old", API_VERSION + 1)
        error = self.assertRaises(PluginUnfit, self.find, "old")
        self.assertIn(f"it is for version {API_VERSION + 1} of the contract, this is {API_VERSION}", str(error))

    def test_unfit(self) -> None:
        """It says that it keeps the contract, but does not."""
        self.plugin("dregistry_test_unfit", "unfit", more="del Factory.build")
        error = self.assertRaises(PluginUnfit, self.find, "unfit")
        self.assertTrue(str(error).startswith("the storage driver 'unfit' cannot be used: "))
        self.assertIn("build", str(error))

    def test_without_a_name(self) -> None:
        """It is no reason for the others not to be found."""
        self.plugin("dregistry_test_nameless", "x", more="del Factory.name")
        self.assertEqual(self.find("inmemory").name, "inmemory")
