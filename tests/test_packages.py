"""Tests of :mod:`dregistry._packages`."""

from __future__ import annotations

import json
import os

from twisted.trial.unittest import SynchronousTestCase

from dregistry._packages import Package, package_of_file

from .plugin_folder import PluginFolder


class PackageTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.folder = PluginFolder(self)

    def owner(self, name: str) -> Package | None:
        path = os.path.join(self.folder.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii"):
            pass
        return package_of_file(path)

    def editable(self, name: str, folder: str, editable: bool = True) -> None:
        url = "file://" + os.path.join(self.folder.path, folder)
        self.folder.package(name, "0", direct_url_json=json.dumps({"url": url, "dir_info": {"editable": editable}}))

    def test_installed(self) -> None:
        self.folder.package("one", "1", "a", "aa")
        self.folder.package("two", "2", "b")
        self.assertEqual(self.owner("twisted/plugins/aa.py"), Package("one", "1"))
        self.assertEqual(self.owner("twisted/plugins/b.py"), Package("two", "2"))

    def test_nobody(self) -> None:
        self.folder.package("one", "1", "a")
        self.assertIs(self.owner("other/a.py"), None)
        self.assertIs(self.owner("twisted/plugins/c.py"), None)
        self.assertIs(package_of_file(None), None)

    def test_editable(self) -> None:
        """A checkout may be within another: the inner one has what is in it."""
        self.editable("outer", "with%20space")
        self.editable("inner", "with%20space/examples/inner")
        self.editable("built", "with%20space/examples", editable=False)
        self.assertEqual(self.owner("with space/plugin.py"), Package("outer", "0"))
        self.assertEqual(self.owner("with space/examples/inner/plugin.py"), Package("inner", "0"))
        self.assertEqual(self.owner("with space/examples/innermost.py"), Package("outer", "0"))

    def test_installed_within_a_checkout(self) -> None:
        """As in a virtual environment there."""
        self.editable("checkout", ".")
        self.folder.package("one", "1", "a")
        self.assertEqual(self.owner("twisted/plugins/a.py"), Package("one", "1"))

    def test_strange_metadata(self) -> None:
        for number, text in enumerate(("[]", "no json", '{"dir_info": {"editable": true}}', '{"dir_info": []}')):
            self.folder.package(f"strange{number}", "1", direct_url_json=text)
        self.assertIs(self.owner("a.py"), None)

    def test_this_one(self) -> None:
        import twisted.plugins.dregistry_plugin as plugin

        found = package_of_file(plugin.__file__)
        assert found is not None
        self.assertEqual(found.name, "dregistry")
