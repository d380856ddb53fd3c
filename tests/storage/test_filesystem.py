"""Tests of :mod:`dregistry.storage.filesystem`: the contract. What only it promises is in the modules beside."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from dregistry.storage.filesystem import FilesystemDriver
from dregistry.testing import (
    AttendanceSuite,
    DirectorySearchSuite,
    InlineThreads,
    LocalFilesSuite,
    LockingSuite,
    RenewingSuite,
    StorageDriverSuite,
    WalkingSuite,
    pooled_threads,
)

from .support import temporary_directory


class FilesystemSuite(
    StorageDriverSuite,
    LocalFilesSuite,
    LockingSuite,
    DirectorySearchSuite,
    WalkingSuite,
    RenewingSuite,
    AttendanceSuite,
):
    """All that the driver provides."""


class FilesystemDriverTests(FilesystemSuite, TestCase):
    """Without threads."""

    def make_driver(self) -> FilesystemDriver:
        return FilesystemDriver(temporary_directory(self), InlineThreads())


class ThreadedFilesystemDriverTests(FilesystemSuite, TestCase):
    """As it is served."""

    def make_driver(self) -> FilesystemDriver:
        return FilesystemDriver(temporary_directory(self), pooled_threads(self))
