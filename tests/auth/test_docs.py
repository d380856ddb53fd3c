"""What docs/auth.md prints is a configuration, and the commands say what it says they do."""

from __future__ import annotations

import re
import shlex
import sys
from io import StringIO
from pathlib import Path

import attrs
from twisted.internet.task import Clock

from dregistry.auth import AuthContext, Slowdown
from dregistry.auth.tokenserver import TokenServerOptions
from dregistry.backends import choose_auth
from dregistry.cli.policy import main
from dregistry.config import format_duration
from dregistry.testing import InlineThreads

from ..config._loading import MINIMAL, LoadingTestCase
from ..storage.support import temporary_directory
from .support import certificate, hashed, jwk, jwks, pem

TEXT = (Path(__file__).parents[2] / "docs" / "auth.md").read_text(encoding="utf-8")
SECTIONS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


class DocsTests(LoadingTestCase):
    def setUp(self) -> None:
        self.folder = Path(temporary_directory(self))
        users = f"alice:{hashed('secret')}\n"
        for name, content in (
            ("htpasswd", users),
            ("robots", users),
            ("token.crt", pem(certificate("P-256")).decode()),
            ("jwks.json", jwks(jwk("P-256", "k"))),
        ):
            (self.folder / name).write_text(content)

    def placed(self, section: str) -> str:
        """With the paths of this test."""
        return re.sub(r"/(?:etc|var/lib)/dregistry/", f"{self.folder}/", section)

    def test_each_section(self) -> None:
        self.assertGreater(len(SECTIONS), 6)
        clock = Clock()
        for section in SECTIONS:
            config = self.config(MINIMAL + self.placed(section))
            choice = choose_auth(config, "auth.md", lambda warning: self.fail(str(warning)))
            self.assertIsNot(choice.build_control(AuthContext(clock, InlineThreads(), Slowdown(clock))), None, section)
            self.assertLessEqual(len(section.splitlines()), 12)

    def test_policy_commands(self) -> None:
        [section] = [each for each in SECTIONS if "builders" in each]
        config = self.folder / "dregistry.yml"
        config.write_text(MINIMAL + self.placed(section))
        commands = re.findall(r"^dregistry policy (check .*?)(?: +# .*)?\n# (.*)$", TEXT, re.MULTILINE)
        self.assertEqual(len(commands), 2)
        for command, said in commands:
            output = StringIO()
            self.patch(sys, "stdout", output)
            main(shlex.split(command.replace("/etc/dregistry.yml", str(config))))
            self.assertEqual(output.getvalue(), f"{said}\n")

    def test_defaults_of_the_token_server(self) -> None:
        for field in attrs.fields(TokenServerOptions):
            [row] = [line for line in TEXT.splitlines() if line.startswith("| `") and f"`{field.name}`" in line[:24]]
            default = row.split("|")[2].strip().strip("`")
            if isinstance(field.default, float):
                self.assertEqual(default, format_duration(field.default))
            elif field.default not in (attrs.NOTHING, ""):
                self.assertEqual(default, field.default)
