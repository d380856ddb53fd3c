"""Tests of :mod:`dregistry.maintenance._digests`."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.maintenance import _digests
from dregistry.maintenance._digests import DigestSet, key_of

HEX = "0123456789abcdef" * 4


class KeyTests(SynchronousTestCase):
    def test_sha256(self) -> None:
        self.assertEqual(key_of(f"sha256:{HEX}"), bytes.fromhex(HEX))

    def test_other_algorithms(self) -> None:
        found = {key_of(text) for text in (f"sha512:{HEX * 2}", f"sha384:{HEX}", f"sha512:{HEX}", f"a+b:{HEX}")}
        self.assertEqual({len(key or b"") for key in found}, {32})
        self.assertEqual(len(found), 4)

    def test_none(self) -> None:
        for text in (
            "",
            "sha256",
            "sha256:",
            HEX,
            f"sha256:{HEX[:-1]}",
            f"sha256:{HEX}0",
            f"sha256:{HEX.upper()}",
            f"sha256:{HEX[:-1]}g",
            f"sha256:{HEX[:-2]} 0",
            f"sha256:{HEX[:-1]}\n",
            f"sha256:{HEX[:-1]}ß",
            f"SHA256:{HEX}",
            f"sha512:{HEX}/{HEX}",
            "sha512:short",
            f"sha512:{HEX * 9}",
        ):
            self.assertIsNone(key_of(text), text)

    @given(st.text("0123456789abcdef AF\n", min_size=60, max_size=68))
    def test_is_strict(self, text: str) -> None:
        """Whatever ``bytes.fromhex`` takes."""
        strict = len(text) == 64 and set(text) <= set("0123456789abcdef")
        self.assertEqual(key_of(f"sha256:{text}") is not None, strict)


class SetTests(SynchronousTestCase):
    def use_table_beyond(self, few: int) -> None:
        self.patch(_digests, "_FEW", few)

    @given(st.lists(st.integers(0, 40)), st.lists(st.integers(0, 40)), st.sampled_from([4, 16, 64]))
    def test_like_a_set(self, added: list[int], asked: list[int], few: int) -> None:
        """0 is the key of zeros."""
        self.use_table_beyond(few)
        model: set[bytes] = set()
        found = DigestSet()
        for number in added:
            key = number.to_bytes(32, "big")
            self.assertEqual(found.add(key), key not in model)
            model.add(key)
        self.assertEqual(len(found), len(model))
        for number in (*added, *asked):
            key = number.to_bytes(32, "big")
            self.assertEqual(key in found, key in model)

    def test_many(self) -> None:
        self.use_table_beyond(1 << 10)
        found = DigestSet()
        keys = [hashlib.sha256(str(number).encode()).digest() for number in range(20_000)]
        for key in keys[::2]:
            self.assertTrue(found.add(key))
        self.assertEqual([key in found for key in keys], [True, False] * 10_000)
        self.assertFalse(any(found.add(key) for key in keys[::2]))
        self.assertEqual(len(found), 10_000)

    def test_memory(self) -> None:
        """An entry takes no more than three times its bytes, when the table has just grown."""
        self.use_table_beyond(1 << 10)
        found = DigestSet()
        for number in range(100_000):
            found.add(hashlib.sha256(str(number).encode()).digest())
            if number > 1 << 10:
                self.assertLess(len(found._table or b""), 32 * 3 * number)
