"""Tests of ``dregistry policy``."""

from __future__ import annotations

import os
import sys
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase

from dregistry.cli.policy import main

from ..storage.support import temporary_directory

CONFIG = """
version: 0.1
storage: inmemory
auth:
  htpasswd: {realm: r, path: /does/not/exist}
  groups:
    team: [bob]
  policy:
    - {repositories: ["**"], users: [alice], actions: ["*"]}
    - {repositories: ["public/**"], anonymous: true, actions: [pull]}
    - {repositories: ["public/**"], groups: [team], actions: [pull, push]}
    - {repositories: ["closed/**"], actions: []}
"""


class PolicyCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.join(temporary_directory(self), "config.yml")
        self.config(CONFIG)

    def config(self, text: str) -> None:
        with open(self.path, "w") as file:
            file.write(text)

    def run_command(self, *arguments: str) -> tuple[int, str, str]:
        """Exit status, output, errors."""
        out, err = StringIO(), StringIO()
        self.patch(sys, "stdout", out)
        self.patch(sys, "stderr", err)
        try:
            status = main(arguments)
        except SystemExit as error:
            status = int(str(error.code))
        return status, out.getvalue().strip(), err.getvalue().strip()

    def check(self, *arguments: str) -> tuple[int, str]:
        status, out, err = self.run_command("check", "--config", self.path, *arguments)
        self.assertEqual(err, "")
        return status, out


class CheckTests(PolicyCase):
    def test_allowed(self) -> None:
        for arguments, rule in (
            (("alice", "delete", "a"), "auth.policy[0], pattern **"),
            (("-", "pull", "public/a"), "auth.policy[1], pattern public/**"),
            (("bob", "push", "public/a"), "auth.policy[2], pattern public/**"),
            (("bob", "pull", "public/a"), "auth.policy[1] and auth.policy[2], pattern public/**"),
            (("carol", "push", "public/a", "--group", "team"), "auth.policy[2], pattern public/**"),
        ):
            self.assertEqual(self.check(*arguments), (0, f"allowed: {rule}"))

    def test_denied(self) -> None:
        longest = "which is the longest, does not grant it"
        public = f"auth.policy[1] and auth.policy[2], pattern public/**, {longest}"
        for arguments, reason in (
            (("bob", "pull", "a"), f"auth.policy[0], pattern **, {longest}"),
            (("alice", "pull", "closed/a"), f"auth.policy[3], pattern closed/**, {longest}"),
            (("alice", "push", "public/a"), public),
            (("-", "push", "public/a", "--group", "team"), public),
        ):
            self.assertEqual(self.check(*arguments), (1, f"denied: {reason}"))

    def test_no_pattern(self) -> None:
        self.config(CONFIG.replace('"**"', '"a/**"'))
        self.assertEqual(
            self.check("alice", "pull", "b"), (1, "denied: no pattern of auth.policy matches the repository")
        )

    def test_no_policy(self) -> None:
        self.config("version: 0.1\nstorage: inmemory\nauth: {htpasswd: {realm: r, path: /x}}\n")
        self.assertEqual(self.check("alice", "pull", "a")[0], 0)
        self.assertEqual(self.check("-", "pull", "a")[0], 1)

    def test_cannot_tell(self) -> None:
        for arguments, message in (
            (("check", "alice", "pull", "a"), "name a configuration file"),
            (("check", "alice", "pull", "A", "-c", self.path), "NAME_INVALID"),
            (("check", "alice", "fetch", "a", "-c", self.path), "invalid choice"),
            (("check", "alice", "pull", "a", "-c", self.path + "x"), "cannot be read"),
            ((), "required"),
        ):
            status, out, err = self.run_command(*arguments)
            self.assertEqual((status, out), (2, ""))
            self.assertIn(message, err)
            self.assertNotIn("Traceback", err)

    def test_faults(self) -> None:
        self.config(CONFIG.replace('"closed/**"', '"Closed/**"'))
        status, _, err = self.run_command("check", "alice", "pull", "a", "-c", self.path)
        self.assertEqual(status, 2)
        self.assertIn("auth.policy[3].repositories[0]", err)
