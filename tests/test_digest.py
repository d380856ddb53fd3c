"""Tests of :mod:`dregistry.digest`. Examples are of image-spec, "Digests"."""

from __future__ import annotations

import hashlib
from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import ALGORITHMS, CANONICAL, Digest, new_hash
from dregistry.errors import DigestInvalid

SHA256 = "sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b"
SHA512 = (
    "sha512:401b09eab3c013d4ca54922bb802bec8fd5318192b0a75f201d8b3727429080fb337591abd3e44453b954555b7a0812e"
    "1081c39b740293f765eae731f5a65ed1"
)
EMPTY = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

digests = st.one_of(
    st.binary(min_size=length // 2, max_size=length // 2).map(bytes.hex).map(f"{name}:".__add__)
    for name, length in ALGORITHMS.items()
)


class DigestTests(SynchronousTestCase):
    def test_examples(self) -> None:
        for text in (SHA256, SHA512, EMPTY):
            digest = Digest.parse(text)
            self.assertEqual((str(digest), f"{digest.algorithm}:{digest.hex}"), (text, text))
        self.assertEqual(repr(Digest.parse(EMPTY)), f"Digest(algorithm='sha256', hex='{EMPTY[7:]}')")

    def test_refused(self) -> None:
        """The grammar of image-spec allows some of them, of algorithms that this registry does not compute."""
        refused = [
            "",
            ":",
            "sha256",
            "sha256:",
            EMPTY[7:],
            EMPTY.upper(),
            EMPTY.replace("b", "B"),
            EMPTY.replace("sha", "SHA"),
            EMPTY[:-1],
            EMPTY + "0",
            EMPTY + "\n",
            "\n" + EMPTY,
            EMPTY + ":",
            EMPTY.replace(":", "::"),
            EMPTY.replace(":", "="),
            EMPTY.replace("855", "85g"),
            EMPTY.replace("855", "85\u0665"),
            EMPTY.replace("855", "85\x00"),
            EMPTY.replace("sha256", "sha512"),
            SHA512.replace("sha512", "sha256"),
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "sha384:" + "0" * 96,
            "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
            "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564",
        ]
        for text in refused:
            error = self.assertRaises(DigestInvalid, Digest.parse, text)
            self.assertTrue(error.reason)

    @given(digests)
    def test_round_trip(self, text: str) -> None:
        digest = Digest.parse(text)
        self.assertEqual(str(digest), text)
        self.assertEqual(Digest.parse(str(digest)), digest)
        self.assertEqual(hash(Digest.parse(str(digest))), hash(digest))

    @given(st.one_of(st.text(), st.from_regex(r"\A(sha256|sha512|md5):[0-9a-fA-F]*\Z"), digests))
    def test_any_text(self, text: str) -> None:
        try:
            self.assertEqual(str(Digest.parse(text)), text)
        except DigestInvalid as error:
            self.assertLess(len(error.reason or ""), 2000)
            (error.reason or "").encode()

    @given(digests, digests)
    def test_order(self, one: str, other: str) -> None:
        """That of the texts: listings rest on it."""
        self.assertEqual(Digest.parse(one) < Digest.parse(other), one < other)

    def test_long_texts(self) -> None:
        start = perf_counter()
        for text in ("sha256:" + "a" * 10_000_000, "a" * 10_000_000, ":" * 10_000_000):
            self.assertRaises(DigestInvalid, Digest.parse, text)
        self.assertLess(perf_counter() - start, 2)


class HashTests(SynchronousTestCase):
    @given(st.binary())
    def test_of(self, content: bytes) -> None:
        self.assertEqual(Digest.of(content), Digest.parse(f"sha256:{hashlib.sha256(content).hexdigest()}"))
        self.assertEqual(Digest.of(content, "sha512").hex, hashlib.sha512(content).hexdigest())

    def test_of_nothing(self) -> None:
        self.assertEqual(str(Digest.of(b"")), EMPTY)

    @given(st.lists(st.binary()), st.sampled_from(sorted(ALGORITHMS)))
    def test_new_hash(self, pieces: list[bytes], algorithm: str) -> None:
        running = new_hash(algorithm)
        for piece in pieces:
            running.update(piece)
        self.assertEqual(Digest(algorithm, running.hexdigest()), Digest.of(b"".join(pieces), algorithm))

    def test_unknown_algorithms(self) -> None:
        for algorithm in ("", "md5", "sha1", "SHA256", "sha384", "shake_128", "x" * 1000, "\ud800"):
            self.assertRaises(DigestInvalid, new_hash, algorithm)
            self.assertRaises(DigestInvalid, Digest.of, b"", algorithm)

    def test_lengths(self) -> None:
        self.assertIn(CANONICAL, ALGORITHMS)
        for algorithm, length in ALGORITHMS.items():
            self.assertEqual(len(new_hash(algorithm).hexdigest()), length)
