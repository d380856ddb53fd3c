"""The wheel: what is installed from it is enough, and twistd finds it there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from .client import Client
from .wheels import CHECKOUT, Installation, InstalledRegistry

TWISTD = "from twisted.scripts.twistd import run; run()"
PLACES = """
import dregistry, twisted.plugins
from twisted.plugin import getPlugins
from twisted.application.service import IServiceMaker
print(dregistry.__file__)
from twisted.plugins import dregistry_plugin
print(dregistry_plugin.__file__)
print(len([each for each in getPlugins(IServiceMaker) if each.tapname == "dregistry"]))
"""


class WheelTests(SynchronousTestCase):
    """Built and installed once."""

    installed: ClassVar[Installation]

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.mkdtemp(prefix="dregistry-wheel-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.installed = Installation(folder, CHECKOUT)

    def test_plugin(self) -> None:
        """The package and its plugin, once, from where the wheel was installed."""
        package, plugin, count = self.installed.python("-c", PLACES).split()
        self.assertEqual(package, os.path.join(self.installed.packages, "dregistry", "__init__.py"))
        self.assertEqual(plugin, os.path.join(self.installed.packages, "twisted", "plugins", "dregistry_plugin.py"))
        self.assertEqual(count, "1")

    def test_command(self) -> None:
        text = self.installed.python("-c", TWISTD, "--help")
        self.assertRegex(text, r"(?m)^ +dregistry +A container registry\.$")

    def test_tool(self) -> None:
        """It is a script, and knows from what pip wrote that the backends are of this package."""
        self.assertTrue(os.path.exists(os.path.join(self.installed.packages, "bin", "dregistry")))
        text = self.installed.tool("plugins", "--json")
        listed = {(each["name"], each["package"], each["version"]) for each in json.loads(text)["plugins"]}
        version = self.installed.tool("--version").split()[1]
        for name in ("filesystem", "inmemory", "redirect", "rewrite"):
            self.assertIn((name, "dregistry", version), listed)

    def test_server(self) -> None:
        with InstalledRegistry(self.installed) as registry:
            client = Client(registry.address)
            answer = client.get("/v2/")
            self.assertEqual((answer.status, answer.body), (200, b"{}"))
            client.push_manifest("first", client.image("first"), "v1")
            self.assertEqual(client.get("/v2/first/tags/list").json(), {"name": "first", "tags": ["v1"]})
            self.assertEqual(registry.stop(), -signal.SIGTERM)

    def test_typed(self) -> None:
        """Type checkers of plugins' authors see the annotations."""
        self.assertTrue(os.path.exists(os.path.join(self.installed.packages, "dregistry", "py.typed")))
