"""``dregistry check-config``."""

from __future__ import annotations

import os

from dregistry.service import Options, makeService

from ..plugin_folder import PluginFolder
from ..storage.support import temporary_directory
from .running import CommandCase, Ran

GOOD = "version: 0.1\nstorage: inmemory\n"


class CheckConfigTests(CommandCase):
    def setUp(self) -> None:
        super().setUp()
        self.path = os.path.join(temporary_directory(self), "config.yml")

    def write(self, text: str) -> None:
        with open(self.path, "w", encoding="utf-8") as file:
            file.write(text)

    def check(self, text: str, *words: str) -> Ran:
        self.write(text)
        return self.run_command("check-config", *words, self.path)

    def test_good(self) -> None:
        self.assertEqual(self.check(GOOD), Ran(0, f"{self.path}: no problems\n", ""))

    def test_named_by_the_environment(self) -> None:
        self.write(GOOD)
        os.environ["REGISTRY_CONFIGURATION_PATH"] = self.path
        self.assertEqual(self.run_command("check-config"), Ran(0, f"{self.path}: no problems\n", ""))

    def test_no_file(self) -> None:
        ran = self.run_command("check-config")
        self.assertEqual((ran.status, ran.output), (2, ""))
        self.assertIn("name a configuration file", ran.errors)
        ran = self.run_command("check-config", self.path)
        self.assertEqual((ran.status, ran.output), (1, ""))
        self.assertIn("cannot be read", ran.errors)

    def test_report(self) -> None:
        """It is the one with which the start ends."""
        folder = PluginFolder(self)
        refusing = "def build(self, options, context): raise ValueError('the moon is wrong')\nFactory.build = build"
        folder.driver("dregistry_test_moody", "moody", more=refusing)
        for text in (
            "version: [0.1",
            GOOD + "http: {addr: a, draintimeout: soon}\nlog: {level: loud}\n",
            "version: 0.1\nstorage: {floppy: }\nmiddleware: {storage: [{}, {name: rewrite, options: {host: /}}]}\n",
            "version: 0.1\nstorage: {filesystem: {maxthreads: many}}\n",
            GOOD + "auth: silly\n",
            GOOD + "http: {workers: 2}\n",
            "version: 0.1\nstorage: moody\nhttp: {workers: 1}\n",
        ):
            ran = self.check(text)
            options = Options()
            options.parseOptions(["-c", self.path])
            error = self.assertRaises(SystemExit, makeService, options)
            self.assertEqual(ran, Ran(1, "", f"{error.code}\n"))
            self.assertIn("problem", ran.errors)

    def test_warnings(self) -> None:
        ran = self.check("version: 0.1\nstorage: {inmemory: {size: 1}}\nnonsense: 1\n")
        self.assertEqual((ran.status, ran.output), (0, f"{self.path}: no problems\n"))
        self.assertEqual(
            ran.errors,
            "warning: nonsense: unknown key, ignored\nwarning: storage.inmemory.size: unknown key, ignored\n",
        )

    def test_environment(self) -> None:
        os.environ["REGISTRY_LOG_LEVEL"] = "loud"
        ran = self.check(GOOD)
        self.assertEqual(ran.status, 1)
        self.assertIn("REGISTRY_LOG_LEVEL", ran.errors)

    def test_show(self) -> None:
        os.environ["REGISTRY_HTTP_ADDR"] = ":5001"
        ran = self.check(GOOD + "http: {secret: hidden}\n", "--show")
        self.assertEqual((ran.status, ran.errors), (0, ""))
        self.assertIn("addr: :5001\n", ran.output)
        self.assertNotIn("hidden", ran.output)
        self.assertEqual(self.check(ran.output).status, 0)

    def test_nothing_is_made(self) -> None:
        root = os.path.join(os.path.dirname(self.path), "data")
        self.assertEqual(self.check(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {root}}}}}\n").status, 0)
        self.assertFalse(os.path.exists(root))
