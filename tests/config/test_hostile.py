"""Whatever text and environment hold, only :class:`ConfigError` is raised, and what loads can be shown."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dregistry.config import ConfigError, Configuration, load, render
from dregistry.config._field import DriverSection
from dregistry.config._shape import keys_of, section_class
from tests.config._loading import MINIMAL, LoadingTestCase
from tests.config.test_load import REGISTRY_3


def _names(section: type) -> set[str]:
    names = set()
    for key in keys_of(section).values():
        names |= {key.name, key.go}
        below = section_class(key.type)
        names |= _names(below) if below is not None else set()
    return names


NAMES = sorted(_names(Configuration))
WORDS = st.sampled_from([*NAMES, "filesystem", "inmemory", "s3", "0", "1", "2", "x-a", "", "<<"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["10s", "(", "tcp"]),
)
TREES = st.recursive(SCALARS, lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(WORDS, below)))
YAML = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="ab:- \n[]{},&*!<#'\"|>?%@`\t01.", max_size=60),
    TREES.map(repr),
)
PARTS = st.lists(st.one_of(WORDS.map(str.upper), st.text(max_size=5)), min_size=1, max_size=6)
ENVIRONMENTS = st.dictionaries(PARTS.map(lambda parts: "REGISTRY_" + "_".join(parts)), YAML, max_size=6)


class HostileTests(LoadingTestCase):
    """:func:`load` under anything."""

    def attempt(self, text: str, environ: dict[str, str]) -> None:
        try:
            loaded = load(text, source="hostile", environ=environ)
        except ConfigError as error:
            self.assertTrue(error.problems)
            self.assertEqual(len(str(error).split("\n")), len(error.problems) + 1)
            return
        render(loaded.config)
        for warning in loaded.warnings:
            self.assertTrue(str(warning).isprintable())

    @settings(max_examples=300, deadline=None)
    @given(YAML)
    @example("a: &a {<<: *a}")
    @example("? \n: ")
    def test_any_text(self, text: str) -> None:
        self.attempt(text, {})
        self.attempt(MINIMAL + text, {})

    @settings(max_examples=300, deadline=None)
    @given(TREES)
    def test_any_tree(self, tree: object) -> None:
        self.attempt(repr({"version": 0.1, "storage": "inmemory", "http": tree, "log": tree, "auth": tree}), {})
        self.attempt(repr({"version": 0.1, "storage": tree, "validation": tree, "middleware": tree}), {})

    @settings(max_examples=500, deadline=None)
    @given(ENVIRONMENTS)
    @example({"REGISTRY_HTTP_ADDR": "\udc80", "REGISTRY_\udc80": "", "REGISTRY_A\nB": "x"})
    def test_any_environment(self, environ: dict[str, str]) -> None:
        self.attempt(REGISTRY_3, environ)
        self.attempt(MINIMAL, environ)

    def test_every_section_is_reached(self) -> None:
        """The strategy knows the names it needs."""
        self.assertIn("HTTPCheckers", NAMES)
        self.assertNotIn("parameters", NAMES)
        self.assertTrue(issubclass(type(Configuration().storage), DriverSection))
