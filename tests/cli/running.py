"""
A base for test cases of the ``dregistry`` command.
"""

from __future__ import annotations

import os
import sys
from io import StringIO
from typing import Any

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from dregistry.cli import main


@frozen
class Ran:
    status: Any
    output: str
    errors: str


class CommandCase(SynchronousTestCase):
    def setUp(self) -> None:
        environ = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        self.patch(os, "environ", environ)

    def run_command(self, *words: str) -> Ran:
        output, errors = StringIO(), StringIO()
        self.patch(sys, "stdout", output)
        self.patch(sys, "stderr", errors)
        try:
            status: Any = main(words)
        except SystemExit as ended:
            status = ended.code
        return Ran(status, output.getvalue(), errors.getvalue())
