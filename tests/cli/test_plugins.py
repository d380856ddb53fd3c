"""``dregistry plugins``."""

from __future__ import annotations

import json

from dregistry import __version__
from dregistry.backends import KINDS

from ..plugin_folder import PluginFolder
from .running import CommandCase


class PluginsTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.folder = PluginFolder(self)

    def test_own(self) -> None:
        ran = self.run_command("plugins")
        self.assertEqual((ran.status, ran.errors), (0, ""))
        self.assertIn(f"storage driver filesystem, dregistry {__version__}: files below", ran.output)
        self.assertIn('    rootdirectory  string, default "/var/lib/registry"\n', ran.output)
        self.assertIn("    maxthreads     integer, default 100\n", ran.output)
        self.assertIn("    baseurl  string, required\n", ran.output)

    def test_json(self) -> None:
        self.folder.driver("dregistry_test_other", "other")
        self.folder.package("acme", "1.5", "dregistry_test_other")
        ran = self.run_command("plugins", "--json")
        self.assertEqual(ran.status, 0)
        document = json.loads(ran.output)
        self.assertEqual(document["broken"], [])
        self.assertEqual({each["kind"] for each in document["plugins"]}, {kind.title for kind in KINDS})
        [other] = [each for each in document["plugins"] if each["name"] == "other"]
        self.assertEqual(
            other,
            {
                "kind": "storage driver",
                "name": "other",
                "package": "acme",
                "version": "1.5",
                "module": "twisted.plugins.dregistry_test_other",
                "help": "for a test",
                "options": [{"name": "size", "type": "integer", "required": False, "default": 7}],
                "error": None,
            },
        )

    def test_broken(self) -> None:
        """All that can be shown is; the status says that something cannot be used."""
        self.folder.module("dregistry_test_broken", "import nix")
        ran = self.run_command("plugins")
        self.assertEqual(ran.status, 1)
        error = "twisted.plugins.dregistry_test_broken: ModuleNotFoundError: No module named 'nix'"
        self.assertEqual(ran.output.count(f"ERROR: {error}\n"), 1)
        self.assertIn("storage driver inmemory, ", ran.output)
        document = json.loads(self.run_command("plugins", "--json").output)
        self.assertEqual(
            document["broken"],
            [
                {
                    "module": "twisted.plugins.dregistry_test_broken",
                    "error": "ModuleNotFoundError: No module named 'nix'",
                }
            ],
        )

    def test_unfit(self) -> None:
        self.folder.driver("dregistry_test_old", "old", version=99)
        needing = "Factory.options = property(lambda self: __import__('nix'))"
        self.folder.driver("dregistry_test_needs", "needs", more=needing)
        self.folder.driver("dregistry_test_impostor", "filesystem")
        ran = self.run_command("plugins")
        self.assertEqual(ran.status, 1)
        lines = ran.output.splitlines()
        at = lines.index("storage driver old, no package (twisted.plugins.dregistry_test_old): for a test")
        self.assertIn("    ERROR: the storage driver 'old' cannot be used: it is for version 99", lines[at + 1])
        at = lines.index("storage driver needs, no package (twisted.plugins.dregistry_test_needs): for a test")
        self.assertIn("No module named 'nix'", lines[at + 1])
        self.assertEqual(ran.output.count("ERROR: more than one storage driver is named 'filesystem'"), 2)
