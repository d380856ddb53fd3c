"""
In what order a change reaches the disk, on file systems that keep order and on others.
"""

from __future__ import annotations

import os
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from dregistry.storage._durability import EachFile, OrderedJournal, durability_of

from .support import inline_driver, result_of, temporary_directory


class OrderTests(SynchronousTestCase):
    """By what the driver calls, with the names of files as they are at that moment."""

    def setUp(self) -> None:
        self.root = temporary_directory(self)
        self.calls: list[str] = []
        self.refuse = False

    def sync_range(self, descriptor: int, offset: int, count: int, flags: int) -> int:
        self.calls.append(f"range{flags}")
        return -1 if self.refuse else 0

    def record(self, call: object) -> list[str]:
        real = {name: getattr(os, name) for name in ("fsync", "rename")}

        def fsync(descriptor: int) -> None:
            self.calls.append("fsync " + os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}")))
            real["fsync"](descriptor)

        def rename(source: str, target: str) -> None:
            self.calls.append("rename " + os.path.basename(target))
            real["rename"](source, target)

        with mock.patch.multiple(os, fsync=fsync, rename=rename):
            result_of(call())  # type: ignore[operator]
        calls, self.calls = self.calls, []
        return calls

    def test_ordered(self) -> None:
        """The contents first, then the names in order, then one fsync of the last file."""
        driver = inline_driver(self.root, OrderedJournal(self.sync_range))
        changes = [("/a/b/one", b"1"), ("/a/two", b"2"), ("/three", b"3")]
        calls = self.record(lambda: driver.put_contents(changes))
        self.assertEqual(calls[:6], ["range2"] * 3 + ["range7"] * 3)
        self.assertEqual([call for call in calls if call.startswith("fsync")], ["fsync three"])
        self.assertEqual(calls[-1], "fsync three")
        self.assertEqual([result_of(driver.get_content(path)) for path, _ in changes], [b"1", b"2", b"3"])

    def test_ordered_commit(self) -> None:
        driver = inline_driver(self.root, OrderedJournal(self.sync_range))
        writer = result_of(driver.writer("/u/x/data", create=True))
        result_of(writer.write(b"content"))
        calls = self.record(lambda: writer.commit("/blobs/y/data", [("/link", b"link")]))
        self.assertEqual(calls, ["range2", "range2", "range7", "range7", "rename y", "rename link", "fsync link"])
        self.assertEqual(result_of(driver.get_content("/blobs/y/data")), b"content")
        self.assertFalse(os.path.exists(self.root + "/u/x"))

    def test_much_sets_out_early(self) -> None:
        """Each part once, and in order, while the writer goes on."""
        ranges: list[tuple[int, int]] = []

        def sync_range(descriptor: int, offset: int, count: int, flags: int) -> int:
            ranges.append((offset, count))
            return 0

        driver = inline_driver(self.root, OrderedJournal(sync_range))
        writer = result_of(driver.writer("/data", create=True))
        for _ in range(20):
            result_of(writer.write(b"x" * (1 << 20)))
        self.assertEqual(ranges, [(0, 8 << 20), (8 << 20, 8 << 20)])
        result_of(writer.close())
        self.assertEqual(ranges[2:], [(0, 0), (0, 0)])

    def test_ordered_without_the_call(self) -> None:
        """Where it fails, an fsync does more."""
        self.refuse = True
        driver = inline_driver(self.root, OrderedJournal(self.sync_range))
        calls = self.record(lambda: driver.put_content("/a", b"1"))
        before = calls[: calls.index("rename a")]
        self.assertTrue(any(call.startswith("fsync .a.") for call in before), calls)

    def test_each(self) -> None:
        driver = inline_driver(self.root, EachFile())
        calls = self.record(lambda: driver.put_contents([("/a", b"1"), ("/b", b"2")]))
        kinds = [call.split(" ")[0] for call in calls]
        self.assertEqual(kinds, ["fsync", "fsync", "rename", "rename", "fsync"])
        self.assertEqual(calls[-1], "fsync " + os.path.basename(self.root))


class ChoiceTests(SynchronousTestCase):
    def test_by_file_system(self) -> None:
        for kind, expected in (("ext4", OrderedJournal), ("xfs", OrderedJournal), ("btrfs", EachFile), ("", EachFile)):
            with mock.patch("dregistry.storage._durability.file_system_of", return_value=kind):
                self.assertIsInstance(durability_of("/"), expected)

    def test_a_folder_that_is_not_there_yet(self) -> None:
        self.assertIsNotNone(durability_of("/nonsense/of/a/folder"))

    def test_this_machine(self) -> None:
        """Whatever it is, it works."""
        root = temporary_directory(self)
        driver = inline_driver(root, durability_of(root))
        result_of(driver.put_contents([("/a/b", b"1"), ("/c", b"2")]))
        self.assertEqual(result_of(driver.get_contents(["/a/b", "/c"])), [b"1", b"2"])
