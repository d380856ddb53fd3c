"""Whole files: defaults, types, the one report, and files that are none."""

import os
import re
import tempfile
from pathlib import Path

from dregistry.config import ConfigError, Configuration, Platform, Problem, Storage, load_file
from tests.config._loading import MINIMAL, LoadingTestCase

REGISTRY_2 = """
version: 0.1
log:
  fields:
    service: registry
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: /var/lib/registry
http:
  addr: :5000
  headers:
    X-Content-Type-Options: [nosniff]
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""

REGISTRY_3 = """
version: 0.1
log:
  level: debug
  fields:
    service: registry
    environment: development
storage:
    delete:
      enabled: true
    cache:
        blobdescriptor: inmemory
    filesystem:
        rootdirectory: /var/lib/registry
    tag:
      concurrencylimit: 5
http:
    addr: :5000
    debug:
        addr: :5001
        prometheus:
            enabled: true
            path: /metrics
health:
  storagedriver:
    enabled: true
    interval: 10s
    threshold: 3
"""


class StockFileTests(LoadingTestCase):
    """The files that the images of distribution carry load without a fault."""

    def test_registry_2(self) -> None:
        loaded = self.load(REGISTRY_2)
        config = loaded.config
        self.assertEqual(config.storage.driver, "filesystem")
        self.assertEqual(config.storage.parameters, {"rootdirectory": "/var/lib/registry"})
        self.assertEqual(config.storage.cache.blobdescriptor, "inmemory")
        self.assertEqual(config.http.addr, ":5000")
        self.assertEqual(config.http.headers, {"X-Content-Type-Options": ["nosniff"]})
        self.assertEqual(config.log.fields, {"service": "registry"})
        self.assertEqual(config.health.storagedriver.threshold, 3)
        self.assertEqual(loaded.warnings, ())

    def test_registry_3(self) -> None:
        loaded = self.load(REGISTRY_3)
        config = loaded.config
        self.assertEqual(config.log.level, "debug")
        self.assertTrue(config.storage.delete.enabled)
        self.assertEqual(config.storage.tag.concurrencylimit, 5)
        self.assertTrue(config.http.debug.prometheus.enabled)
        self.assertEqual(loaded.warnings, ())


class DefaultsTests(LoadingTestCase):
    """What a file does not say."""

    def test_minimal(self) -> None:
        self.assertEqual(self.config(MINIMAL), Configuration(storage=Storage(driver="inmemory")))

    def test_values(self) -> None:
        config = Configuration()
        self.assertEqual((config.version, config.log.level, config.log.formatter), ("0.1", "info", "text"))
        self.assertEqual((config.http.addr, config.http.net, config.http.workers), (":5000", "tcp", None))
        self.assertEqual(config.http.draintimeout, 0.0)
        purging = config.storage.maintenance.uploadpurging
        self.assertEqual((purging.enabled, purging.dryrun), (True, False))
        self.assertEqual((purging.age, purging.interval), (604800.0, 86400.0))
        self.assertEqual((config.catalog.maxentries, config.tags.maxtags), (1000, 1000))
        self.assertEqual((config.limits.manifestbytes, config.limits.tagsperput), (4194304, 32))
        self.assertFalse(config.compat.strictaccept)
        self.assertEqual(config.validation.manifests.indexes.platforms, "all")
        self.assertEqual(config.auth.driver, "")

    def test_null_and_empty_sections(self) -> None:
        text = MINIMAL + "log:\nhttp: {tls: {}, addr: , net: '', headers: , debug: }\nauth: {}\nmiddleware: {storage: }"
        self.assertEqual(self.config(text).http, Configuration().http)

    def test_purging_keys_are_optional_each(self) -> None:
        text = "version: 0.1\nstorage: {inmemory: , maintenance: {uploadpurging: {age: 1h}}}"
        purging = self.config(text).storage.maintenance.uploadpurging
        self.assertEqual((purging.enabled, purging.age, purging.interval), (True, 3600.0, 86400.0))

    def test_no_page_of_zero(self) -> None:
        config = self.config(MINIMAL + "catalog: {maxentries: -1}\ntags: {maxtags: 0}")
        self.assertEqual((config.catalog.maxentries, config.tags.maxtags), (1000, 1000))


class ValueTests(LoadingTestCase):
    """What a value may look like."""

    def test_strings_keep_their_text(self) -> None:
        """As in distribution, a string key takes any scalar as it is written."""
        http = self.config(MINIMAL + "http: {secret: 0123, addr: 1:30}").http
        self.assertEqual((http.secret, http.addr), ("0123", "1:30"))

    def test_parameters_are_typed_by_yaml(self) -> None:
        text = "version: 0.1\nstorage: {s3: {secure: yes, size: 5, nested: {list: [1.5, null, a]}, at: 1:30}}"
        expected = {"secure": True, "size": 5, "nested": {"list": [1.5, None, "a"]}, "at": "1:30"}
        self.assertEqual(self.config(text).storage.parameters, expected)

    def test_booleans(self) -> None:
        for word, value in {"on": True, "y": True, "No": False, "n": False, "TRUE": True}.items():
            self.assertEqual(self.config(MINIMAL + f"http: {{relativeurls: {word}}}").http.relativeurls, value)

    def test_durations(self) -> None:
        for written, seconds in {"1h30m": 5400.0, "1000000000": 1.0, "0": 0.0, "'5s'": 5.0}.items():
            config = self.config(MINIMAL + f"http: {{draintimeout: {written}}}")
            self.assertEqual(config.http.draintimeout, seconds)

    def test_integers(self) -> None:
        self.assertEqual(self.config(MINIMAL + "http: {workers: 4.0}").http.workers, 4)

    def test_choices_in_any_case(self) -> None:
        text = (
            MINIMAL
            + "log: {level: WARN}\n"
            + "validation: {manifests: {indexes: {platforms: List, platformlist: [{os: a}]}}}"
        )
        config = self.config(text)
        self.assertEqual(config.log.level, "warn")
        self.assertEqual(config.validation.manifests.indexes.platforms, "list")
        self.assertEqual(config.validation.manifests.indexes.platformlist, (Platform(os="a"),))

    def test_expressions_are_compiled(self) -> None:
        urls = self.config(MINIMAL + r"validation: {manifests: {urls: {allow: ['^https://a\.b/']}}}").validation
        self.assertEqual(urls.manifests.urls.allow, (re.compile(r"^https://a\.b/"),))

    def test_key_that_is_a_word_of_python(self) -> None:
        hooks = "log: {hooks: [{type: mail, disabled: true, options: {from: a@b, to: [c@d]}}]}"
        options = self.config(MINIMAL + hooks).log.hooks[0].options
        self.assertEqual((options.from_, options.to), ("a@b", ("c@d",)))

    def test_old_names(self) -> None:
        text = "version: 0.1\nloglevel: error\nstorage: {inmemory: , cache: {layerinfo: inmemory}}"
        loaded = self.load(text)
        self.assertEqual((loaded.config.log.level, loaded.config.loglevel), ("error", None))
        self.assertEqual(loaded.config.storage.cache.blobdescriptor, "inmemory")
        self.assertEqual([warning.path for warning in loaded.warnings], ["loglevel", "storage.cache.layerinfo"])
        self.assertIn("log.level", loaded.warnings[0].message)

    def test_present_names_win(self) -> None:
        config = self.load(MINIMAL + "loglevel: error\nlog: {level: debug}").config
        self.assertEqual(config.log.level, "debug")

    def test_old_name_beside_a_faulty_section(self) -> None:
        self.assertEqual(list(self.faults(MINIMAL + "loglevel: error\nlog: [a]")), ["log"])


class DriverTests(LoadingTestCase):
    """The section names one driver."""

    def test_scalars(self) -> None:
        for name in ("inmemory", "filesystem"):
            storage = self.config(f"version: 0.1\nstorage: {name}").storage
            self.assertEqual((storage.driver, storage.parameters), (name, {}))

    def test_null_means_no_parameters(self) -> None:
        storage = self.config("version: 0.1\nstorage:\n  filesystem:\n  delete: {enabled: true}").storage
        self.assertEqual((storage.driver, storage.parameters, storage.delete.enabled), ("filesystem", {}, True))

    def test_none(self) -> None:
        for section in ("", "storage:", "storage: {}", "storage: {delete: {enabled: true}}", "storage: ''"):
            self.assertIn("no storage driver", self.faults("version: 0.1\n" + section)["storage"])

    def test_two(self) -> None:
        message = self.faults("version: 0.1\nstorage: {s3: , filesystem: }")["storage"]
        self.assertIn("multiple storage drivers specified in configuration or environment: filesystem, s3", message)

    def test_misspelt_key_is_taken_for_a_driver(self) -> None:
        message = self.faults("version: 0.1\nstorage: {filesystem: , delet: {enabled: true}}")["storage"]
        self.assertIn("delet is no driver but meant as delete", message)

    def test_no_mapping(self) -> None:
        self.assertIn("a list", self.faults("version: 0.1\nstorage: [inmemory]")["storage"])
        self.assertIn("'5'", self.faults("version: 0.1\nstorage: {filesystem: 5}")["storage.filesystem"])

    def test_keys_of_its_own_are_checked_beside(self) -> None:
        faults = self.faults("version: 0.1\nstorage: {a: , b: , delete: {enabled: maybe}}")
        self.assertEqual(sorted(faults), ["storage", "storage.delete.enabled"])


class FaultTests(LoadingTestCase):
    """One report of everything."""

    def test_all_at_once(self) -> None:
        text = """
            version: 0.2
            storage: {inmemory: , tag: {concurrencylimit: -1}, cache: {blobdescriptor: memcached}}
            log: {level: loud, formatter: xml, fields: [a], hooks: {a: b}}
            http:
              net: udp
              host: registry.example.com
              prefix: registry
              workers: 0
              relativeurls: "true"
              draintimeout: -5s
              headers: {X-Frame: deny, "bad name": [a], X-List: [{}], X-Split: ["a\\r\\nb"]}
              tls: {clientauth: sometimes}
            catalog: {maxentries: many}
            tags: 5
            limits: {manifestbytes: 0, tagsperput: 1.5}
            validation:
              manifests:
                urls: {allow: ["(", null], deny: ["[[:alpha:]]"]}
                indexes: {platformlist: [null]}
            middleware: {storage: [], registry: , repository: {}}
            notifications:
              endpoints: [{disabled: true, timeout: 1.5, headers: 5}, {disabled: true, threshold: x}]
        """
        faults = self.faults(text)
        self.assertEqual(
            set(faults),
            {
                "version",
                "storage.tag.concurrencylimit",
                "storage.cache.blobdescriptor",
                "log.level",
                "log.formatter",
                "log.fields",
                "log.hooks",
                "http.net",
                "http.host",
                "http.prefix",
                "http.workers",
                "http.relativeurls",
                "http.draintimeout",
                "http.headers.X-Frame",
                'http.headers."bad name"',
                "http.headers.X-List[0]",
                "http.headers.X-Split[0]",
                "http.tls.clientauth",
                "catalog.maxentries",
                "tags",
                "limits.manifestbytes",
                "limits.tagsperput",
                "validation.manifests.urls.allow[0]",
                "validation.manifests.urls.allow[1]",
                "validation.manifests.urls.deny[0]",
                "validation.manifests.indexes.platformlist[0]",
                "middleware.repository",
                "notifications.endpoints[0].headers",
                "notifications.endpoints[0].timeout",
                "notifications.endpoints[1].threshold",
            },
        )
        self.assertEqual(faults["log.level"], "must be one of error, warn, info, debug; not 'loud'")
        self.assertEqual(faults["http.workers"], "must be at least 1, not 0")
        self.assertEqual(faults["http.relativeurls"], "expected true or false, not 'true'")
        self.assertEqual(faults["http.headers.X-Frame"], "must be a list of strings: write X-Frame: [value]")
        self.assertIn("regular expression", faults["validation.manifests.urls.allow[0]"])

    def test_report(self) -> None:
        error = self.assertRaises(ConfigError, self.load, "version: 0.1\nstorage: a\nlog: 1\nhttp: 2")
        self.assertEqual(
            str(error),
            "test.yml: 2 problems\n  log: expected a mapping, not '1'\n  http: expected a mapping, not '2'",
        )
        single = ConfigError([Problem("a.b", "is wrong")])
        self.assertEqual(str(single), "configuration: 1 problem\n  a.b: is wrong")

    def test_problems_are_one_printable_line(self) -> None:
        self.assertEqual(str(Problem("a\nb", "\udc80 \x1b[31m")), "a\\nb: \\udc80 \\x1b[31m")

    def test_version(self) -> None:
        self.assertIn("missing", self.faults("storage: inmemory")["version"])
        self.assertIn("'0.10'", self.faults("version: 0.10\nstorage: inmemory")["version"])
        self.assertIn("a mapping", self.faults("version: {}\nstorage: inmemory")["version"])
        self.assertEqual(self.config("version: '0.1'\nstorage: inmemory").version, "0.1")

    def test_a_url_is_a_url(self) -> None:
        self.assertIn("whole URL", self.faults(MINIMAL + "http: {host: 'http://[::1'}")["http.host"])
        self.assertEqual(self.config(MINIMAL + "http: {host: 'http://a:5000'}").http.host, "http://a:5000")


class UnknownKeyTests(LoadingTestCase):
    """A key that nothing reads is a warning, never a fault."""

    def test_nearest_name(self) -> None:
        warnings = self.warnings(
            MINIMAL + "http: {adr: a}\nLog: {}\nnotifications: {endpoints: [{disabled: true, uri: a}]}"
        )
        self.assertIn("did you mean addr?", warnings["http.adr"])
        self.assertIn("did you mean log?", warnings["Log"])
        self.assertIn("did you mean url?", warnings["notifications.endpoints[0].uri"])

    def test_no_near_name(self) -> None:
        self.assertIn("known here: enabled", self.warnings(MINIMAL + "http: {h2c: {xyz: 1}}")["http.h2c.xyz"])
        self.assertEqual(self.warnings(MINIMAL + "qqqq: 1")["qqqq"], "unknown key, ignored")

    def test_free_keys(self) -> None:
        text = "version: 0.1\nstorage: {s3: {a: 1}}\nlog: {fields: {a: b}}\nmiddleware: {storage: [{options: {a: 1}}]}"
        self.assertEqual(self.warnings(text), {})

    def test_bound(self) -> None:
        warnings = self.load(MINIMAL + "\n".join(f"k{number}: 1" for number in range(500))).warnings
        self.assertEqual(len(warnings), 101)
        self.assertIn("more unknown keys", warnings[-1].message)


class FileTests(LoadingTestCase):
    """:func:`load_file`."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = os.path.join(directory.name, "config.yml")

    def write(self, content: bytes) -> str:
        Path(self.path).write_bytes(content)
        return self.path

    def report(self, path: str) -> str:
        return str(self.assertRaises(ConfigError, load_file, path, {}))

    def test_loads(self) -> None:
        path = self.write(b"\xef\xbb\xbf" + MINIMAL.encode())
        loaded = load_file(path, {"REGISTRY_HTTP_ADDR": ":1"})
        self.assertEqual((loaded.config.storage.driver, loaded.config.http.addr), ("inmemory", ":1"))

    def test_names_the_file(self) -> None:
        path = self.write(b"version: 0.1")
        self.assertTrue(self.report(path).startswith(f"{path}: 1 problem"))

    def test_missing_directory_and_no_path(self) -> None:
        self.assertIn("No such file", self.report(self.path))
        self.assertIn("cannot be read", self.report(os.curdir))
        self.assertIn("cannot be read", self.report("a\0b"))

    def test_not_utf_8(self) -> None:
        self.assertIn("not UTF-8 at line 2", self.report(self.write(b"version: 0.1\nlog: \xff")))

    def test_too_large(self) -> None:
        self.assertIn("longer than", self.report(self.write(b"#" * (5 * 1024 * 1024))))
