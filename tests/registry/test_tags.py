"""Tests of :mod:`dregistry.registry.tags`."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dregistry.digest import Digest
from dregistry.errors import ManifestUnknown, NameUnknown, Unsupported
from dregistry.registry import Settings
from dregistry.storage import paths

from .support import RegistryCase, origin

NAME = "some/repo"
TAGS = st.sets(st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,6}", fullmatch=True), min_size=1, max_size=20)


class TagsTests(RegistryCase):
    def setUp(self) -> None:
        super().setUp()
        self.tags = self.repository.tags

    def tag(self, *tags: str) -> None:
        for tag in tags:
            self.put(paths.tag_current_link(NAME, tag), Digest.of(b"a manifest"))

    def test_get(self) -> None:
        digest = self.push_image("v1")
        self.assertEqual(self.do(self.tags.get("v1")), digest)
        self.assertIsNone(self.do(self.tags.get("v2")))

    def test_torn(self) -> None:
        self.tag("v1")
        self.put(paths.tag_current_link(NAME, "v1"), b"sha256:12")
        self.assertIsNone(self.do(self.tags.get("v1")))

    def test_history(self) -> None:
        """What a tag ever pointed at stays in its index, as distribution has it."""
        first = self.push_image("v1")
        second = self.push_image("v1", annotations={"a": "b"})
        self.assertEqual(self.do(self.tags.get("v1")), second)
        self.assertEqual(
            set(self.tree(paths.tag(NAME, "v1"))),
            {
                paths.tag_current_link(NAME, "v1"),
                paths.tag_index_link(NAME, "v1", first),
                paths.tag_index_link(NAME, "v1", second),
            },
        )

    def test_page(self) -> None:
        self.tag("b", "a", "B", "a.1", "a-1", "_", "10", "9")
        everything = ["10", "9", "B", "_", "a", "a-1", "a.1", "b"]
        self.assertEqual(self.do(self.tags.page("", 100)), everything)
        self.assertEqual(self.do(self.tags.page("9", 2)), ["B", "_"])
        self.assertEqual(self.do(self.tags.page("C", 1)), ["_"])
        self.assertEqual(self.do(self.tags.page("b", 10)), [])

    @settings(max_examples=50, deadline=None)
    @given(TAGS, st.integers(1, 5))
    def test_all_pages(self, tags: set[str], limit: int) -> None:
        self.setUp()
        self.tag(*tags)
        found: list[str] = []
        while page := self.do(self.tags.page(found[-1] if found else "", limit)):
            self.assertLessEqual(len(page), limit)
            found += page
        self.assertEqual(found, sorted(tags))

    def test_unknown_repository(self) -> None:
        self.push(b"a blob alone makes no repository with tags")
        self.assertEqual(self.refused(NameUnknown, self.tags.page("", 10)).name, NAME)
        self.refused(NameUnknown, self.registry.repository("some", origin).tags.page("", 10))

    def test_manifests_without_tags(self) -> None:
        self.do(self.tags.delete(self.push_image("v1") and "v1"))
        self.assertEqual(self.do(self.tags.page("", 10)), [])

    def test_emptied(self) -> None:
        self.do(self.repository.manifests.delete(self.push_image("v1")))
        self.refused(NameUnknown, self.tags.page("", 10))

    def test_delete(self) -> None:
        digest = self.push_image("v1")
        self.push_image("v2")
        self.do(self.tags.delete("v1"))
        self.assertIsNone(self.do(self.tags.get("v1")))
        self.assertEqual(self.do(self.tags.get("v2")), digest)
        self.do(self.repository.manifests.get(digest))
        self.assertEqual(self.refused(ManifestUnknown, self.tags.delete("v1")).reference, "v1")

    def test_delete_disabled(self) -> None:
        digest = self.push_image("v1")
        tags = self.repository_of(Settings()).tags
        self.refused(Unsupported, tags.delete("v1"))
        self.refused(Unsupported, tags.delete("v2"))
        self.assertEqual(self.do(self.tags.get("v1")), digest)

    def test_deleted_and_pushed_again(self) -> None:
        digest = self.push_image("v1")
        self.do(self.tags.delete("v1"))
        self.push_image("v1")
        self.assertEqual(self.do(self.tags.get("v1")), digest)
