"""``dregistry schema``."""

from __future__ import annotations

import json

from jsonschema import Draft202012Validator

from ..plugin_folder import PluginFolder
from .running import CommandCase


class SchemaTests(CommandCase):
    def test_plugins_of_others(self) -> None:
        """Their options are in it; one that cannot be used is told, and left out."""
        folder = PluginFolder(self)
        folder.driver("dregistry_test_tape", "tape")
        folder.driver("dregistry_test_old", "old", more="Factory.api_version = -1")
        ran = self.run_command("schema")
        self.assertEqual(ran.status, 0)
        self.assertIn("'old'", ran.errors)
        schema = json.loads(ran.output)
        Draft202012Validator.check_schema(schema)
        validator = Draft202012Validator(schema)
        for name, well in (("filesystem", True), ("tape", True), ("old", False)):
            self.assertEqual(validator.is_valid({"version": 0.1, "storage": {name: {}}}), well, name)
        self.assertTrue(validator.is_valid({"version": 0.1, "storage": "inmemory", "auth": {"mtls": {}}}))
