"""Tests of :mod:`dregistry.registry.referrers` (distribution-spec, "Listing Referrers" and "Referrers Tag Schema")."""

from __future__ import annotations

from typing import Any

from dregistry.digest import Digest
from dregistry.manifest import OCI_INDEX, OCI_MANIFEST
from dregistry.storage import paths

from .support import CONFIG, CONFIG_TYPE, LAYER, RegistryCase, descriptor, image, index

NAME = "some/repo"
SUBJECT = Digest.of(image())
SUBJECT_512 = Digest.of(image(), "sha512")
FALLBACK = f"sha256-{SUBJECT.hex}"


def referrer(note: str, **members: Any) -> bytes:
    return image(**{"subject": descriptor(image(), OCI_MANIFEST), "annotations": {"note": note}, **members})


class ReferrersCase(RegistryCase):
    def setUp(self) -> None:
        super().setUp()
        self.push(CONFIG)
        self.push(LAYER)

    def page(
        self, subject: Digest = SUBJECT, type_: str | None = None, after: Digest | None = None, limit: int = 1000
    ) -> tuple[list[dict[str, Any]], Digest | None]:
        found = self.do(self.repository.referrers.page(subject, type_, after, limit))
        return found.descriptors, found.last

    def notes(self, subject: Digest = SUBJECT, type_: str | None = None) -> set[str]:
        """The annotations of all that is listed, by which tests tell referrers apart."""
        found, last = self.page(subject, type_)
        self.assertIsNone(last)
        digests = [entry["digest"] for entry in found]
        self.assertEqual(digests, sorted(set(digests)))
        return {entry["annotations"]["note"] for entry in found}

    def add(self, note: str, **members: Any) -> Digest:
        """Pushed here."""
        digest, _ = self.do(self.repository.manifests.put(referrer(note, **members), None, f"t-{note}"))
        return digest

    def store(self, content: bytes, algorithm: str = "sha256", target: str = "sha256") -> Digest:
        """Stored by another registry; with an alias if it was pushed by another algorithm."""
        digest = Digest.of(content, algorithm)
        self.put(paths.blob_data(Digest.of(content, target)), content)
        self.put(paths.revision_link(NAME, digest), Digest.of(content, target))
        return digest

    def tag_fallback(self, *entries: dict[str, Any], tag: str = FALLBACK, **members: Any) -> None:
        """As a client keeps the list that the registry does not."""
        digest = self.store(index(manifests=list(entries), **members))
        self.put(paths.tag_current_link(NAME, tag), digest)


class ListingTests(ReferrersCase):
    def test_none(self) -> None:
        self.assertEqual(self.page(), ([], None))
        self.push_image("v1")
        self.assertEqual(self.page(), ([], None))

    def test_descriptor(self) -> None:
        content = referrer("a", artifactType="application/x-sbom")
        digest, _ = self.do(self.repository.manifests.put(content, None, "a"))
        [found], _ = self.page()
        self.assertEqual(
            found,
            {
                "mediaType": OCI_MANIFEST,
                "digest": str(digest),
                "size": len(content),
                "annotations": {"note": "a"},
                "artifactType": "application/x-sbom",
            },
        )

    def test_type_of_the_config(self) -> None:
        """Without an artifactType it is the config's media type."""
        self.add("a")
        self.assertEqual(self.page()[0][0]["artifactType"], CONFIG_TYPE)

    def test_index(self) -> None:
        """An index has neither config nor, here, annotations or a type: none are made up."""
        content = index(subject=descriptor(image(), OCI_MANIFEST))
        digest, _ = self.do(self.repository.manifests.put(content, None, "i"))
        self.assertEqual(self.page()[0], [{"mediaType": OCI_INDEX, "digest": str(digest), "size": len(content)}])

    def test_of_each_subject(self) -> None:
        self.add("a")
        self.add("b", subject=descriptor(b"else", OCI_MANIFEST))
        self.add("c", subject=descriptor(image(), OCI_MANIFEST, "sha512"))
        self.assertEqual(self.notes(), {"a"})
        self.assertEqual(self.notes(Digest.of(b"else")), {"b"})
        self.assertEqual(self.notes(SUBJECT_512), {"c"})

    def test_by_sha512(self) -> None:
        content = referrer("a")
        self.do(self.repository.manifests.put(content, None, Digest.of(content, "sha512")))
        self.assertEqual(self.page()[0][0]["digest"], str(Digest.of(content, "sha512")))

    def test_filter(self) -> None:
        self.add("a", artifactType="application/x-a")
        self.add("b", artifactType="application/x-b")
        self.add("c")
        self.assertEqual(self.notes(type_="application/x-a"), {"a"})
        self.assertEqual(self.notes(type_=CONFIG_TYPE), {"c"})
        self.assertEqual(self.notes(type_=""), set())
        self.assertEqual(self.notes(), {"a", "b", "c"})


class PagingTests(ReferrersCase):
    def all_pages(self, limit: int, type_: str | None = None) -> list[list[str]]:
        pages = []
        after = None
        while True:
            found, last = self.page(type_=type_, after=after, limit=limit)
            pages.append([entry["digest"] for entry in found])
            if last is None:
                return pages
            self.assertEqual(str(last), pages[-1][-1])
            after = last

    def test_by_count(self) -> None:
        digests = sorted(str(self.add(str(number))) for number in range(7))
        self.assertEqual(self.all_pages(3), [digests[:3], digests[3:6], digests[6:]])
        self.assertEqual(self.all_pages(7), [digests])
        self.assertEqual(len(self.all_pages(1)), 7)

    def test_by_count_with_a_filter(self) -> None:
        """The count is of what is listed; a page that is full is the last if only others follow."""
        digests = sorted(str(self.add(str(number), artifactType="a/b")) for number in range(4))
        for number in range(10):
            self.add(f"x{number}", artifactType="c/d")
        self.assertEqual(self.all_pages(2, "a/b"), [digests[:2], digests[2:]])

    def test_beyond_one_batch(self) -> None:
        """Descriptors are read some hundred at a time."""
        digests = sorted(str(self.store(referrer(str(number)))) for number in range(300))
        self.assertEqual(self.all_pages(1000), [digests])
        self.assertEqual([digest for page in self.all_pages(299) for digest in page], digests)

    def test_by_size(self) -> None:
        """No page is larger than a manifest may be, but for a single descriptor that is."""
        large = "x" * 1_800_000
        for number in range(4):
            self.add(str(number), annotations={"note": str(number), "large": large})
        pages = self.all_pages(1000)
        self.assertEqual([len(page) for page in pages], [2, 2])

    def test_one_that_is_larger_than_a_page(self) -> None:
        self.store(referrer("a", annotations={"note": "a", "large": "x" * (5 << 20)}))
        self.store(referrer("b", annotations={"note": "b", "large": "x" * (5 << 20)}))
        self.assertEqual([len(page) for page in self.all_pages(1000)], [1, 1])

    def test_after_what_is_not_there(self) -> None:
        digest = self.add("a")
        before, after = Digest("sha256", "0" * 64), Digest("sha512", "0" * 128)
        self.assertEqual(self.page(after=before)[0][0]["digest"], str(digest))
        self.assertEqual(self.page(after=after), ([], None))


class DeletionTests(ReferrersCase):
    def test_not_listed_any_more(self) -> None:
        digest = self.add("a")
        self.add("b")
        self.do(self.repository.manifests.delete(digest))
        self.assertEqual(self.notes(), {"b"})

    def test_deleted_by_another_registry(self) -> None:
        digest = self.add("a")
        self.notes()
        self.do(self.driver.delete(paths.revision(NAME, digest)))
        self.assertEqual(self.notes(), set())

    def test_pushed_again(self) -> None:
        digest = self.add("a")
        self.notes()
        self.do(self.repository.manifests.delete(digest))
        self.notes()
        self.add("a")
        self.assertEqual(self.notes(), {"a"})

    def test_stored_again_by_another_registry(self) -> None:
        digest = self.store(referrer("a"))
        self.notes()
        self.do(self.repository.manifests.delete(digest))
        self.store(referrer("a"))
        self.assertEqual(self.notes(), {"a"})

    def test_of_the_subject(self) -> None:
        """Its referrers stay listed."""
        subject = self.push_image("v1")
        self.add("a")
        self.do(self.repository.manifests.delete(subject))
        self.assertEqual(self.notes(), {"a"})

    def test_descriptor_gone_before(self) -> None:
        digest = self.add("a")
        self.do(self.driver.delete(f"{paths.repository(NAME)}/_referrers"))
        self.do(self.repository.manifests.delete(digest))
        self.assertEqual(self.notes(), set())
