"""
Tests of :mod:`dregistry.registry.catalog`: the search that all drivers get, that of the filesystem driver, and one that
looks at everything agree.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any

from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

from dregistry.digest import Digest
from dregistry.registry import Registry, catalog
from dregistry.registry.catalog import find_repositories, select_repositories
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


@frozen
class Chosen:
    """Those that begin with one of the prefixes, and of these the ones that are named."""

    prefixes: Sequence[str]
    names: frozenset[str]

    def __contains__(self, name: str) -> bool:
        return name in self.names


class SelectionTests(RegistryCase):
    @settings(max_examples=150, deadline=None)
    @given(
        st.sets(NAMES, max_size=12),
        st.sets(st.one_of(NAMES, st.text("ab0/-.", max_size=3)), max_size=3),
        st.one_of(st.just(""), NAMES),
        LIMIT,
        st.data(),
    )
    def test_selected(self, names: set[str], starts: set[str], after: str, limit: int, data: st.DataObject) -> None:
        """The same as those of all that are in it."""
        prefixes = [one for one in sorted(starts) if not any(one.startswith(x) for x in starts - {one})]
        begin = {name for name in names if name.startswith(tuple(prefixes))}
        chosen = data.draw(st.frozensets(st.sampled_from(sorted(begin)))) if begin else frozenset[str]()
        driver = MemoryDriver()
        result_of(fill(driver, names, set()))
        found = result_of(select_repositories(driver, "_manifests", after, limit, Chosen(prefixes, chosen)))
        self.assertEqual(found, by_brute_force(set(chosen), after, limit))

    def test_bounded(self) -> None:
        """Repositories beside the prefixes cost nothing, however many; a page is never larger than it need be."""
        driver = MemoryDriver()
        names = {f"{start}/{number:04}" for start in ("a", "m", "z") for number in range(1500)}
        result_of(fill(driver, names, set()))
        asked: list[tuple[str, int]] = []
        original = catalog.find_repositories

        async def find(driver: Any, child: str, after: str, limit: int) -> list[str]:
            asked.append((after, limit))
            return await original(driver, child, after, limit)

        self.patch(catalog, "find_repositories", find)
        last = frozenset({"m/1499"})
        found = result_of(select_repositories(driver, "_manifests", "", 100, Chosen(["m/"], last)))
        self.assertEqual(found, ["m/1499"])
        self.assertLess(len(asked), 6)
        self.assertTrue(all(after > "l" for after, _ in asked))
        self.assertLessEqual(max(limit for _, limit in asked), 1000)
        asked.clear()
        result_of(select_repositories(driver, "_manifests", "", 100, Chosen([""], frozenset(names))))
        self.assertEqual(asked, [("", 100)])


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
