"""The example of docs/middleware.md is run as it is printed."""

from __future__ import annotations

import unittest
from typing import Any

from twisted.logger import globalLogPublisher

from dregistry.backends import choose_storage
from dregistry.storage import DriverContext
from dregistry.testing import InlineThreads

from ...config._loading import MINIMAL, LoadingTestCase
from ...documents import write_files
from ...plugin_folder import PluginFolder
from ..support import result_of


class ExampleTests(LoadingTestCase):
    def setUp(self) -> None:
        self.folder = PluginFolder(self)
        write_files("middleware.md", self.folder.path)

    def driver(self, options: str) -> Any:
        text = MINIMAL + f"middleware: {{storage: [{{name: metering, options: {options}}}]}}"
        choice = choose_storage(self.config(text), "test.yml", lambda warning: self.fail(str(warning)))
        return choice.build_driver(DriverContext(None, InlineThreads()))

    def test_counts(self) -> None:
        counts: list[int] = []
        observer = lambda event: counts.append(event["bytes"]) if "bytes" in event else None  # noqa: E731
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        driver = self.driver("{every: 10}")
        result_of(driver.put_content("/a", b"0123456"))

        async def read() -> bytes:
            return b"".join([piece async for piece in driver.read("/a")])

        self.assertEqual(result_of(driver.get_content("/a")), b"0123456")
        self.assertEqual(counts, [])
        self.assertEqual(result_of(read()), b"0123456")
        self.assertEqual(counts, [14])

    def test_its_test(self) -> None:
        """The suite, as its author runs it."""
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromName("test_metering").run(result)
        self.assertGreater(result.testsRun, 50)
        self.assertEqual(result.failures + result.errors, [])
