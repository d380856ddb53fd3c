"""Tests of :mod:`dregistry.plugins`, with plugins on a path of their own."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from importlib.metadata import files
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.plugin import CachedDropin, getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject

from dregistry.plugins import (
    _TWISTED,
    PluginAmbiguous,
    PluginNotFound,
    PluginUnfit,
    build,
    find_factory,
    find_plugins,
    plugin_of,
)
from dregistry.storage import API_VERSION, ILocking, IStorageDriver, IStorageDriverFactory
from dregistry.storage.memory import MemoryDriver

from .plugin_folder import PluginFolder


class PluginsCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = PluginFolder(self)

    def find(self, name: str) -> Any:
        return find_factory(IStorageDriverFactory, "storage driver", name, API_VERSION)

    def unfit(self, name: str) -> str:
        error = self.assertRaises(PluginUnfit, self.find, name)
        prefix = f"the storage driver {name!r} cannot be used: "
        self.assertTrue(str(error).startswith(prefix), error)
        return str(error).removeprefix(prefix)


class FindTests(PluginsCase):
    def test_own(self) -> None:
        for name in ("filesystem", "inmemory"):
            factory = self.find(name)
            self.assertEqual(factory.name, name)
            verifyObject(IStorageDriverFactory, factory)

    def test_found(self) -> None:
        self.folder.driver("dregistry_test_found", "other")
        self.assertEqual(self.find("other").name, "other")
        self.assertEqual(self.find("inmemory").name, "inmemory")

    def test_only_of_the_interface(self) -> None:
        """Nor are classes plugins, or objects that are none of Twisted's."""
        self.folder.driver("dregistry_test_more", "other", more="import zope.interface\nlonely = object()")
        plugins, _ = find_plugins(IStorageDriverFactory)
        self.assertEqual([plugin.name for plugin in plugins], ["filesystem", "inmemory", "other", "s3", "s3aws"])

    def test_not_found(self) -> None:
        """The names that there are help whoever mistyped one."""
        self.folder.driver("dregistry_test_other", "other")
        error = self.assertRaises(PluginNotFound, self.find, "othr")
        found = "found: filesystem, inmemory, other, s3, s3aws; did you mean other?"
        self.assertEqual(str(error), f"no storage driver is named 'othr'; {found}")

    def test_broken(self) -> None:
        """The report says why a plugin is missing."""
        self.folder.module("dregistry_test_broken", "import a_module_that_is_not_there")
        self.folder.module("dregistry_test_exits", "raise SystemExit(5)")
        self.folder.module("dregistry_test_syntax", "def")
        error = self.assertRaises(PluginNotFound, self.find, "other")
        first, second, third = error.failures
        self.assertEqual(
            str(first),
            "twisted.plugins.dregistry_test_broken: ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
        )
        self.assertEqual(str(second), "twisted.plugins.dregistry_test_exits: SystemExit: 5")
        self.assertIn("dregistry_test_syntax: SyntaxError: ", str(third))
        self.assertIn(f"; a plugin failed to load: {first}", str(error))

    def test_another_is_broken(self) -> None:
        """That is not this one's concern; nothing is logged of it either."""
        self.folder.module("dregistry_test_broken_too", "1 / 0")
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        self.assertEqual(self.find("inmemory").name, "inmemory")
        self.assertEqual(events, [])

    def test_without_a_name(self) -> None:
        """It is no reason for the others not to be found."""
        self.folder.driver("dregistry_test_nameless", "x", more="del Factory.name")
        self.folder.driver("dregistry_test_numbered", "x", more="Factory.name = 5")
        self.assertEqual(self.find("inmemory").name, "inmemory")
        error = self.assertRaises(PluginNotFound, self.find, "x")
        self.assertEqual(
            [failure.module for failure in error.failures],
            ["twisted.plugins.dregistry_test_nameless.factory", "twisted.plugins.dregistry_test_numbered.factory"],
        )

    def test_ambiguous(self) -> None:
        self.folder.driver("dregistry_test_one", "same")
        self.folder.driver("dregistry_test_two", "same")
        self.folder.package("acme", "1.5", "dregistry_test_one")
        error = self.assertRaises(PluginAmbiguous, self.find, "same")
        self.assertEqual(
            str(error),
            "more than one storage driver is named 'same': acme 1.5 (twisted.plugins.dregistry_test_one), "
            "no package (twisted.plugins.dregistry_test_two); uninstall all but one",
        )

    def test_ours_is_not_replaced(self) -> None:
        self.folder.driver("dregistry_test_impostor", "filesystem")
        error = self.assertRaises(PluginAmbiguous, self.find, "filesystem")
        self.assertIn("(twisted.plugins.dregistry_plugin)", str(error))

    def test_one_factory_in_two_places(self) -> None:
        self.folder.driver("dregistry_test_twice", "once", more="")
        self.folder.module("dregistry_test_uses", "from twisted.plugins.dregistry_test_twice import factory")
        self.assertEqual(self.find("once").name, "once")


class ImportTests(SynchronousTestCase):
    def test_twisted(self) -> None:
        """Its own modules are known, to be left alone."""
        plugins = {str(file).removeprefix("twisted/plugins/") for file in files("twisted") or ()}
        names = {name.removesuffix(".py") for name in plugins if "/" not in name and name.endswith(".py")}
        self.assertIn("twisted_core", names)
        self.assertEqual(names - _TWISTED, {"__init__"})

    def test_cost(self) -> None:
        """To look for plugins loads nothing large."""
        script = (
            "import sys\nfrom dregistry._tls import without_tls\nwith without_tls():\n    import dregistry.service\n"
            "from dregistry.plugins import find_plugins\nfrom dregistry.storage import IStorageDriverFactory\n"
            "assert find_plugins(IStorageDriverFactory)[0]\nprint(*sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
        loaded = set(done.stdout.split())
        self.assertIn("dregistry.storage.factories", loaded)
        for module in ("OpenSSL", "importlib.metadata", "treq", "unittest", "dregistry.storage.filesystem"):
            self.assertNotIn(module, loaded)


class FitTests(PluginsCase):
    def test_of_another_version(self) -> None:
        self.folder.driver("dregistry_test_old", "old", API_VERSION + 1)
        self.assertEqual(
            self.unfit("old"), f"it is for version {API_VERSION + 1} of the contract, this is {API_VERSION}"
        )

    def test_incomplete(self) -> None:
        """It says that it keeps the contract, but does not."""
        self.folder.driver("dregistry_test_unfit", "unfit", more="del Factory.build")
        self.assertIn("build", self.unfit("unfit"))

    def test_wrong_parameters(self) -> None:
        self.folder.driver("dregistry_test_params", "params", more="Factory.build = lambda self, options: None")
        self.assertIn("build", self.unfit("params"))

    def test_what_it_needs_is_not_installed(self) -> None:
        """As with a driver whose module is imported for its options only."""
        more = "Factory.options = property(lambda self: __import__('nix'))"
        self.folder.driver("dregistry_test_needs", "needs", more=more)
        self.assertEqual(self.unfit("needs"), "ModuleNotFoundError: No module named 'nix'")

    def test_options(self) -> None:
        self.folder.driver("dregistry_test_dict", "dict", more="Factory.options = dict")
        self.assertEqual(self.unfit("dict"), "its options are no attrs class")
        more = "@frozen\nclass Strange:\n    size: 'Unknown' = 1\nFactory.options = Strange"
        self.folder.driver("dregistry_test_types", "types", more=more)
        self.assertIn("the types of its options: NameError: name 'Unknown'", self.unfit("types"))


class CacheTests(PluginsCase):
    """``dropin.cache``, by which Twisted's own search goes."""

    def setUp(self) -> None:
        super().setUp()
        self.cache = os.path.join(self.folder.plugins, "dropin.cache")

    def poison(self, content: bytes) -> None:
        with open(self.cache, "wb") as file:
            file.write(content)
        later = time.time() + 1000
        os.utime(self.cache, (later, later))

    def test_stale(self) -> None:
        """It is newer than the module, and knows none of its plugins; so do installers that keep old dates."""
        self.folder.driver("dregistry_test_upgraded", "upgraded")
        name = "dregistry_test_upgraded"
        self.poison(pickle.dumps({name: CachedDropin(f"twisted.plugins.{name}", None)}))
        self.assertNotIn("upgraded", [plugin.name for plugin in getPlugins(IStorageDriverFactory)])
        self.assertEqual(self.find("upgraded").name, "upgraded")

    def test_unreadable(self) -> None:
        self.folder.driver("dregistry_test_beside", "beside")
        self.poison(b"no pickle")
        self.assertEqual(self.find("beside").name, "beside")

    def test_not_written(self) -> None:
        """So it does not matter where it cannot be."""
        self.folder.driver("dregistry_test_unwritten", "unwritten")
        self.find("unwritten")
        self.assertFalse(os.path.exists(self.cache))


class IAbility(Interface):
    def able() -> None:
        """Something more."""


class BuildTests(SynchronousTestCase):
    def build(self, call: Any) -> Any:
        return build(IStorageDriver, "storage driver", "x", call)

    def refused(self, call: Any) -> str:
        return self.assertRaises(PluginUnfit, self.build, call).reason

    def test_good(self) -> None:
        driver = MemoryDriver()
        self.assertIs(self.build(lambda: driver), driver)

    def test_no_driver(self) -> None:
        self.assertIn("IStorageDriver", self.refused(object))

    def test_an_ability_that_it_only_claims(self) -> None:
        @implementer(ILocking, IAbility)
        class Able(MemoryDriver):
            def able(self) -> None: ...

        self.assertIn("lock", self.refused(Able))

    def test_cannot_be_built(self) -> None:
        for error, reason in (
            (ValueError("no bucket"), "ValueError: no bucket"),
            (ImportError("no botocore"), "ImportError: no botocore"),
            (PermissionError(13, "denied"), "PermissionError: [Errno 13] denied"),
        ):

            def call(error: Exception = error) -> Any:
                raise error

            self.assertEqual(self.refused(call), reason)

    def test_faults_are_not_hidden(self) -> None:
        self.assertRaises(ZeroDivisionError, self.build, lambda: 1 / 0)


class PluginOfTests(PluginsCase):
    def test_another(self) -> None:
        self.folder.driver("dregistry_test_whose", "whose")
        self.folder.package("acme", "2", "dregistry_test_whose")
        plugin = plugin_of(self.find("whose"))
        self.assertEqual((plugin.module, str(plugin.package)), ("twisted.plugins.dregistry_test_whose", "acme 2"))

    def test_no_plugin(self) -> None:
        """A test may hand in any factory."""
        plugin = plugin_of(type("Factory", (), {"name": "x", "__module__": __name__})())
        self.assertEqual((plugin.name, plugin.module), ("x", __name__))
