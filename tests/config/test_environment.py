"""The ``REGISTRY_*`` rule, one class for each part of it."""

from dregistry.config import Configuration, Storage
from tests.config._loading import MINIMAL, LoadingTestCase

FILESYSTEM = "version: 0.1\nstorage: {filesystem: {rootdirectory: /old, maxthreads: 50}}\n"
UNRECOGNIZED = "unrecognized environment variable, ignored"


class NamesAndOrderTests(LoadingTestCase):
    """Rule 1: which variables count, and in which order they are applied."""

    def test_only_the_exact_prefix(self) -> None:
        environ = {
            "registry_http_addr": ":1",
            "Registry_HTTP_ADDR": ":2",
            "MY_REGISTRY_HTTP_ADDR": ":3",
            "REGISTRYHTTP_ADDR": ":4",
            "REGISTRY": ":5",
        }
        self.assertEqual(self.config(MINIMAL, environ).http.addr, ":5000")

    def test_section_before_its_keys_in_whatever_order_they_come(self) -> None:
        environ = {
            "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/new",
            "REGISTRY_STORAGE": "{filesystem: {rootdirectory: /x, maxthreads: 25}}",
        }
        expected = {"rootdirectory": "/new", "maxthreads": 25}
        self.assertEqual(self.config("version: 0.1", environ).storage.parameters, expected)

    def test_bytewise(self) -> None:
        """``-`` sorts before ``_``, so the section comes first; a later index finds the earlier one there."""
        environ = {"REGISTRY_HTTP_HEADERS_A_1": "y", "REGISTRY_HTTP_HEADERS_A_0": "x"}
        self.assertEqual(self.config(MINIMAL, environ).http.headers, {"a": ["x", "y"]})
        ten = {f"REGISTRY_HTTP_HEADERS_A_{number}": "x" for number in range(11)}
        self.assertIn("undefined index: 10", self.faults(MINIMAL, ten)["http.headers.a"])

    def test_path_of_the_file_never_warns(self) -> None:
        self.config(MINIMAL, {"REGISTRY_CONFIGURATION_PATH": "/etc/config.yml"})

    def test_after_the_file(self) -> None:
        text = MINIMAL + "http: {addr: ':1', net: unix}"
        http = self.config(text, {"REGISTRY_HTTP_ADDR": ":2"}).http
        self.assertEqual((http.addr, http.net), (":2", "unix"))


class StructTests(LoadingTestCase):
    """Rule 2: struct levels, by Go's name or YAML's."""

    def test_go_names_and_yaml_names(self) -> None:
        for name in ("REGISTRY_HEALTH_HTTPCHECKERS_0_URI", "REGISTRY_HEALTH_HTTP_0_URI"):
            self.assertEqual(self.load(MINIMAL, {name: "http://a"}).config.health.http[0].uri, "http://a")
        for name in ("REGISTRY_HEALTH_FILECHECKERS_0_FILE", "REGISTRY_HEALTH_FILE_0_FILE"):
            self.assertEqual(self.load(MINIMAL, {name: "/down"}).config.health.file[0].file, "/down")
        for name in ("REGISTRY_HEALTH_TCPCHECKERS_0_ADDR", "REGISTRY_HEALTH_TCP_0_ADDR"):
            self.assertEqual(self.load(MINIMAL, {name: "a:1"}).config.health.tcp[0].addr, "a:1")
        for level in ("EVENTCONFIG", "EVENTS"):
            environ = {f"REGISTRY_NOTIFICATIONS_{level}_INCLUDEREFERENCES": "true"}
            self.assertTrue(self.config(MINIMAL, environ).notifications.events.includereferences)
        for level in ("MAILOPTIONS", "OPTIONS"):
            environ = {"REGISTRY_LOG_HOOKS_0_DISABLED": "true", f"REGISTRY_LOG_HOOKS_0_{level}_FROM": "a@b"}
            self.assertEqual(self.config(MINIMAL, environ).log.hooks[0].options.from_, "a@b")
        for key in ("TRUSTKEY", "SIGNINGKEYFILE"):
            environ = {f"REGISTRY_COMPATIBILITY_SCHEMA1_{key}": "/key"}
            self.assertEqual(self.config(MINIMAL, environ).compatibility.schema1.signingkeyfile, "/key")

    def test_redis_options_are_inlined(self) -> None:
        environ = {"REGISTRY_REDIS_ADDRS": "[a:1]", "REGISTRY_REDIS_DIALTIMEOUT": "10ms"}
        redis = self.config(MINIMAL, environ).redis
        self.assertEqual((redis.addrs, redis.dialtimeout), (("a:1",), 0.01))

    def test_unknown_part_is_a_warning(self) -> None:
        environ = {
            "REGISTRY_PORT": "tcp://10.0.0.1:5000",
            "REGISTRY_PORT_5000_TCP_ADDR": "10.0.0.1",
            "REGISTRY_": "a",
            "REGISTRY_HTTP_": "a",
            "REGISTRY_HTTP_addr": ":1",
            "REGISTRY_STORAGE_": "a",
        }
        warnings = self.warnings(MINIMAL, environ)
        self.assertEqual(set(warnings), set(environ))
        self.assertEqual(warnings["REGISTRY_PORT"], UNRECOGNIZED)

    def test_nearest_name(self) -> None:
        warnings = self.warnings(MINIMAL, {"REGISTRY_HTTP_TSL_KEY": "a", "REGISTRY_LOG_LEVLE": "warn"})
        self.assertIn("did you mean REGISTRY_HTTP_TLS_KEY?", warnings["REGISTRY_HTTP_TSL_KEY"])
        self.assertIn("did you mean REGISTRY_LOG_LEVEL?", warnings["REGISTRY_LOG_LEVLE"])

    def test_parts_below_a_value(self) -> None:
        environ = {"REGISTRY_HTTP_ADDR_PORT": "1", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY_X": "1"}
        loaded = self.load(FILESYSTEM, environ)
        self.assertEqual([warning.message for warning in loaded.warnings], [UNRECOGNIZED] * 2)
        self.assertEqual(loaded.config, self.config(FILESYSTEM))

    def test_whole_section(self) -> None:
        text = MINIMAL + "log: {level: debug, fields: {a: b}}"
        log = self.config(text, {"REGISTRY_LOG": "{reportcaller: true}"}).log
        self.assertEqual((log.level, log.fields, log.reportcaller), ("info", {}, True))

    def test_old_name_of_the_level(self) -> None:
        self.assertEqual(self.load(MINIMAL, {"REGISTRY_LOGLEVEL": "debug"}).config.log.level, "debug")
        message = self.faults(MINIMAL, {"REGISTRY_LOGLEVEL": "loud"})["log.level"]
        self.assertIn("parsing environment variable REGISTRY_LOGLEVEL:", message)


class MapTests(LoadingTestCase):
    """Rule 3: levels of free keys."""

    def test_last_part_is_lower_cased(self) -> None:
        headers = self.config(MINIMAL, {"REGISTRY_HTTP_HEADERS_X-Foo": "[bar]"}).http.headers
        self.assertEqual(headers, {"x-foo": ["bar"]})
        text = MINIMAL + "http: {headers: {X-Foo: [a]}}"
        headers = self.config(text, {"REGISTRY_HTTP_HEADERS_X-FOO": "[b]"}).http.headers
        self.assertEqual(headers, {"X-Foo": ["a"], "x-foo": ["b"]})

    def test_existing_key_in_any_case_on_the_way(self) -> None:
        text = MINIMAL + "http: {headers: {X-Foo: [a]}}"
        headers = self.config(text, {"REGISTRY_HTTP_HEADERS_X-FOO_1": "b"}).http.headers
        self.assertEqual(headers, {"X-Foo": ["a", "b"]})

    def test_null_on_the_way_is_made_anew(self) -> None:
        text = MINIMAL + "log: {fields: {Site: null, b: c}}"
        fields = self.config(text, {"REGISTRY_LOG_FIELDS_SITE_CITY": "Bonn"}).log.fields
        self.assertEqual(fields, {"Site": None, "b": "c", "site": {"city": "Bonn"}})

    def test_drivers_parameters(self) -> None:
        storage = self.config(FILESYSTEM, {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/new"}).storage
        self.assertEqual(storage.parameters, {"rootdirectory": "/new", "maxthreads": 50})

    def test_middleware(self) -> None:
        environ = {
            "REGISTRY_MIDDLEWARE_STORAGE_0_DISABLED": "true",
            "REGISTRY_MIDDLEWARE_STORAGE_0_OPTIONS_A": "1",
        }
        (middleware,) = self.config(MINIMAL, environ).middleware.storage
        self.assertEqual((middleware.disabled, middleware.options), (True, {"a": 1}))


class ListTests(LoadingTestCase):
    """Rule 4: indexes, mended for scalars."""

    ENDPOINTS = MINIMAL + "notifications: {endpoints: [{name: a, disabled: true}]}\n"

    def test_index_of_an_element(self) -> None:
        (endpoint,) = self.config(
            self.ENDPOINTS, {"REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL": "http://a"}
        ).notifications.endpoints
        self.assertEqual((endpoint.name, endpoint.url), ("a", "http://a"))

    def test_index_at_the_end_appends(self) -> None:
        endpoints = self.load(
            self.ENDPOINTS, {"REGISTRY_NOTIFICATIONS_ENDPOINTS_1_URL": "http://b"}
        ).config.notifications
        self.assertEqual([endpoint.url for endpoint in endpoints.endpoints], ["", "http://b"])

    def test_index_beyond_is_a_fault(self) -> None:
        for part in ("2", "9" * 5000):
            faults = self.faults(self.ENDPOINTS, {f"REGISTRY_NOTIFICATIONS_ENDPOINTS_{part}_URL": "x"})
            message = faults["notifications.endpoints"]
            self.assertIn(f"ENDPOINTS_{part}_URL: undefined index: {part}", message)

    def test_no_number_is_a_fault(self) -> None:
        for part in ("FIRST", "-1", "+0", "", "\u0661"):
            faults = self.faults(self.ENDPOINTS, {f"REGISTRY_NOTIFICATIONS_ENDPOINTS_{part}_URL": "x"})
            self.assertIn("non-numeric index", faults["notifications.endpoints"])

    def test_scalar_elements_take_the_value(self) -> None:
        environ = {
            "REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW_0": "^https://a/",
            "REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW_1": "^https://b/",
        }
        allow = self.config(MINIMAL, environ).validation.manifests.urls.allow
        self.assertEqual([pattern.pattern for pattern in allow], ["^https://a/", "^https://b/"])
        hosts = self.config(MINIMAL, {"REGISTRY_REDIS_ADDRS_0": "a:1"}).redis.addrs
        self.assertEqual(hosts, ("a:1",))

    def test_an_empty_expression_is_not_slipped_in(self) -> None:
        faults = self.faults(MINIMAL, {"REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW_0": ""})
        self.assertIn("not nothing", faults["validation.manifests.urls.allow[0]"])
        bad = self.faults(MINIMAL, {"REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW_0": "("})
        self.assertIn("ALLOW_0: '(' is not a regular", bad["validation.manifests.urls.allow[0]"])

    def test_struct_element_as_yaml(self) -> None:
        environ = {"REGISTRY_NOTIFICATIONS_ENDPOINTS_0": "{name: b, disabled: true}"}
        (endpoint,) = self.config(self.ENDPOINTS, environ).notifications.endpoints
        self.assertEqual(endpoint.name, "b")

    def test_whole_list_as_yaml(self) -> None:
        allow = self.config(MINIMAL, {"REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW": '["x"]'}).validation
        self.assertEqual(allow.manifests.urls.allow[0].pattern, "x")

    def test_no_list_there(self) -> None:
        environ = {"REGISTRY_NOTIFICATIONS_ENDPOINTS_0_URL": "x"}
        faults = self.faults(MINIMAL + "notifications: {endpoints: 5}", environ)
        self.assertEqual(list(faults), ["notifications.endpoints"])

    def test_parts_below_a_scalar_element(self) -> None:
        self.assertEqual(
            self.warnings(MINIMAL, {"REGISTRY_REDIS_ADDRS_0_HOST": "x"}),
            {"REGISTRY_REDIS_ADDRS_0_HOST": UNRECOGNIZED},
        )


class ValueTests(LoadingTestCase):
    """Rule 5: the value is YAML of the key's type."""

    def test_types(self) -> None:
        environ = {
            "REGISTRY_HTTP_RELATIVEURLS": "on",
            "REGISTRY_HTTP_DRAINTIMEOUT": "10s",
            "REGISTRY_HTTP_HEADERS": "{A: [b, c]}",
            "REGISTRY_HTTP_WORKERS": "2",
            "REGISTRY_HTTP_SECRET": "0123",
            "REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_AGE": "1000000000",
        }
        config = self.config(MINIMAL, environ)
        self.assertTrue(config.http.relativeurls)
        self.assertEqual((config.http.draintimeout, config.http.workers), (10.0, 2))
        self.assertEqual((config.http.headers, config.http.secret), ({"A": ["b", "c"]}, "0123"))
        self.assertEqual(config.storage.maintenance.uploadpurging.age, 1.0)

    def test_whole_sections(self) -> None:
        environ = {
            "REGISTRY_STORAGE_MAINTENANCE": "{readonly: {enabled: true}}",
            "REGISTRY_NOTIFICATIONS_ENDPOINTS": "[{name: a, disabled: true}]",
        }
        config = self.config(MINIMAL, environ)
        self.assertTrue(config.storage.maintenance.readonly.enabled)
        self.assertEqual(config.notifications.endpoints[0].name, "a")

    def test_empty_is_the_default(self) -> None:
        self.assertEqual(self.config(MINIMAL + "http: {addr: ':1'}", {"REGISTRY_HTTP_ADDR": ""}).http.addr, ":5000")

    def test_type_error(self) -> None:
        faults = self.faults(MINIMAL, {"REGISTRY_HTTP_WORKERS": "many", "REGISTRY_CATALOG": "5"})
        self.assertEqual(
            faults["http.workers"],
            "parsing environment variable REGISTRY_HTTP_WORKERS: expected an integer, not 'many'",
        )
        self.assertIn("REGISTRY_CATALOG", faults["catalog"])

    def test_fault_inside_a_section(self) -> None:
        faults = self.faults(MINIMAL, {"REGISTRY_HTTP": "{workers: 0}"})
        self.assertIn("parsing environment variable REGISTRY_HTTP:", faults["http.workers"])

    def test_nearest_variable_is_blamed(self) -> None:
        faults = self.faults(MINIMAL, {"REGISTRY_HTTP": "{net: tcp}", "REGISTRY_HTTP_WORKERS": "0"})
        self.assertIn("REGISTRY_HTTP_WORKERS:", faults["http.workers"])

    def test_no_yaml(self) -> None:
        message = self.faults(MINIMAL, {"REGISTRY_HTTP_HEADERS": "[a"})["http.headers"]
        self.assertIn("parsing environment variable REGISTRY_HTTP_HEADERS: line ", message)


class ScalarSectionTests(LoadingTestCase):
    """Rule 6: a scalar replaces a section of a driver."""

    def test_replaces(self) -> None:
        storage = self.config(FILESYSTEM, {"REGISTRY_STORAGE": "inmemory"}).storage
        self.assertEqual(storage, Storage(driver="inmemory"))

    def test_is_filled_afterwards(self) -> None:
        environ = {"REGISTRY_STORAGE": "filesystem", "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/a"}
        storage = self.config(MINIMAL, environ).storage
        self.assertEqual((storage.driver, storage.parameters), ("filesystem", {"rootdirectory": "/a"}))

    def test_scalar_of_the_file_is_filled(self) -> None:
        environ = {"REGISTRY_STORAGE_DELETE_ENABLED": "true"}
        storage = self.config(MINIMAL, environ).storage
        self.assertEqual((storage.driver, storage.delete.enabled), ("inmemory", True))

    def test_two_drivers(self) -> None:
        message = self.faults(MINIMAL, {"REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY": "/a"})["storage"]
        self.assertIn("multiple storage drivers", message)
        self.assertIn("filesystem, inmemory", message)
        self.assertIn("set in part by REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", message)

    def test_auth(self) -> None:
        auth = self.config(MINIMAL, {"REGISTRY_AUTH": "silly", "REGISTRY_AUTH_SILLY_REALM": "r"}).auth
        self.assertEqual((auth.driver, auth.parameters), ("silly", {"realm": "r"}))

    def test_two_controllers(self) -> None:
        environ = {"REGISTRY_AUTH_SILLY_REALM": "r", "REGISTRY_AUTH_TOKEN_REALM": "r"}
        message = self.faults(MINIMAL, environ)["auth"]
        self.assertIn("multiple auth drivers specified in configuration or environment: silly, token", message)
        self.assertIn("list them under auth.controllers", message)


class PointerTests(LoadingTestCase):
    """Rule 7: what is not there is made; a key with an underscore is out of reach."""

    def test_made(self) -> None:
        environ = {"REGISTRY_PROXY_TTL": "1h", "REGISTRY_PROXY_EXEC_LIFETIME": "0"}
        proxy = self.config(MINIMAL, environ).proxy
        assert proxy.exec is not None
        self.assertEqual((proxy.ttl, proxy.exec.lifetime), (3600.0, 0.0))

    def test_underscores(self) -> None:
        text = "version: 0.1\nstorage: {azure: {max_retries: 1}}"
        parameters = self.config(text, {"REGISTRY_STORAGE_AZURE_MAX_RETRIES": "5"}).storage.parameters
        self.assertEqual(parameters, {"max_retries": 1, "max": {"retries": 5}})
        parameters = self.config(text, {"REGISTRY_STORAGE_AZURE": "{max_retries: 5}"}).storage.parameters
        self.assertEqual(parameters, {"max_retries": 5})


class NestedMapTests(LoadingTestCase):
    """Rule 8, mended: paths go on into nested mappings of the file."""

    def test_with_and_without_the_section_in_the_file(self) -> None:
        environ = {"REGISTRY_STORAGE_MAINTENANCE_READONLY_ENABLED": "true"}
        for maintenance in ("{readonly: {enabled: false}}", "{readonly: }", "{}", ""):
            text = f"version: 0.1\nstorage: {{inmemory: , maintenance: {maintenance}}}"
            self.assertTrue(self.config(text, environ).storage.maintenance.readonly.enabled)

    def test_neighbours_are_kept(self) -> None:
        text = "version: 0.1\nstorage: {inmemory: , maintenance: {uploadpurging: {age: 1h}}}"
        environ = {"REGISTRY_STORAGE_MAINTENANCE_UPLOADPURGING_ENABLED": "false"}
        purging = self.config(text, environ).storage.maintenance.uploadpurging
        self.assertEqual((purging.enabled, purging.age), (False, 3600.0))

    def test_untyped(self) -> None:
        text = "version: 0.1\nstorage: {gcs: {credentials: {type: a}, list: [{a: 1}]}}"
        environ = {
            "REGISTRY_STORAGE_GCS_CREDENTIALS_TYPE": "b",
            "REGISTRY_STORAGE_GCS_LIST_0_A": "2",
            "REGISTRY_STORAGE_GCS_LIST_1": "c",
        }
        parameters = self.config(text, environ).storage.parameters
        self.assertEqual(parameters, {"credentials": {"type": "b"}, "list": [{"a": 2}, "c"]})

    def test_misspelt_below_storage(self) -> None:
        warnings = self.warnings(MINIMAL, {"REGISTRY_STORAGE_DELETE_ENABLE": "true"})
        self.assertIn("did you mean REGISTRY_STORAGE_DELETE_ENABLED?", warnings["REGISTRY_STORAGE_DELETE_ENABLE"])

    def test_bound_of_depth(self) -> None:
        name = "REGISTRY_LOG_FIELDS" + "_A" * 10_000
        self.assertIn("levels deep", self.warnings(MINIMAL, {name: "x"})[name])


class VersionTests(LoadingTestCase):
    """Rule 9: the version is the file's."""

    def test_ignored_with_a_warning(self) -> None:
        loaded = self.load(MINIMAL, {"REGISTRY_VERSION": "0.2", "REGISTRY_VERSION_X": "1"})
        self.assertEqual([warning.path for warning in loaded.warnings], ["REGISTRY_VERSION", "REGISTRY_VERSION_X"])
        self.assertIn("cannot be set", loaded.warnings[0].message)
        self.assertEqual(loaded.config, Configuration(storage=Storage(driver="inmemory")))
        self.assertIn("missing", self.faults("storage: inmemory", {"REGISTRY_VERSION": "0.1"})["version"])
