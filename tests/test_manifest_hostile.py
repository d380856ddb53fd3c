"""Tests of :mod:`dregistry.manifest`: whatever comes, it is read or it is :exc:`ManifestInvalid`, and soon."""

from __future__ import annotations

import json
from time import perf_counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.errors import ManifestInvalid
from dregistry.manifest import SUPPORTED_TYPES, parse_manifest

from .test_manifest import descriptor, index, manifest

LIMIT = 4 << 20
"""Bytes of a manifest that get as far as the parser."""

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(sorted(SUPPORTED_TYPES))
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)
content_types = st.none() | st.text() | st.sampled_from(sorted(SUPPORTED_TYPES))


@st.composite
def nearly_manifests(draw: st.DrawFn) -> Any:
    """Some member, at some depth, is something else."""
    document = draw(st.sampled_from([manifest(subject=descriptor("f")), index()]))
    document = json.loads(json.dumps(document))
    place: Any = document
    while True:
        key = draw(st.sampled_from(sorted(place)) if isinstance(place, dict) else st.integers(0, len(place) - 1))
        if not (isinstance(place[key], (dict, list)) and place[key] and draw(st.booleans())):
            place[key] = draw(values)
            return document
        place = place[key]


class AnythingTests(SynchronousTestCase):
    def check(self, content: bytes, content_type: str | None) -> None:
        try:
            found = parse_manifest(content, content_type)
        except ManifestInvalid as error:
            self.assertTrue(error.reason)
            self.assertLess(len(error.reason or ""), 2000)
            (error.reason or "").encode()
        else:
            self.assertEqual(found.content, content)
            self.assertIn(found.media_type, SUPPORTED_TYPES)
            for member in (found.artifact_type, *found.annotations.values()):
                member.encode()
            for each in found.references:
                json.dumps(dict(each.platform), allow_nan=False)
                frozenset((each.platform.get("os"), each.platform.get("architecture")))
                each.media_type.encode()

    @given(st.binary(), content_types)
    def test_any_bytes(self, content: bytes, content_type: str | None) -> None:
        self.check(content, content_type)

    @given(values, content_types)
    def test_any_value(self, document: Any, content_type: str | None) -> None:
        self.check(json.dumps(document).encode(), content_type)

    @given(nearly_manifests(), content_types)
    def test_any_member(self, document: Any, content_type: str | None) -> None:
        self.check(json.dumps(document).encode(), content_type)

    @given(st.sampled_from([manifest(), index()]), st.data())
    def test_any_damage(self, document: Any, data: st.DataObject) -> None:
        content = bytearray(json.dumps(document).encode())
        start = data.draw(st.integers(0, len(content)))
        content[start : start + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
        self.check(bytes(content), None)


class HostileTests(SynchronousTestCase):
    def refused(self, words: str, content: bytes) -> None:
        start = perf_counter()
        error = self.assertRaises(ManifestInvalid, parse_manifest, content, None)
        self.assertIn(words, error.reason or "")
        self.assertLess(len(error.reason or ""), 2000)
        self.assertLess(perf_counter() - start, 5)

    def spoiled(self, member: str, text: bytes) -> bytes:
        """A manifest with a member of that JSON."""
        return json.dumps({**manifest(), member: "@"}).encode().replace(b'"@"', text)

    def test_deep(self) -> None:
        for content in (
            b"[" * LIMIT,
            b'{"a":' * (LIMIT // 5),
            b"[" * (LIMIT // 2) + b"]" * (LIMIT // 2),
            self.spoiled("annotations", b"[" * 100_000 + b"]" * 100_000),
        ):
            self.refused("nested too deeply", content)

    def test_deep_where_it_is_kept(self) -> None:
        """What is handed on is never so deep that it cannot be written again."""
        deep: Any = []
        for _ in range(500):
            deep = [deep]
        found = parse_manifest(json.dumps(index(manifests=[descriptor(platform={"x": deep})])).encode(), None)
        self.assertEqual(found.manifests[0].platform, {})

    def test_not_json(self) -> None:
        for content in (b"", b" ", b"{", b"{}{}", b"{}\x00", b"\x00", b"{'a':1}", b"{a:1}", b'{"a":1,}', b'{"a":01}'):
            self.refused("not JSON", content)
        for constant in (b"NaN", b"Infinity", b"-Infinity"):
            self.refused("not JSON", self.spoiled("x", constant))
        self.refused("not JSON", self.spoiled("x", b'"a\nb"'))
        for content in (b"null", b"1", b'"x"', b"[]", b"true"):
            self.refused("a manifest is a JSON object", content)

    def test_encodings(self) -> None:
        text = json.dumps(manifest())
        for encoding in ("utf-16", "utf-32"):
            self.refused("not UTF-8", text.encode(encoding))
        for encoding in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8-sig"):
            self.refused("not JSON", text.encode(encoding))
        for octets in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"):
            self.refused("not UTF-8", self.spoiled("x", b'"' + octets + b'"'))

    def test_surrogates(self) -> None:
        for half in (rb"\ud800", rb"\uDFFF", rb"\udc00\ud800", rb"\ud83dx"):
            for member in ("x", "artifactType"):
                self.refused("surrogate", self.spoiled(member, b'"' + half + b'"'))
            self.refused("surrogate", self.spoiled("annotations", b'{"' + half + b'": "x"}'))
        for text, expected in ((rb"\ud83d\ude00", "\U0001f600"), (rb"\\ud800", r"\ud800"), (rb"\u0000", "\0")):
            content = self.spoiled("annotations", b'{"a": "' + text + b'"}')
            self.assertEqual(parse_manifest(content, None).annotations, {"a": expected})

    def test_numbers(self) -> None:
        self.refused("too many digits", self.spoiled("x", b"9" * LIMIT))
        self.refused("config.size", json.dumps(manifest()).encode().replace(b'"size": 7', b'"size": 1e999'))
        self.refused("config.size", json.dumps(manifest()).encode().replace(b'"size": 7', b'"size": 7.0'))
        for harmless in (b"1e999999999", b"0." + b"9" * LIMIT, b"9" * LIMIT + b".5", b"-0", b"9" * 4000):
            self.assertEqual(len(parse_manifest(self.spoiled("x", harmless), None).blobs), 3)

    def test_members_that_stand_twice(self) -> None:
        """One reader takes the first, the other one the last."""
        for twice in (b'{"a": "1", "a": "2"}', b'{"a": "1", "\\u0061": "1"}'):
            self.refused("'a' stands twice", self.spoiled("annotations", twice))
        content = json.dumps(manifest()).encode()
        self.refused("'config' stands twice", content[:-1] + b', "config": {}}')
        self.refused("'schemaVersion' stands twice", content[:-1] + b', "schemaVersion": 2}')
        many = b",".join(b'"%d": ""' % number for number in range(200_000))
        self.refused("'0' stands twice", self.spoiled("annotations", b"{" + many + b', "0": ""}'))

    def test_much_of_everything(self) -> None:
        start = perf_counter()
        for unit, count in ((b"{}", LIMIT // 3), (b"1", LIMIT // 2), (b'""', LIMIT // 3), (b"9" * 4000, LIMIT // 4001)):
            content = self.spoiled("x", b"[" + b",".join([unit] * count) + b"]")
            self.assertEqual(len(parse_manifest(content, None).blobs), 3)
        layers = json.dumps([descriptor()] * (LIMIT // 140)).encode()
        content = json.dumps(manifest(layers="@")).encode().replace(b'"@"', layers)
        self.assertEqual(len(parse_manifest(content, None).blobs), LIMIT // 140 + 1)
        self.assertLess(perf_counter() - start, 10)
