"""Tests of :mod:`dregistry.reference`. The grammar is distribution-spec's, "Pulling manifests"."""

from __future__ import annotations

import re
from time import perf_counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.errors import DigestInvalid, NameInvalid, TagInvalid
from dregistry.reference import NAME_LIMIT, parse_name, parse_reference, parse_tag

NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
"""As the specification has them, letter by letter."""

DIGEST = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


class NameTests(SynchronousTestCase):
    def test_accepted(self) -> None:
        for name in (
            "a",
            "0",
            "library/alpine",
            "library/hello-world",
            "a/b/c/d/e/f",
            "foo.com/bar/baz",
            "a.b_c__d-e---f",
            "xn--7o8h.com/myimage",
            "aa/asdf$$^/aa".replace("$$^", ""),
            "0/0",
            "a-----------b",
        ):
            self.assertEqual(parse_name(name), name)

    def test_refused(self) -> None:
        for name in (
            "",
            "/",
            "a/",
            "/a",
            "a//b",
            "A",
            "a/B",
            ".a",
            "a.",
            "-a",
            "a-",
            "_a",
            "a_",
            "a..b",
            "a___b",
            "a.-b",
            "a._b",
            "a/_layers",
            "a/.",
            "a/..",
            "../a",
            "a/../b",
            "a b",
            "a\n",
            "a\x00",
            "a:b",
            "a@b",
            "a%2Fb",
            "a\\b",
            "\u00e4",
            "\u0661",
            "\uff41",
            "\ud800",
            "aa/asdf$$^/aa",
        ):
            error = self.assertRaises(NameInvalid, parse_name, name)
            (error.reason or "").encode()

    def test_length(self) -> None:
        for name in ("a" * 255, "/".join(["a"] * 128), "a" + "-" * 253 + "b"):
            self.assertEqual(len(name), NAME_LIMIT)
            self.assertEqual(parse_name(name), name)
            error = self.assertRaises(NameInvalid, parse_name, name + "a")
            self.assertIn("256", error.reason or "")

    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.from_regex(NAME, fullmatch=True))
    def test_grammar(self, name: str) -> None:
        if len(name) <= NAME_LIMIT:
            self.assertEqual(parse_name(name), name)
        else:
            self.assertRaises(NameInvalid, parse_name, name)

    @given(st.one_of(st.text(), st.text("ab0._-/A", max_size=300)))
    def test_any_text(self, text: str) -> None:
        try:
            self.assertEqual(parse_name(text), text)
        except NameInvalid as error:
            self.assertTrue(NAME.fullmatch(text) is None or len(text) > NAME_LIMIT)
            self.assertLess(len(error.reason or ""), 4000)
        else:
            self.assertTrue(NAME.fullmatch(text))

    def test_it_takes_no_time(self) -> None:
        """Whatever makes expressions go back and forth."""
        start = perf_counter()
        for unit in ("a", "a-", "-", "a_", "_", "a/", "a.", "a__", "a/a-", "/"):
            for length in (254, 255, 1_000_000):
                text = (unit * length)[: length - 1] + "!"
                self.assertRaises(NameInvalid, parse_name, text)
        self.assertLess(perf_counter() - start, 2)


class TagTests(SynchronousTestCase):
    def test_accepted(self) -> None:
        for tag in ("latest", "_", "0", "V1.2.3-rc_1", "__-..", "a" * 128, "_" + "-" * 127):
            self.assertEqual(parse_tag(tag), tag)

    def test_refused(self) -> None:
        for tag in (
            "",
            ".a",
            "-a",
            "a/b",
            "a:b",
            "a b",
            "a\n",
            "\u00e4",
            "\u0661",
            "a" * 129,
            ".",
            "..",
            "a+b",
            "\ud800",
        ):
            error = self.assertRaises(TagInvalid, parse_tag, tag)
            (error.reason or "").encode()

    @given(st.one_of(st.text(), st.from_regex(TAG, fullmatch=True), st.text("aA0._-:", max_size=140)))
    def test_any_text(self, text: str) -> None:
        if TAG.fullmatch(text):
            self.assertEqual(parse_tag(text), text)
        else:
            error = self.assertRaises(TagInvalid, parse_tag, text)
            self.assertLess(len(error.reason or ""), 4000)


class ReferenceTests(SynchronousTestCase):
    def test_tags_and_digests(self) -> None:
        self.assertEqual(parse_reference("latest"), "latest")
        self.assertEqual(parse_reference(DIGEST), Digest.parse(DIGEST))
        self.assertEqual(parse_reference(DIGEST[7:]), DIGEST[7:])

    def test_refused(self) -> None:
        for text in (":", "sha256:", "a:b", DIGEST.upper(), DIGEST + "0", "latest:"):
            self.assertRaises(DigestInvalid, parse_reference, text)
        for text in ("", "-", "a/b", DIGEST.replace(":", "@")):
            self.assertRaises(TagInvalid, parse_reference, text)

    @given(st.one_of(st.text(), st.text("aA0._-:", max_size=140)))
    def test_any_text(self, text: str) -> None:
        try:
            self.assertEqual(str(parse_reference(text)), text)
        except DigestInvalid:
            self.assertIn(":", text)
        except TagInvalid:
            self.assertNotIn(":", text)
