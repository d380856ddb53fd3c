"""``etc/dregistry.service``, as systemd reads it. It is not started here: that takes a machine that systemd runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .requirements import tool

UNIT = Path(__file__).parents[2] / "etc" / "dregistry.service"
MOST_EXPOSED = 1.5
"""Of 10; systemd 252 says 1.4, most of it because the service is on the network."""


class UnitTests(SynchronousTestCase):
    def analyze(self, *arguments: str) -> str:
        command = [tool("systemd-analyze", "systemd"), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_verify(self) -> None:
        """Every line is understood; of the programs only the place is not where they are here."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        path = os.path.join(folder, UNIT.name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(re.sub(r"/opt/dregistry/bin/\w+", sys.executable, UNIT.read_text(encoding="utf-8")))
        self.assertEqual(self.analyze("verify", "--man=no", path), "")

    def test_exposure(self) -> None:
        said = self.analyze("security", "--offline=true", "--threshold=100", "--no-pager", str(UNIT))
        found = re.search(r"Overall exposure level for dregistry\.service: ([0-9.]+)", said)
        assert found is not None, said
        self.assertLessEqual(float(found[1]), MOST_EXPOSED, said)
