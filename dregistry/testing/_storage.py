"""
The conformance suite of storage drivers.
"""

from __future__ import annotations

from typing import Any

from zope.interface.verify import verifyObject

from ..storage import (
    IAttendance,
    IDirectorySearch,
    ILocalFiles,
    ILocking,
    IRedirecting,
    IRenewing,
    IStorageDriver,
    IWalking,
    IWriter,
)
from ._storage_abilities import DirectorySearchSuite, LocalFilesSuite, LockingSuite
from ._storage_batch import BatchTests
from ._storage_children import ChildrenTests
from ._storage_commit import CommitTests
from ._storage_content import ContentTests, PathTests
from ._storage_maintenance import AttendanceSuite, RenewingSuite, WalkingSuite
from ._storage_reading import ReadTests
from ._storage_redirecting import RedirectingSuite
from ._storage_writer import WriterTests

_SUITES: list[tuple[Any, type]] = [
    (ILocalFiles, LocalFilesSuite),
    (ILocking, LockingSuite),
    (IDirectorySearch, DirectorySearchSuite),
    (IRedirecting, RedirectingSuite),
    (IWalking, WalkingSuite),
    (IRenewing, RenewingSuite),
    (IAttendance, AttendanceSuite),
]


class StorageDriverSuite(
    PathTests,
    ContentTests,
    ReadTests,
    ChildrenTests,
    WriterTests,
    CommitTests,
    BatchTests,
):
    """
    What every storage driver keeps to: the sentences of :mod:`dregistry.storage._interfaces`, one by one.

    A driver's own test is a class of this and of trial's ``TestCase`` which says how to make an empty driver::

        from twisted.trial.unittest import TestCase

        class ExampleDriverTests(StorageDriverSuite, TestCase):
            def make_driver(self):
                directory = self.mktemp()
                return ExampleDriver(directory)

    ``make_driver`` is called once for each test. It may return an awaitable, and clean up with ``self.addCleanup``.

    The base is ``twisted.trial.unittest.TestCase``, not ``SynchronousTestCase``, since it waits for the asynchronous
    test methods: a driver that answers at once never starts the reactor, one that needs threads or sockets gets it.
    Under a base that does not wait, each test would pass unseen, so the suite refuses those.

    A driver that provides an optional interface passes its suite as well: the class has that among its bases then
    (:class:`LocalFilesSuite`, :class:`LockingSuite`, :class:`DirectorySearchSuite`, :class:`RedirectingSuite`,
    :class:`WalkingSuite`, :class:`RenewingSuite`, :class:`AttendanceSuite`), and this suite fails if it has not.
    """

    async def test_interfaces(self) -> None:
        verifyObject(IStorageDriver, self.driver)
        for optional, suite in _SUITES:
            self.assertEqual(optional.providedBy(self.driver), isinstance(self, suite), suite.__name__)
        self.assertIsInstance(self.driver.name, str)
        writer = await self.driver.writer("/writer", create=True)
        verifyObject(IWriter, writer)
        await writer.cancel()
