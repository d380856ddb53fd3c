"""
Tests of :mod:`dregistry.registry.catalog`: the search that all drivers get, that of the filesystem driver, and one that
looks at everything agree.
"""

from __future__ import annotations

import shutil

from hypothesis import given, settings
from hypothesis import strategies as st

from dregistry.digest import Digest
from dregistry.registry import Registry
from dregistry.registry.catalog import find_repositories
from dregistry.storage import paths
from dregistry.storage.memory import MemoryDriver

from ..storage.support import inline_driver, result_of, temporary_directory
from .support import RegistryCase, origin

COMPONENT = st.sampled_from(["a", "a-", "a-b", "a.b", "a0", "b", "ab", "0", "_a", "z"])
NAMES = st.lists(COMPONENT, min_size=1, max_size=4).map("/".join)
LIMIT = st.integers(1, 6)


def by_brute_force(names: set[str], after: str, limit: int) -> list[str]:
    shown = (name for name in names if not any(part.startswith("_") for part in name.split("/")))
    return sorted(name for name in shown if name > after)[:limit]


async def fill(driver, repositories: set[str], others: set[str]) -> None:
    digest = Digest.of(b"")
    for name in repositories:
        await driver.put_content(paths.revision_link(name, digest), b"x", durable=False)
    for name in others:
        await driver.put_content(paths.layer_link(name, digest), b"x", durable=False)


class SearchTests(RegistryCase):
    @settings(max_examples=150, deadline=None)
    @given(st.sets(NAMES, max_size=12), st.sets(NAMES, max_size=4), st.one_of(st.just(""), NAMES), LIMIT)
    def test_generic(self, names: set[str], others: set[str], after: str, limit: int) -> None:
        driver = MemoryDriver()
        result_of(fill(driver, names, others))
        found = result_of(find_repositories(driver, "_manifests", after, limit))
        self.assertEqual(found, by_brute_force(names, after, limit))

    @settings(max_examples=40, deadline=None)
    @given(st.sets(NAMES, max_size=8), st.sets(NAMES, max_size=4), st.one_of(st.just(""), NAMES), LIMIT)
    def test_filesystem(self, names: set[str], others: set[str], after: str, limit: int) -> None:
        root = temporary_directory(self)
        try:
            driver = inline_driver(f"{root}/driver")
            result_of(fill(driver, names, others))
            found = result_of(find_repositories(driver, "_manifests", after, limit))
            self.assertEqual(found, by_brute_force(names, after, limit))
        finally:
            shutil.rmtree(f"{root}/driver", ignore_errors=True)

    @settings(max_examples=60, deadline=None)
    @given(st.sets(NAMES, max_size=12), LIMIT)
    def test_page_after_page(self, names: set[str], limit: int) -> None:
        driver = MemoryDriver()
        result_of(fill(driver, names, set()))
        found: list[str] = []
        while page := result_of(find_repositories(driver, "_manifests", found[-1] if found else "", limit)):
            self.assertLessEqual(len(page), limit)
            found += page
        self.assertEqual(found, by_brute_force(names, "", 1000))


class CatalogTests(RegistryCase):
    def catalog(self, after: str = "", limit: int = 100) -> list[str]:
        return self.do(self.registry.catalog(after, limit))

    def test_empty(self) -> None:
        self.assertEqual(self.catalog(), [])

    def test_with_manifests_only(self) -> None:
        """A repository that has blobs or uploads but no manifests is not listed, as in distribution."""
        self.push(b"abc", repository=self.registry.repository("blobs", origin))
        self.do(self.registry.repository("uploads", origin).uploads.start())
        self.push_image(repository=self.registry.repository("a/b/c", origin))
        self.push_image(repository=self.registry.repository("a/b", origin))
        self.assertEqual(self.catalog(), ["a/b", "a/b/c"])
        self.assertEqual(self.catalog("a/b"), ["a/b/c"])
        self.assertEqual(self.catalog("", 1), ["a/b"])

    def test_emptied(self) -> None:
        self.do(self.repository.manifests.delete(self.push_image("v1")))
        self.assertEqual(self.catalog(), [])

    def test_of_local_files(self) -> None:
        registry = Registry(self.core(driver=inline_driver(temporary_directory(self))))
        for name in ("b", "a-b", "a/b"):
            self.push_image(repository=registry.repository(name, origin))
        self.assertEqual(self.do(registry.catalog("", 100)), ["a-b", "a/b", "b"])
