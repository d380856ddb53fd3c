"""Tests of the search of directories, where the conformance suite does not look: it is lazy, and it ends."""

from __future__ import annotations

import os
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from dregistry.storage._directories import search_directories

from .support import temporary_directory


class SearchTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.root = temporary_directory(self)

    def make(self, *paths: str) -> None:
        for path in paths:
            os.makedirs(os.path.join(self.root, path))

    def search(self, after: str = "", limit: int = 1000) -> list[str]:
        return search_directories(self.root, "_m", after, limit)

    def test_empty_ones_do_not_count(self) -> None:
        self.make("a/_m", "b/_m/c", "d")
        self.assertEqual(self.search(), ["b"])

    def test_page_by_page(self) -> None:
        names = ["a", "a-", "a-b", "a-b/c", "a/b", "a/b-", "a/b/c", "a/b0", "a0", "b/a", "b/a/_"]
        self.make(*(f"{name}/_m/x" for name in names if not name.endswith("_")))
        found, last = [], ""
        while page := self.search(last, 2):
            found += page
            last = page[-1]
        self.assertEqual(found, names[:-1])

    def test_reads_no_more_than_it_needs(self) -> None:
        """One page of many repositories, from the middle, visits what is between its ends."""
        for first in range(20):
            self.make(*(f"{first:02}/{second:02}/_m/x" for second in range(10)))
        visited = []
        real = os.scandir

        def scandir(path: str):
            visited.append(path)
            return real(path)

        with mock.patch.object(os, "scandir", scandir):
            self.assertEqual(self.search("10/04", 2), ["10/05", "10/06"])
        self.assertLess(len(visited), 40)

    def test_files_and_hidden_directories(self) -> None:
        self.make("_a/_m/x", "b/_m/x", "b/_c/d/_m/x")
        for file in ("e", "b/f", "b/_m/x/g"):
            with open(os.path.join(self.root, file), "w"):
                pass
        self.make("h")
        with open(os.path.join(self.root, "h/_m"), "w"):
            pass
        self.assertEqual(self.search(), ["b"])
