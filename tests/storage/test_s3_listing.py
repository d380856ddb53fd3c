"""Tests of :mod:`dregistry.storage.s3._listing` and ``_search``, on a service that lists by the bytes of keys."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase, TestCase

from dregistry.testing import DirectorySearchSuite
from dregistry.testing._storage_abilities import search
from dregistry.testing._storage_children import ChildrenTests

from .strict_s3 import StrictService, strict_driver
from .support import result_of

NAMES = st.text("ab-._0", min_size=1, max_size=3).filter(lambda name: name not in (".", ".."))
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)


class StrictlyListedTests(ChildrenTests, DirectorySearchSuite, TestCase):
    """The suites' tests of listings."""

    def make_driver(self) -> Any:
        return strict_driver(StrictService(page=3))


class ListingTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=300)
    @given(
        paths=st.sets(PATHS, min_size=1, max_size=12),
        after=st.one_of(st.just(""), NAMES, st.text("ab-./~!", max_size=3)),
        limit=st.one_of(st.none(), st.integers(1, 6)),
        page=st.integers(1, 4),
    )
    def test_children(self, paths: set[str], after: str, limit: int | None, page: int) -> None:
        """In the order of names, whatever the order of keys, and wherever a page ends."""
        service = StrictService(page=page)
        for path in paths:
            service.objects[f"root/{path}/object"] = b""
        expected = sorted({path.partition("/")[0] for path in paths if path.partition("/")[0] > after})
        found = result_of(strict_driver(service).children("/root", after, limit)) if expected or after else []
        self.assertEqual(found, expected if limit is None else expected[:limit])

    @settings(deadline=None, max_examples=300)
    @given(
        paths=st.sets(st.lists(st.one_of(NAMES, st.just("_m")), min_size=1, max_size=4).map("/".join), max_size=12),
        after=st.one_of(st.just(""), PATHS, st.text("ab-./~!", max_size=4)),
        limit=st.integers(1, 6),
        page=st.integers(1, 4),
    )
    def test_find_directories(self, paths: set[str], after: str, limit: int, page: int) -> None:
        service = StrictService(page=page)
        files = [f"{path}/object" for path in paths]
        for path in files:
            service.objects[f"root/{path}"] = b""
        expected = [path for path in search(files, "_m") if path > after][:limit]
        self.assertEqual(result_of(strict_driver(service).find_directories("/root", "_m", after, limit)), expected)

    def test_one_page_of_many(self) -> None:
        """It takes one request, and one for each directory that may come before its end."""
        service = StrictService()
        for number in range(2500):
            service.objects[f"root/v1.{number:04}-rc/object"] = b""
        service.objects["root/v1/object"] = b""
        driver = strict_driver(service)
        names = result_of(driver.children("/root", "", 5))
        self.assertEqual(names, ["v1", *(f"v1.{number:04}-rc" for number in range(4))])
        self.assertLess(driver.metrics.sent, 5)

    def test_delete_many(self) -> None:
        service = StrictService()
        kept = {"folder-a/object", "folderly", "other"}
        for key in [*kept, *(f"folder/{number}" for number in range(2500)), "folder/a/b/c"]:
            service.objects[key] = b""
        result_of(strict_driver(service).delete("/folder"))
        self.assertEqual(service.objects.keys(), kept)
