"""The tests that docs/testing.md shows are run as they are printed."""

from __future__ import annotations

import sys
import unittest

from twisted.trial.unittest import SynchronousTestCase

from ..documents import write_files
from ..storage.support import temporary_directory


class ExampleTests(SynchronousTestCase):
    def test_examples(self) -> None:
        folder = temporary_directory(self)
        write_files("testing.md", folder)
        sys.path.append(folder)
        self.addCleanup(sys.path.remove, folder)
        for name, count in (("test_tags.NewestTests", 3), ("test_port.PortTests", 1)):
            self.addCleanup(sys.modules.pop, name.partition(".")[0], None)
            result = unittest.TestResult()
            unittest.defaultTestLoader.loadTestsFromName(name).run(result)
            self.assertEqual((result.testsRun, result.failures + result.errors), (count, []))
