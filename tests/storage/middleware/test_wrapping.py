"""Tests of :class:`dregistry.storage.StorageMiddleware`: a driver is what it was, but for what a class changes."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import Interface, implementer
from zope.interface.verify import verifyObject

from dregistry.storage import (
    IDirectorySearch,
    ILocalFiles,
    ILocking,
    IRedirecting,
    IStorageDriver,
    IStorageMiddleware,
    IWalking,
    StorageMiddleware,
)
from dregistry.storage.filesystem import FilesystemDriver
from dregistry.storage.memory import MemoryDriver
from dregistry.testing import InlineThreads, StorageDriverSuite

from ..support import inline_driver, temporary_directory
from ..test_filesystem import FilesystemSuite


class Plain(StorageMiddleware):
    """It changes nothing."""


class Reversing(StorageMiddleware):
    """It changes content."""

    async def read(self, path, offset=0, length=None):
        pieces = [piece async for piece in self.wrapped.read(path, offset, length)]
        yield b"".join(pieces)[::-1]


class ReversingFiles(Reversing):
    """It changes content, and knows what to do about files."""

    def open_local(self, path):
        raise NotImplementedError


class Unlocking(StorageMiddleware):
    withheld = (ILocking,)


class Sending(StorageMiddleware):
    """It takes over, and does not add."""

    async def redirect_url(self, path, method, client):
        return f"http://sending{path}"


@implementer(IRedirecting)
class Adding(Sending):
    """It adds."""


@implementer(IRedirecting)
class RedirectingMemory(MemoryDriver):
    async def redirect_url(self, path, method, client):
        return f"http://memory{path}"


class IMore(Interface):
    def more() -> int:
        """An ability of a driver that dregistry does not know."""


@implementer(IMore)
class MoreMemory(MemoryDriver):
    def more(self):
        return 7


class PlainMemoryTests(StorageDriverSuite, TestCase):
    """The whole suite, through two of them."""

    def make_driver(self) -> Any:
        return Plain(Plain(MemoryDriver()))


class PlainFilesystemTests(FilesystemSuite, TestCase):
    """And that of all abilities."""

    def make_driver(self) -> Any:
        return Plain(FilesystemDriver(temporary_directory(self), InlineThreads()))


class WrappingTests(SynchronousTestCase):
    def abilities(self, driver: Any) -> set[str]:
        known = (ILocalFiles, ILocking, IDirectorySearch, IRedirecting, IMore)
        for each in known:
            if each.providedBy(driver):
                verifyObject(each, driver)
        verifyObject(IStorageMiddleware, driver)
        verifyObject(IStorageDriver, driver)
        return {each.__name__ for each in known if each.providedBy(driver)}

    def filesystem(self) -> FilesystemDriver:
        return inline_driver(temporary_directory(self))

    def test_abilities_are_kept(self) -> None:
        files = {"ILocalFiles", "ILocking", "IDirectorySearch"}
        self.assertEqual(self.abilities(Plain(self.filesystem())), files)
        self.assertEqual(self.abilities(Plain(Plain(self.filesystem()))), files)
        self.assertEqual(self.abilities(Plain(MemoryDriver())), set())
        self.assertEqual(self.abilities(Plain(RedirectingMemory())), {"IRedirecting"})

    def test_an_ability_that_nobody_knows(self) -> None:
        wrapped = Plain(MoreMemory())
        self.assertEqual(self.abilities(wrapped), {"IMore"})
        self.assertEqual(wrapped.more(), 7)  # type: ignore[attr-defined]

    def test_of_one_instance_only(self) -> None:
        """What one has does not rub off on the next."""
        Plain(self.filesystem())
        self.assertEqual(self.abilities(Plain(MemoryDriver())), set())

    def test_withheld(self) -> None:
        wrapped = Unlocking(self.filesystem())
        self.assertEqual(self.abilities(wrapped), {"ILocalFiles", "IDirectorySearch"})
        self.assertFalse(hasattr(wrapped, "lock"))
        self.assertEqual(self.abilities(Plain(wrapped)), {"ILocalFiles", "IDirectorySearch"})

    def test_content_that_changes_is_not_gone_around(self) -> None:
        self.assertEqual(self.abilities(Reversing(self.filesystem())), {"ILocking", "IDirectorySearch"})
        self.assertEqual(self.abilities(Reversing(RedirectingMemory())), set())
        self.assertEqual(
            self.abilities(ReversingFiles(self.filesystem())), {"ILocking", "IDirectorySearch", "ILocalFiles"}
        )

    def test_maintenance_goes_around_nothing_that_changes(self) -> None:
        driver = inline_driver(temporary_directory(self))
        self.assertTrue(IWalking.providedBy(Plain(driver)))
        self.assertTrue(IWalking.providedBy(Sending(driver)))
        self.assertFalse(IWalking.providedBy(Reversing(driver)))
        self.assertFalse(IWalking.providedBy(ReversingFiles(driver)))

    def test_taken_over_or_added(self) -> None:
        for driver in (MemoryDriver(), RedirectingMemory()):
            self.assertEqual(IRedirecting.providedBy(Sending(driver)), IRedirecting.providedBy(driver))
            self.assertEqual(self.abilities(Adding(driver)), {"IRedirecting"})
        for wrapped in (Sending(RedirectingMemory()), Plain(Adding(MemoryDriver()))):
            url = Deferred.fromCoroutine(wrapped.redirect_url("/a", "GET", ""))  # type: ignore[attr-defined]
            self.assertEqual(self.successResultOf(url), "http://sending/a")

    def test_chain(self) -> None:
        driver = MemoryDriver()
        inner = Plain(driver)
        outer: Any = Plain(inner)
        self.assertIs(outer.wrapped, inner)
        self.assertIs(outer.wrapped.wrapped, driver)
        self.assertEqual(outer.name, "inmemory")
        self.assertEqual(outer.stat, driver.stat)
