"""The ``dregistry`` command itself."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from importlib.metadata import entry_points

import dregistry.cli
from dregistry import __version__
from dregistry.cli import COMMANDS, main

from .running import CommandCase


class MainTests(CommandCase):
    def test_help(self) -> None:
        ran = self.run_command("--help")
        self.assertEqual(ran.status, 0)
        for command in COMMANDS:
            self.assertIn(command.name, ran.output)
            self.assertIn(command.help, " ".join(ran.output.split()))

    def test_help_of_each(self) -> None:
        for command in COMMANDS:
            ran = self.run_command(command.name, "--help")
            self.assertEqual((ran.status, ran.errors), (0, ""))
            self.assertIn(f"usage: dregistry {command.name}", ran.output)
            self.assertIn(command.help[1:], " ".join(ran.output.split()))

    def test_version(self) -> None:
        self.assertEqual(self.run_command("--version").output, f"dregistry {__version__}\n")

    def test_unknown(self) -> None:
        for words in (["push"], ["--fast"], [], ["plugins", "--fast"]):
            ran = self.run_command(*words)
            self.assertEqual((ran.status, ran.output), (2, ""))
            self.assertIn("usage: dregistry", ran.errors)
        self.assertIn("'check-config', ", self.run_command("push").errors)

    def test_commands(self) -> None:
        """What is registered is there; in order, so that it is found in the help."""
        self.assertEqual([command.name for command in COMMANDS], sorted({command.name for command in COMMANDS}))
        for command in COMMANDS:
            module = import_module(f"{dregistry.cli.__name__}.{command.module}")
            self.assertTrue(callable(module.configure) and callable(module.run))

    def test_only_the_one_that_is_asked_for_is_imported(self) -> None:
        script = (
            "import sys; from dregistry.cli import main; main(['plugins'])\n"
            "sys.stderr.write(' '.join(name for name in sys.modules if name.startswith('dregistry.cli.')))"
        )
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.stderr, "dregistry.cli.plugins")

    def test_script(self) -> None:
        [script] = [each for each in entry_points(group="console_scripts") if each.name == "dregistry"]
        self.assertIs(script.load(), main)
