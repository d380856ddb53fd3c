"""
The conformance suite of storage drivers.
"""

from __future__ import annotations

from zope.interface.verify import verifyObject

from ..storage import IDirectorySearch, ILocalFiles, IStorageDriver, IWriter
from ._storage_abilities import DirectorySearchTests, LocalFilesTests
from ._storage_children import ChildrenTests
from ._storage_content import ContentTests, PathTests
from ._storage_reading import ReadTests
from ._storage_writer import CommitTests, WriterTests


class StorageDriverSuite(
    PathTests,
    ContentTests,
    ReadTests,
    ChildrenTests,
    WriterTests,
    CommitTests,
    LocalFilesTests,
    DirectorySearchTests,
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

    :class:`ILocalFiles` and :class:`IDirectorySearch` are checked if the driver provides them, else those tests are
    skipped; the latter needs ``hypothesis``.
    """

    async def test_interfaces(self) -> None:
        verifyObject(IStorageDriver, self.driver)
        for optional in (ILocalFiles, IDirectorySearch):
            if optional.providedBy(self.driver):
                verifyObject(optional, self.driver)
        self.assertIsInstance(self.driver.name, str)
        writer = await self.driver.writer("/writer")
        verifyObject(IWriter, writer)
        await writer.cancel()
