"""The wheel: what is installed from it is enough, and twistd finds it there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import venv
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from .client import Client
from .server import RunningRegistry

CHECKOUT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TWISTD = "from twisted.scripts.twistd import run; run()"
TOOL = "import sys; from dregistry.cli import main; sys.exit(main())"
PLACES = """
import dregistry, twisted.plugins
from twisted.plugin import getPlugins
from twisted.application.service import IServiceMaker
print(dregistry.__file__)
from twisted.plugins import dregistry_plugin
print(dregistry_plugin.__file__)
print(len([each for each in getPlugins(IServiceMaker) if each.tapname == "dregistry"]))
"""


def _run(*command: str, cwd: str) -> str:
    environ = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(command, check=False, cwd=cwd, env=environ, capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise AssertionError(f"{command} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


class _Installed(RunningRegistry):
    """The server from another Python, which sees nothing of this one's path."""

    def __init__(self, python: str) -> None:
        super().__init__()
        self._python = python

    def _command(self) -> list[str]:
        return [self._python, "-I", *super()._command()[1:]]


class WheelTests(SynchronousTestCase):
    """
    Built and installed once.

    The new environment has the wheel installed, and after it on its path the packages of this one, for dregistry's
    dependencies. An editable installation in this one is not seen: its path file is not read there.
    """

    folder: ClassVar[str]
    python: ClassVar[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.mkdtemp(prefix="dregistry-wheel-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        wheels = os.path.join(cls.folder, "wheels")
        pip = (sys.executable, "-m", "pip", "--quiet")
        _run(*pip, "wheel", "--no-deps", "--wheel-dir", wheels, CHECKOUT, cwd=cls.folder)
        [wheel] = os.listdir(wheels)
        environment = os.path.join(cls.folder, "venv")
        venv.create(environment, with_pip=False, symlinks=True)
        cls.python = os.path.join(environment, "bin", "python")
        packages = _run(
            cls.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=cls.folder
        ).strip()
        install = ("install", "--no-deps", "--no-index", "--target", packages, os.path.join(wheels, wheel))
        _run(*pip, *install, cwd=cls.folder)
        with open(os.path.join(packages, "dependencies.pth"), "w", encoding="utf-8") as file:
            file.write("\n".join(dict.fromkeys(sysconfig.get_path(each) for each in ("purelib", "platlib"))) + "\n")
        cls.packages = packages

    packages: ClassVar[str]

    def test_plugin(self) -> None:
        """The package and its plugin, once, from where the wheel was installed."""
        package, plugin, count = _run(self.python, "-I", "-c", PLACES, cwd=self.folder).split()
        self.assertEqual(package, os.path.join(self.packages, "dregistry", "__init__.py"))
        self.assertEqual(plugin, os.path.join(self.packages, "twisted", "plugins", "dregistry_plugin.py"))
        self.assertEqual(count, "1")

    def test_command(self) -> None:
        text = _run(self.python, "-I", "-c", TWISTD, "--help", cwd=self.folder)
        self.assertRegex(text, r"(?m)^ +dregistry +A container registry\.$")

    def test_tool(self) -> None:
        """It is a script, and knows from what pip wrote that the backends are of this package."""
        self.assertTrue(os.path.exists(os.path.join(self.packages, "bin", "dregistry")))
        text = _run(self.python, "-I", "-c", TOOL, "plugins", "--json", cwd=self.folder)
        listed = {(each["name"], each["package"], each["version"]) for each in json.loads(text)["plugins"]}
        version = _run(self.python, "-I", "-c", TOOL, "--version", cwd=self.folder).split()[1]
        for name in ("filesystem", "inmemory", "redirect", "rewrite"):
            self.assertIn((name, "dregistry", version), listed)

    def test_server(self) -> None:
        with _Installed(self.python) as registry:
            client = Client(registry.address)
            answer = client.get("/v2/")
            self.assertEqual((answer.status, answer.body), (200, b"{}"))
            client.push_manifest("first", client.image("first"), "v1")
            self.assertEqual(client.get("/v2/first/tags/list").json(), {"name": "first", "tags": ["v1"]})
            self.assertEqual(registry.stop(), -signal.SIGTERM)

    def test_typed(self) -> None:
        """Type checkers of plugins' authors see the annotations."""
        self.assertTrue(os.path.exists(os.path.join(self.packages, "dregistry", "py.typed")))
