"""The driver of docs/storage-drivers.md is run as it is printed."""

from __future__ import annotations

import unittest
from typing import Any

from dregistry.backends import choose_storage
from dregistry.storage import DriverContext
from dregistry.testing import InlineThreads

from ..config._loading import LoadingTestCase
from ..documents import write_files
from ..plugin_folder import PluginFolder
from .support import result_of


class ExampleTests(LoadingTestCase):
    def setUp(self) -> None:
        self.folder = PluginFolder(self)
        write_files("storage-drivers.md", self.folder.path)

    def driver(self, options: str) -> Any:
        config = self.config(f"version: 0.1\nstorage: {{dict: {options}}}\n")
        choice = choose_storage(config, "test.yml", lambda warning: self.fail(str(warning)))
        return choice.build_driver(DriverContext(None, InlineThreads()))

    def test_configured(self) -> None:
        driver = self.driver("{piecesize: 4}")
        result_of(driver.put_content("/a", b"0123456789"))

        async def read() -> list[bytes]:
            return [piece async for piece in driver.read("/a", 2)]

        self.assertEqual(result_of(read()), [b"23", b"4567", b"89"])

    def test_its_test(self) -> None:
        """The suite, as its author runs it."""
        result = unittest.TestResult()
        unittest.defaultTestLoader.loadTestsFromName("test_dict").run(result)
        self.assertGreater(result.testsRun, 50)
        self.assertEqual(result.failures + result.errors, [])
