"""Tests of :mod:`dregistry._plan`: a configuration as another process reads it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from dregistry._plan import Plan, PlanError, read_plan, read_plan_later
from dregistry.backends import Setup

from .plugin_folder import PluginFolder
from .storage.support import temporary_directory

NOISE = "import os, sys\nprint('noise')\nos.write(1, b'more noise')\n"


class PlanCase(TestCase):
    def setUp(self) -> None:
        self.folder = temporary_directory(self)
        self.path = os.path.join(self.folder, "config.yml")

    def write(self, text: str) -> None:
        with open(self.path, "w") as file:
            file.write(text)

    def read(self, text: str) -> Plan:
        self.write(text)
        return read_plan(self.path)


class PlanTests(PlanCase):
    def test_members(self) -> None:
        plan = self.read(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.folder}}}}}\nnonsense: 1\n"
            "http: {addr: '127.0.0.1:5', draintimeout: 7s, workers: 3}\n"
        )
        self.assertEqual((plan.workers, plan.net, plan.addr, plan.drain_timeout), (3, "tcp", "127.0.0.1:5", 7.0))
        self.assertEqual((plan.needs_tls, plan.records_events, plan.purge_interval), (False, False, 86_400.0))
        self.assertEqual([path for path, _ in plan.warnings], ["nonsense"])
        setup = pickle.loads(plan.setup)
        self.assertIsInstance(setup, Setup)
        self.assertEqual(setup.describe_enabled(), plan.enabled)

    def test_purging(self) -> None:
        """Not if it is disabled, nor of a storage that is of one process: another one could not see it."""
        rules = "maintenance: {uploadpurging: {enabled: false}}"
        for storage in (f"{{filesystem: {{rootdirectory: {self.folder}}}, {rules}}}", "inmemory"):
            self.assertIs(self.read(f"version: 0.1\nstorage: {storage}\n").purge_interval, None)

    def test_no_secrets(self) -> None:
        plan = self.read("version: 0.1\nstorage: inmemory\nhttp: {secret: confidential}\n")
        self.assertNotIn("confidential", repr(plan))

    async def test_later(self) -> None:
        self.write("version: 0.1\nstorage: inmemory\n")
        self.assertEqual(await read_plan_later(self.path, reactor), read_plan(self.path))

    async def test_faults(self) -> None:
        self.write("version: 0.1\nstorage: inmemory\nhttp: {draintimeout: soon}\n")
        expected = f"{self.path}: 1 problem\n  http.draintimeout: "
        self.assertIn(expected, str(self.assertRaises(PlanError, read_plan, self.path)))
        error = await self.assertFailure(Deferred.fromCoroutine(read_plan_later(self.path, reactor)), PlanError)
        self.assertIn(expected, str(error))

    async def test_killed(self) -> None:
        """There is a report even if nobody wrote one."""
        folder = PluginFolder(self)
        folder.driver("dregistry_test_deadly", "deadly", more="import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
        self.write("version: 0.1\nstorage: deadly\n")
        error = self.assertRaises(PlanError, read_plan, self.path)
        self.assertEqual(str(error), "reading the configuration ended with -9")
        error = await self.assertFailure(Deferred.fromCoroutine(read_plan_later(self.path, reactor)), PlanError)
        self.assertEqual(str(error), "reading the configuration ended with -9")

    def test_plugins_that_print(self) -> None:
        folder = PluginFolder(self)
        folder.driver("dregistry_test_loud", "loud", more=NOISE)
        written: list[str] = []
        self.patch(sys, "stderr", Output(written))
        plan = self.read("version: 0.1\nstorage: loud\nhttp: {workers: 1}\n")
        self.assertIn("storage driver loud", plan.enabled)
        self.assertEqual("".join(written), "noise\nmore noise")


class Output:
    def __init__(self, written: list[str]) -> None:
        self.write: Any = written.append


class CostTests(PlanCase):
    def test_supervisor(self) -> None:
        """What watches the others has neither the parts that read a file nor those that serve."""
        self.write(f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.folder}}}}}\nhttp: {{workers: 2}}\n")
        script = (
            "import sys\nimport twisted.plugins.dregistry_command\n"
            "from dregistry.service import Options, makeService\noptions = Options()\n"
            "options.parseOptions(['-c', sys.argv[1]])\nmakeService(options)\nprint(*sys.modules)"
        )
        command = [sys.executable, "-c", script, self.path]
        loaded = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout.split()
        self.assertIn("dregistry.workers", loaded)
        for name in ("yaml", "cattrs", "klein", "OpenSSL", "dregistry.config", "dregistry.backends", "dregistry.web"):
            self.assertNotIn(name, loaded)
