"""Tests of :mod:`dregistry.service`: what an operator sees when twistd is started."""

from __future__ import annotations

import os
import re
import sys
from io import StringIO
from typing import Any

from twisted.logger import globalLogPublisher
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

from dregistry import __version__
from dregistry._configured import make_api, make_settings
from dregistry.server import RegistryService
from dregistry.service import Options, makeService
from dregistry.workers import Supervisor

from .config._loading import LoadingTestCase
from .plugin_folder import PluginFolder
from .storage.support import temporary_directory

GOOD = "version: 0.1\nstorage: inmemory\nhttp: {addr: 'localhost:0'}\n"


class ServiceCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.path = os.path.join(temporary_directory(self), "config.yml")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
        for name in set(os.environ) - set(environ):
            self.patch_environ(name, None)
        self.events: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.events.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.events.append)

    def patch_environ(self, name: str, value: str | None) -> None:
        before = os.environ.get(name)

        def put(found: str | None) -> None:
            if found is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = found

        put(value)
        self.addCleanup(put, before)

    def options(self, text: str) -> Options:
        with open(self.path, "w") as file:
            file.write(text)
        options = Options()
        options.parseOptions(["--config", self.path])
        return options

    def report(self, text: str) -> str:
        """What ends the start."""
        error = self.assertRaises(SystemExit, makeService, self.options(text))
        report = error.code
        assert isinstance(report, str)
        self.assertNotIn("Traceback", report)
        return report

    def warned(self) -> dict[str, str]:
        return {event["path"]: event["message"] for event in self.events if event["log_level"].name == "warn"}


class OptionsTests(ServiceCase):
    def test_file(self) -> None:
        for arguments in (["--config", "a.yml"], ["-c", "a.yml"]):
            options = Options()
            options.parseOptions(arguments)
            self.assertEqual(options["config"], "a.yml")

    def test_environment(self) -> None:
        self.patch_environ("REGISTRY_CONFIGURATION_PATH", "b.yml")
        options = Options()
        options.parseOptions([])
        self.assertEqual(options["config"], "b.yml")
        options.parseOptions(["-c", "a.yml"])
        self.assertEqual(options["config"], "a.yml")

    def test_none(self) -> None:
        error = self.assertRaises(UsageError, Options().parseOptions, [])
        self.assertIn("--config", str(error))

    def test_version(self) -> None:
        written = StringIO()
        self.patch(sys, "stdout", written)
        error = self.assertRaises(SystemExit, Options().parseOptions, ["--version"])
        self.assertEqual((error.code, written.getvalue()), (0, f"dregistry {__version__}\n"))


class MakeServiceTests(ServiceCase):
    def test_good(self) -> None:
        service = makeService(self.options(GOOD))
        self.assertIsInstance(service, RegistryService)
        self.assertEqual(self.warned(), {})

    def test_several_processes(self) -> None:
        root = temporary_directory(self)
        text = GOOD.replace("inmemory", f"{{filesystem: {{rootdirectory: {root}}}}}").replace("0'", "0', workers: N")
        self.assertIsInstance(makeService(self.options(text.replace("N", "2"))), Supervisor)
        self.assertIsInstance(makeService(self.options(text.replace("N", "1"))), RegistryService)

    def test_several_processes_of_one_memory(self) -> None:
        report = self.report(GOOD.replace("localhost:0'", "localhost:0', workers: 2"))
        self.assertIn("\n  http.workers: ", report)

    def test_no_file(self) -> None:
        options = Options()
        options.parseOptions(["-c", self.path])
        error = self.assertRaises(SystemExit, makeService, options)
        self.assertIn("config.yml", str(error.code))
        self.assertNotIn("Traceback", str(error.code))

    def test_all_faults(self) -> None:
        """Each with its path, in one report."""
        report = self.report("version: 0.1\nstorage: inmemory\nhttp: {draintimeout: soon}\nlog: {level: loud}\n")
        heading, *faults = report.splitlines()
        self.assertTrue(heading.endswith("config.yml: 2 problems"))
        self.assertEqual(
            sorted(fault.strip().partition(":")[0] for fault in faults), ["http.draintimeout", "log.level"]
        )

    def test_no_yaml(self) -> None:
        self.assertIn("config.yml: 1 problem", self.report("version: [0.1"))

    def test_unknown_driver(self) -> None:
        report = self.report("version: 0.1\nstorage: {floppy: {}}\n")
        self.assertIn("  storage: no storage driver is named 'floppy'; found: ", report)
        self.assertIn("filesystem", report)

    def test_faults_of_the_driver(self) -> None:
        report = self.report("version: 0.1\nstorage: {filesystem: {maxthreads: many, rootdirectory: [a]}}\n")
        faults = sorted(line.strip().partition(":")[0] for line in report.splitlines()[1:])
        self.assertEqual(faults, ["storage.filesystem.maxthreads", "storage.filesystem.rootdirectory"])

    def test_warnings(self) -> None:
        """Of the configuration and of the driver's options; the start goes on."""
        makeService(self.options(GOOD.replace("inmemory", "{inmemory: {size: 1}}") + "nonsense: 1\n"))
        self.assertEqual(set(self.warned()), {"nonsense", "storage.inmemory.size"})

    def test_environment(self) -> None:
        self.patch_environ("REGISTRY_LOG_LEVEL", "loud")
        self.assertIn("REGISTRY_LOG_LEVEL", self.report(GOOD))

    def test_what_is_enabled_is_logged(self) -> None:
        """In one line, for one process as for several."""
        middleware = (
            "middleware: {storage: [{name: redirect, options: {baseurl: 'http://a'}}, {name: x, disabled: on}]}\n"
        )
        root = temporary_directory(self)
        several = GOOD.replace("inmemory", f"{{filesystem: {{rootdirectory: {root}}}}}").replace("0'", "0', workers: 2")
        for text, driver in ((GOOD, "inmemory"), (several, "filesystem")):
            self.events.clear()
            makeService(self.options(text + middleware))
            [line] = [event["enabled"] for event in self.events if "enabled" in event]
            package = f"(dregistry {__version__})"
            self.assertEqual(line, f"storage driver {driver} {package}, storage middleware redirect {package}")

    def test_middleware(self) -> None:
        """It is in the report of all faults; what only building it shows is reported, too."""
        report = self.report(GOOD + "middleware: {storage: [{name: redirct}, {name: redirect}]}\n")
        self.assertIn(
            "  middleware.storage[0]: no storage middleware is named 'redirct'; found: redirect, rewrite", report
        )
        self.assertIn("  middleware.storage[1].options.baseurl: missing", report)

    def test_driver_that_cannot_be_built(self) -> None:
        folder = PluginFolder(self)
        refusing = "def build(self, options, context): raise ValueError('the moon is wrong')\nFactory.build = build"
        folder.driver("dregistry_test_moody", "moody", more=refusing)
        report = self.report(GOOD.replace("inmemory", "moody").replace("0'", "0', workers: 1"))
        self.assertIn("  storage.moody: the storage driver 'moody' cannot be used: ValueError: the moon", report)

    def test_address(self) -> None:
        for addr in ("nonsense", "no-such-host.invalid:0", "192.0.2.1:0"):
            service: Any = makeService(self.options(GOOD.replace("localhost:0", addr)))
            error = self.assertRaises(SystemExit, service.privilegedStartService)
            self.assertTrue(re.match(f"http.addr: cannot listen on '{addr}': .", str(error.code)), error.code)


class SettingsTests(LoadingTestCase):
    """The configuration's sections arrive where they count."""

    def test_domain(self) -> None:
        config = self.config(
            "version: 0.1\nstorage: {inmemory: , delete: {enabled: true}}\nlimits: {manifestbytes: 7}\n"
            "validation: {manifests: {urls: {allow: [a], deny: [b]},"
            " indexes: {platforms: list, platformlist: [{architecture: x, os: y}]}}}\n"
        )
        found = make_settings(config)
        self.assertEqual((found.delete_enabled, found.manifest_limit, found.redirect), (True, 7, True))
        policy = found.policy
        self.assertEqual([each.pattern for each in policy.allow + policy.deny], ["a", "b"])
        self.assertEqual((policy.index_platforms, policy.platforms), ("list", frozenset({("x", "y")})))

    def test_redirects(self) -> None:
        text = "version: 0.1\nstorage: {inmemory: , redirect: {disable: true}}\n"
        self.assertFalse(make_settings(self.config(text)).redirect)

    def test_domain_without_validation(self) -> None:
        text = "version: 0.1\nstorage: inmemory\nvalidation: {disabled: true, manifests: {urls: {allow: [a]}}}\n"
        self.assertEqual(make_settings(self.config(text)).policy.allow, ())

    def test_classes(self) -> None:
        """With and without the rest of the validation."""
        text = "version: 0.1\nstorage: inmemory\npolicy: {repository: {classes: [image, plugin]}}\n"
        for more in ("", "validation: {disabled: true}\n"):
            self.assertEqual(make_settings(self.config(text + more)).policy.classes, {"image", "plugin"})

    def test_web(self) -> None:
        config = self.config(
            "version: 0.1\nstorage: {inmemory: , maintenance: {readonly: {enabled: true}}}\n"
            "http: {prefix: /p/, host: 'https://h/', relativeurls: true, headers: {X-A: [b, c]}}\n"
            "catalog: {maxentries: 2}\ntags: {maxtags: 3}\nlimits: {manifestbytes: 4, tagsperput: 5}\n"
            "compat: {strictaccept: true}\n"
        )
        registry: Any = object()
        api = make_api(config, registry)
        self.assertEqual((api.links.prefix, api.links.host, api.links.relative), ("/p", "https://h", True))
        self.assertEqual(list(api.headers), [(b"X-A", b"b"), (b"X-A", b"c")])
        self.assertEqual((api.catalog_limit, api.tags_limit, api.manifest_limit, api.tags_per_put), (2, 3, 4, 5))
        self.assertEqual((api.read_only, api.strict_accept, api.registry), (True, True, registry))
