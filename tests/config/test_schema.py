"""The JSON Schema says of a file's shape what the reader says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from dregistry.auth.factories import HtpasswdFactory
from dregistry.cli.schema import installed
from dregistry.config import ConfigError, Configuration, Storage, json_schema, load, read_options
from dregistry.config._shape import item_type, keys_of, section_class
from dregistry.storage.factories import FilesystemFactory
from dregistry.storage.middleware.factories import RedirectFactory

from ..integration.test_stock_config import REGISTRY_2, REGISTRY_3
from ._loading import LoadingTestCase
from .test_sample import SAMPLE

MINIMAL = {"version": 0.1, "storage": "inmemory"}
DOCS = Path(__file__).parents[2] / "docs"


SCHEMA = json_schema(installed())
VALIDATOR = Draft202012Validator(SCHEMA)


def takes(document: object) -> bool:
    return bool(VALIDATOR.is_valid(document))


def examples() -> Iterator[tuple[str, Any]]:
    """Every configuration, or part of one, in the documentation."""
    for page in sorted(DOCS.rglob("*.md")):
        for text in re.findall(r"^```yaml\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            found = yaml.safe_load(text)
            if isinstance(found, dict) and set(found) & set(keys_of(Configuration)):
                yield f"{page.name}: {text}", found


class DocumentTests(LoadingTestCase):
    def assert_valid(self, document: object, what: object = None) -> None:
        errors = [f"{error.json_path}: {error.message[:200]}" for error in VALIDATOR.iter_errors(document)]
        self.assertEqual(errors, [], what)

    def test_schema(self) -> None:
        """It is one, also for those who read JSON."""
        Draft202012Validator.check_schema(SCHEMA)
        self.assertEqual(json.loads(json.dumps(SCHEMA)), SCHEMA)

    def test_sample(self) -> None:
        """As it is, and with every key."""
        text = SAMPLE.read_text(encoding="utf-8")
        self.assert_valid(yaml.safe_load(text))
        whole = yaml.safe_load(re.sub(r"^#(?! \S|$)", "", text, flags=re.MULTILINE))
        del whole["notifications"]["endpoints"][0]["options"]  # they are an example, of somebody's sink
        self.assert_valid(whole)

    def test_stock(self) -> None:
        self.assert_valid(REGISTRY_2)
        self.assert_valid(REGISTRY_3)

    def test_documentation(self) -> None:
        """Parts get what they miss, and drivers that are somebody else's are left out."""
        count = 0
        for text, document in examples():
            if any(theirs in text for theirs in ("sqlite", "dregistry_", "sink: lines", "dict:")):
                continue
            count += 1
            storage = document.get("storage")
            if isinstance(storage, dict) and not set(storage) - set(keys_of(Storage)):
                document["storage"] = {"inmemory": None, **storage}
            self.assert_valid({**MINIMAL, **document}, text)
        self.assertGreater(count, 3)

    def test_what_it_says(self) -> None:
        """Defaults, choices and descriptions are there for editors."""
        log = SCHEMA["properties"]["log"]["properties"]
        self.assertEqual(log["level"]["default"], "info")
        self.assertEqual(log["level"]["anyOf"][0], {"enum": ["error", "warn", "info", "debug"]})
        storage = SCHEMA["properties"]["storage"]["anyOf"][1]["properties"]
        self.assertEqual(storage["filesystem"]["properties"]["rootdirectory"]["default"], "/var/lib/registry")
        self.assertIn("docker", storage["filesystem"]["properties"]["rootdirectory"]["description"])
        self.assertEqual(storage["maintenance"]["properties"]["uploadpurging"]["properties"]["age"]["default"], "168h")
        self.assertTrue(SCHEMA["properties"]["loglevel"]["deprecated"])

    def test_every_key(self) -> None:
        missing = [
            "/".join(path)
            for path in PATHS
            if not takes(document_of(path, None)) and path not in {("version",), ("storage",)} and "[]" not in path
        ]
        self.assertEqual(missing, [])


def paths_of(type_: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Of all keys; ``[]`` is an item of a list."""
    if path:
        yield path
    section = section_class(type_)
    if section is not None:
        for name, key in keys_of(section).items():
            yield from paths_of(key.type, (*path, name))
    elif item_type(type_) is not None:
        yield from paths_of(item_type(type_), (*path, "[]"))


PATHS = list(paths_of(Configuration))


def document_of(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """A configuration with a value at that place."""
    for step in reversed(path):
        value = [value] if step == "[]" else {step: value}
    assert isinstance(value, dict)
    if isinstance(value.get("storage"), dict):
        value["storage"] = {"inmemory": None, **value["storage"]}
    return {**MINIMAL, **value}


SHAPE = re.compile(
    "expected |must be a mapping|must be a list|must be one of|.* is not a duration|must not be negative"
    "|must be at least|missing|no storage driver|multiple |is not the name of a header"
)
WORDS = (
    "",
    "x",
    "info",
    "INFO",
    "tcp",
    "all",
    "y",
    "10s",
    "1.5h",
    "-1s",
    "0",
    "10",
    "true",
    "redis",
    "pull",
    "v1",
    "/p/",
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.just(0.5), st.sampled_from(WORDS))
NAMES = st.sampled_from(["enabled", "name", "X-A", "a b", ""])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(NAMES, inner, max_size=2)),
    max_leaves=4,
)


class AgreementTests(LoadingTestCase):
    """With the reader, on whatever stands in whatever place."""

    def said(self, document: dict[str, Any]) -> tuple[list[str], bool]:
        """The reader's faults, and whether it has warnings."""
        try:
            loaded = load(json.dumps(document), source="test", environ={})
        except ConfigError as error:
            return [problem.message for problem in error.problems], True
        return [], bool(loaded.warnings)

    @settings(max_examples=1500, deadline=None)
    @given(st.sampled_from(PATHS), VALUES)
    @example(("http", "headers"), {"X-A": "a"})
    @example(("http", "draintimeout"), "10")
    @example(("storage",), None)
    def test_anything(self, path: tuple[str, ...], value: object) -> None:
        document = document_of(path, value)
        faults, warned = self.said(document)
        if any(SHAPE.match(fault) for fault in faults):
            self.assertFalse(takes(document), (document, faults))
        # the names and options of backends, and which of them exclude one another, are not what load() looks at
        if not faults and not warned and path[:2] not in (("middleware", "storage"), ("notifications", "endpoints")):
            self.assertTrue(takes(document) or path[0] in ("auth", "storage"), document)

    def test_refused(self) -> None:
        """By both."""
        for section in (
            {"version": 2},
            {"version": None},
            {"storage": {"delete": {"enabled": True}}},
            {"storage": {"inmemory": None, "filesystem": None}},
            {"storage": {"filesystem": ["a"]}},
            {"storage": []},
            {"auth": {"htpasswd": [], "silly": {}}},
            {"auth": ["htpasswd"]},
            {"http": "localhost:5000"},
            {"http": {"addr": ["localhost:5000"]}},
            {"http": {"headers": {"X-A": "value"}}},
            {"http": {"net": "udp"}},
            {"http": {"draintimeout": 1.5}},
            {"http": {"workers": 0}},
            {"log": {"level": "loud"}},
            {"log": {"accesslog": {"disabled": "no way"}}},
            {"notifications": {"endpoints": {"name": "a"}}},
            {"notifications": {"endpoints": [{"timeout": "soon"}]}},
            {"auth": {"policy": [{"actions": ["pull"]}]}},
            {"auth": {"policy": [{"repositories": ["a"], "actions": ["eat"]}]}},
            {"catalog": {"maxentries": "many"}},
        ):
            document = {**MINIMAL, **section}
            faults, _ = self.said(document)
            self.assertTrue(faults, document)
            self.assertFalse(takes(document), document)

    def test_unknown(self) -> None:
        """What only the log would tell is an error in the editor."""
        for section in ({"htpp": {}}, {"http": {"adr": ":1"}}, {"storage": {"inmemory": {"size": 1}}}):
            self.assertFalse(takes({**MINIMAL, **section}), section)


class BackendTests(LoadingTestCase):
    """Options are checked by the plugins that are installed."""

    def test_taken(self) -> None:
        for section in (
            {"storage": {"filesystem": {"maxthreads": 30}}},
            {"auth": {"silly": {"realm": "r", "service": 5}}},
            {"auth": "none"},
            {"auth": {"controllers": [{"htpasswd": {"realm": "r", "path": "p"}}], "tokenserver": {"keys": "k"}}},
            {"middleware": {"storage": [{"name": "rewrite"}, {"name": "other", "disabled": True}]}},
            {"middleware": {"storage": [{"name": "redirect", "options": {"baseurl": "https://a"}}]}},
            {"notifications": {"endpoints": [{"url": "https://a/"}, {"sink": "log"}, {"disabled": True, "sink": "x"}]}},
        ):
            self.assertTrue(takes({**MINIMAL, **section}), section)

    def test_refused(self) -> None:
        for section in (
            {"storage": "floppy"},
            {"storage": {"floppy": None}},
            {"storage": {"filesystem": {"maxthreads": "many"}}},
            {"auth": "silly"},
            {"auth": {"silly": None}},
            {"auth": {"controllers": [{"htpasswd": {"realm": "r"}}]}},
            {"auth": {"controllers": [{"silly": {"realm": "r", "service": "s"}, "htpasswd": {}}]}},
            {"auth": {"tokenserver": {}}},
            {"middleware": {"storage": [{}]}},
            {"middleware": {"storage": [{"name": "redirct"}]}},
            {"middleware": {"storage": [{"name": "redirect"}]}},
            {"middleware": {"storage": [{"name": "redirect", "options": {}}]}},
            {"notifications": {"endpoints": [{"sink": "pigeon"}]}},
        ):
            self.assertFalse(takes({**MINIMAL, **section}), section)

    def test_options_agree(self) -> None:
        """What reading the options refuses, too."""
        for factory, given_options in (
            (FilesystemFactory(), {"maxthreads": "many"}),
            (HtpasswdFactory(), {"realm": "r"}),
            (RedirectFactory(), {"baseurl": []}),
        ):
            self.assertRaises(ConfigError, read_options, given_options, factory.options, "x", "test")
