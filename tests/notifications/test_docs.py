"""The examples of docs/notifications.md are run as they are printed."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path
from typing import Any

import yaml
from twisted.trial.unittest import TestCase

from dregistry.backends import SinkChoice, choose_sinks
from dregistry.notifications import EndpointSettings, SinkContext
from dregistry.notifications.envelope import V2, encode
from dregistry.notifications.webhook import SIGNATURE, SIGNED_AT, signature
from dregistry.testing import InlineThreads, NotificationSinkSuite

from ..config._loading import MINIMAL, LoadingTestCase
from ..plugin_folder import PluginFolder
from ..storage.support import temporary_directory

TEXT = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
YAML = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


class ConfigurationTests(LoadingTestCase):
    def choose(self, text: str) -> tuple[SinkChoice, ...]:
        return choose_sinks(self.config(MINIMAL + text), "test.yml", lambda warning: self.fail(str(warning)))

    def test_endpoint(self) -> None:
        [choice] = self.choose(YAML[0])
        self.assertEqual((choice.settings.name, choice.factory.name), ("ci", "webhook"))

    def test_signature(self) -> None:
        names: dict[str, Any] = {}
        exec(PYTHON[0], names)
        for age, genuine in ((0, True), (400, False)):
            signed_at = str(int(time.time()) - age)
            headers = {SIGNED_AT: signed_at, SIGNATURE: signature("s", signed_at, b"body")}
            self.assertEqual(names["is_genuine"]("s", headers, b"body"), genuine)
            self.assertFalse(names["is_genuine"]("s", headers, b"another body"))
            self.assertFalse(names["is_genuine"]("t", headers, b"body"))


class SinkTests(NotificationSinkSuite, TestCase):
    def make_sink(self) -> Any:
        folder = PluginFolder(self)
        name, _, text = PYTHON[1].partition("\n")
        folder.module(name.removeprefix("# ").removesuffix(".py"), text)
        self.path = os.path.join(temporary_directory(self), "events")
        section = yaml.safe_load(YAML[1])
        section["notifications"]["endpoints"][0]["options"]["path"] = self.path
        case = LoadingTestCase()
        config = case.config(MINIMAL + yaml.safe_dump(section))
        [choice] = choose_sinks(config, "test.yml", lambda warning: self.fail(str(warning)))
        endpoint = EndpointSettings("archive")
        context = SinkContext(None, InlineThreads(), endpoint, lambda notification: encode(notification.event, V2))
        return choice.factory.build(choice.options, context)

    def received(self) -> list[str]:
        with open(self.path, encoding="utf-8") as file:
            return [json.loads(line)["id"] for line in file]
