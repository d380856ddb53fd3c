"""Tests of :mod:`dregistry.registry.referrers`: what other registries and clients have left in the same place."""

from __future__ import annotations

import json
from typing import Any

from dregistry.digest import Digest
from dregistry.manifest import OCI_INDEX, OCI_MANIFEST
from dregistry.storage import paths

from .support import descriptor, image
from .test_referrers import FALLBACK, NAME, SUBJECT, SUBJECT_512, ReferrersCase, referrer


class ScanTests(ReferrersCase):
    """Manifests that another registry stored in the same place."""

    def test_found(self) -> None:
        self.store(referrer("a"))
        self.store(referrer("b"), "sha512")
        self.add("c")
        self.assertEqual(self.notes(), {"a", "b", "c"})
        self.store(referrer("d"))
        self.assertEqual(self.notes(), {"a", "b", "c", "d"})

    def test_looked_at_once(self) -> None:
        digest = self.store(referrer("a"))
        self.notes()
        self.put(paths.blob_data(digest), referrer("changed"))  # to be told apart, were it read again
        self.assertEqual(self.notes(), {"a"})
        self.assertIn(str(digest), self.tree()[paths.referrers_scanned(NAME)].decode())

    def test_index_is_expendable(self) -> None:
        self.add("a")
        self.store(referrer("b"))
        self.notes()
        self.do(self.driver.delete(f"{paths.repository(NAME)}/_referrers"))
        self.assertEqual(self.notes(), {"a", "b"})

    def test_many(self) -> None:
        for number in range(40):
            self.store(referrer(str(number)))
        self.assertEqual(self.notes(), {str(number) for number in range(40)})

    def test_what_is_no_manifest(self) -> None:
        """It is not looked at again."""
        for content in (b"", b"{}", b"[", b'{"schemaVersion":1}', referrer("a", subject="nonsense")):
            self.store(content)
        self.assertEqual(self.notes(), set())
        self.assertEqual(len(self.tree()[paths.referrers_scanned(NAME)].split()), 5)

    def test_without_content_yet(self) -> None:
        """It is looked at again."""
        digest = self.store(referrer("a"))
        self.do(self.driver.delete(paths.blob_data(digest)))
        self.assertEqual(self.notes(), set())
        self.put(paths.blob_data(digest), referrer("a"))
        self.assertEqual(self.notes(), {"a"})

    def test_torn_link(self) -> None:
        digest = self.store(referrer("a"))
        self.put(paths.revision_link(NAME, digest), b"")
        self.assertEqual(self.notes(), set())
        self.put(paths.revision_link(NAME, digest), digest)
        self.assertEqual(self.notes(), {"a"})

    def test_alias(self) -> None:
        digest = self.store(referrer("a"), "sha512", "sha256")
        self.assertEqual(self.page()[0][0]["digest"], str(digest))

    def test_strange_names(self) -> None:
        self.store(referrer("a"))
        for name in ("sha256/nohex", "sha256/" + "A" * 64, "md5/" + "a" * 32, "sha512/" + "a" * 64):
            self.put(f"{paths.revisions(NAME)}/{name}/link", b"sha256:" + b"a" * 64)
            self.put(f"{paths.referrers(NAME, SUBJECT)}/{name}/descriptor", b"{}")
        self.assertEqual(self.notes(), {"a"})


class FallbackTests(ReferrersCase):
    def entry(self, content: bytes, note: str) -> dict[str, Any]:
        return descriptor(content, OCI_MANIFEST, artifactType="a/b", annotations={"note": note})

    def test_listed(self) -> None:
        content = image(annotations={"no": "subject"})
        self.store(content)
        self.tag_fallback(self.entry(content, "a"))
        self.add("b")
        self.assertEqual(self.notes(), {"a", "b"})
        self.assertEqual(self.notes(type_="a/b"), {"a"})

    def test_known_better(self) -> None:
        """What a manifest says of itself counts, and it is listed once."""
        self.add("own")
        self.tag_fallback(self.entry(referrer("own"), "tag's"))
        self.assertEqual(self.notes(), {"own"})

    def test_entry_that_is_not_there(self) -> None:
        self.tag_fallback(self.entry(b"nothing", "a"))
        self.assertEqual(self.notes(), set())

    def test_subject_by_sha512(self) -> None:
        """The tag's encoded part is cut to 64 characters."""
        content = image(annotations={"no": "subject"})
        self.store(content)
        self.tag_fallback(self.entry(content, "a"), tag=f"sha512-{SUBJECT_512.hex[:64]}")
        self.assertEqual(self.notes(SUBJECT_512), {"a"})

    def test_tag_of_something_else(self) -> None:
        for content in (image(), b"{", b'{"schemaVersion":1}', b"[]"):
            self.put(paths.tag_current_link(NAME, FALLBACK), self.store(content))
            self.assertEqual(self.notes(), set())
        for link in (str(Digest.of(b"gone")).encode(), b"torn"):
            self.put(paths.tag_current_link(NAME, FALLBACK), link)
            self.assertEqual(self.notes(), set())

    def test_index_without_list(self) -> None:
        for members in ({}, {"manifests": None}):
            document = {"schemaVersion": 2, "mediaType": OCI_INDEX, **members}
            self.put(paths.tag_current_link(NAME, FALLBACK), self.store(json.dumps(document).encode()))
            self.assertEqual(self.notes(), set())
