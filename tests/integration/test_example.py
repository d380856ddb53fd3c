"""examples/dregistry-sqlite, as whoever installs it finds it: two wheels in a new environment."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from .client import Client
from .container_tools import ContainerTools
from .images import Layout, blobs_of, noise
from .wheels import CHECKOUT, Installation, InstalledRegistry

EXAMPLE = os.path.join(CHECKOUT, "examples", "dregistry-sqlite")
LARGE = 5 << 20


class ExampleTests(SynchronousTestCase):
    folder: ClassVar[str]
    installed: ClassVar[Installation]

    @classmethod
    def setUpClass(cls) -> None:
        cls.folder = tempfile.mkdtemp(prefix="dregistry-example-")
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.installed = Installation(cls.folder, CHECKOUT, EXAMPLE)

    def settings(self, filename: str) -> dict[str, object]:
        """It is the only storage of the configuration."""
        return {"storage": {"filesystem": None, "sqlite": {"filename": filename}}, "http": {"workers": 2}}

    def test_its_own_tests(self) -> None:
        tests = os.path.join(EXAMPLE, "tests", "test_dregistry_sqlite.py")
        printed = self.installed.python("-m", "twisted.trial", tests)
        self.assertIn("PASSED", printed)

    def test_listed(self) -> None:
        [listed] = [
            each for each in json.loads(self.installed.tool("plugins", "--json"))["plugins"] if each["name"] == "sqlite"
        ]
        self.assertEqual((listed["package"], listed["version"]), ("dregistry-sqlite", "1.0"))
        self.assertEqual([option["name"] for option in listed["options"]], ["filename", "maxsize"])

    def test_push_and_pull(self) -> None:
        """By two workers that share the database, and from it again by two others."""
        folder = self.new_folder("images")
        filename = os.path.join(folder, "registry.sqlite")
        tools = ContainerTools(folder)
        layout = Layout(os.path.join(folder, "source"))
        source = layout.tag("one", layout.image({"data": noise(LARGE)}, {"etc/motd": b"hello"}))
        with InstalledRegistry(self.installed, self.settings(filename)) as registry:
            self.assertIn("storage driver sqlite (dregistry-sqlite 1.0)", registry.read_log())
            for number in range(4):
                tools.copy(source, f"docker://{registry.address}/first/{number}:v1")
            self.pull(tools, f"docker://{registry.address}/first/0:v1", layout)
            client = Client(registry.address)
            self.assertEqual(client.get("/v2/_catalog").json()["repositories"], [f"first/{n}" for n in range(4)])
            registry.kill()
            registry.start()
            for number in range(4):
                self.pull(tools, f"docker://{registry.address}/first/{number}:v1", layout)
        with closing(sqlite3.connect(filename)) as database:
            [(uploads,)] = database.execute("SELECT count(*) FROM content WHERE key LIKE '% _uploads %'")
        self.assertEqual(uploads, 0)

    def pull(self, tools: ContainerTools, address: str, layout: Layout) -> None:
        copy = self.new_folder("copies")
        tools.copy(address, f"oci:{copy}:one")
        self.assertEqual(blobs_of(copy), blobs_of(layout.folder))

    def new_folder(self, name: str) -> str:
        return tempfile.mkdtemp(prefix=name, dir=self.folder)
