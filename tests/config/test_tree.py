"""YAML itself: syntax, duplicates, aliases, and texts made to do harm."""

from unittest import mock

import yaml

from dregistry.config import _tree
from tests.config._loading import MINIMAL, LoadingTestCase


class SyntaxTests(LoadingTestCase):
    """A text that is no YAML, or not this kind."""

    def test_place_of_a_syntax_error(self) -> None:
        faults = self.faults("version: 0.1\nlog: level: debug\n")
        self.assertEqual(list(faults), ["line 2, column 11"])
        self.assertIn("mapping values are not allowed", faults["line 2, column 11"])

    def test_characters(self) -> None:
        self.assertIn("U+0001", self.faults("a: b\nc: \x01")["line 2, column 4"])
        self.assertIn("U+DC80", self.faults("\udc80")["line 1, column 1"])

    def test_no_mapping(self) -> None:
        for text, found in {"": "nothing", "# a": "nothing", "a": "'a'", "- a": "a list"}.items():
            self.assertIn(f"not {found}", self.faults(text)["line 1"])

    def test_two_documents(self) -> None:
        self.assertIn("second document", self.faults(MINIMAL + "---\na: b")["line 3, column 1"])

    def test_tags(self) -> None:
        for value in ("!!python/name:os.system a", "!!binary YQ==", "!x {a: b}", "!!set {a}"):
            (message,) = self.faults(MINIMAL + f"log: {value}").values()
            self.assertIn("not supported", message)
        self.assertEqual(self.config(MINIMAL + "http: {secret: !!str 1, addr: ! ':1'}").http.secret, "1")

    def test_keys(self) -> None:
        for text in ("? [a]\n: b", "? {a: b}\n: c", "a: &x [b]\n*x : c"):
            (message,) = self.faults(text).values()
            self.assertIn("a key must be a single value", message)
        fields = self.config(MINIMAL + "log: {fields: {1: a, true: b}}").log.fields
        self.assertEqual(fields, {"1": "a", "true": "b"})

    def test_what_only_looks_like_a_number(self) -> None:
        fields = self.config(MINIMAL + "log: {fields: {a: 0b_, b: 2001-99-99, c: " + "1" * 5000 + ", d: =}}").log.fields
        self.assertEqual((fields["a"], fields["b"], fields["d"]), ("0b_", "2001-99-99", "="))

    def test_other_errors_of_the_parser(self) -> None:
        with mock.patch.object(_tree, "_Loader") as loader:
            loader.return_value.check_event.side_effect = yaml.YAMLError("broken\nbadly")
            self.assertEqual(self.faults("a: b"), {"line 1": "broken badly"})
            loader.return_value.check_event.side_effect = yaml.MarkedYAMLError(problem="odd")
            self.assertEqual(self.faults("a: b"), {"line 1": "odd"})

    def test_without_the_c_loader(self) -> None:
        self.patch(_tree, "_Loader", yaml.SafeLoader)
        self.assertEqual(self.config(MINIMAL + "log: {level: warn}").log.level, "warn")


class DuplicateTests(LoadingTestCase):
    """A key given twice is a fault, with path and lines."""

    def test_path_and_lines(self) -> None:
        text = (
            MINIMAL
            + "http:\n  addr: a\n  net: tcp\n  addr: b\n"
            + "notifications:\n  endpoints:\n  - {}\n  - {url: a, url: b}"
        )
        faults = self.faults(text)
        self.assertEqual(faults["http.addr"], "given twice, at line 4 and at line 6")
        self.assertIn("notifications.endpoints[1].url", faults)

    def test_other_faults_beside(self) -> None:
        self.assertEqual(sorted(self.faults("a: 1\na: 2\nhttp: 5")), ["a", "http", "storage", "version"])

    def test_before_a_syntax_error(self) -> None:
        self.assertEqual(len(self.faults("a: 1\na: 2\n[")), 2)

    def test_merge_is_no_duplicate(self) -> None:
        text = MINIMAL + "log:\n  fields: {<<: [{a: 1, b: 2}, {a: 3}], b: 4}"
        self.assertEqual(self.config(text).log.fields, {"a": 1, "b": 4})

    def test_merge_of_something_else(self) -> None:
        (message,) = self.faults(MINIMAL + "log: {<<: 5}").values()
        self.assertIn("<< takes a mapping", message)


class AliasTests(LoadingTestCase):
    """Aliases are copies, within bounds."""

    def test_copies(self) -> None:
        text = MINIMAL + "catalog: &c {maxentries: 5}\nhttp: {headers: {a: &l [x], b: *l}}\nlog: {fields: *c}"
        config = self.config(text, {"REGISTRY_HTTP_HEADERS_B_0": "y"})
        self.assertEqual(config.http.headers, {"a": ["x"], "b": ["y"]})
        self.assertEqual(config.log.fields, {"maxentries": 5})

    def test_scalars(self) -> None:
        self.assertEqual(self.config(MINIMAL + "log: {fields: {a: &s 5, *s : *s}}").log.fields, {"a": 5, "5": 5})

    def test_unknown(self) -> None:
        (message,) = self.faults("a: *b").values()
        self.assertIn("no anchor &b", message)

    def test_cycle(self) -> None:
        (message,) = self.faults("a: &a [*a]").values()
        self.assertIn("contains itself", message)

    def test_bomb(self) -> None:
        lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 20)]
        (message,) = self.faults("\n".join(lines)).values()
        self.assertIn("more than 100000 values", message)

    def test_merge_bomb(self) -> None:
        """Merging keeps no copies, so this one is small; it must also be quick."""
        lines = ["a0: &a0 {x: y}"] + [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 20)]
        self.assertEqual(sorted(self.faults("\n".join(lines))), ["storage", "version"])


class DepthTests(LoadingTestCase):
    """Nesting meets a bound, however it is made."""

    def test_flow_and_block(self) -> None:
        for text in ("[" * 100_000, "{a: " * 100_000, "- " * 100_000, "[" * 40 + "]" * 40):
            (message,) = self.faults("a:\n  " + text).values()
            self.assertTrue("deep" in message or "depth" in message, message)

    def test_by_the_python_loader(self) -> None:
        self.patch(_tree, "_Loader", yaml.SafeLoader)
        (message,) = self.faults("a: " + "[" * 2000).values()
        self.assertIn("deep", message)

    def test_by_aliases(self) -> None:
        text = "a0: &a0 [x]\n" + "\n".join(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100))
        (message,) = self.faults(text).values()
        self.assertIn("deep", message)

    def test_many_values(self) -> None:
        (message,) = self.faults("a: [" + "1," * 200_000 + "]").values()
        self.assertIn("more than 100000 values", message)

    def test_long_text(self) -> None:
        self.assertIn("longer than", self.faults("#" * (5 * 1024 * 1024))["line 1"])
