"""
The contract of a storage driver.

A driver keeps content at *paths*: absolute, slash-separated, every component matching ``[A-Za-z0-9._-]{1,255}`` but
neither ``.`` nor ``..``, at most 1000 characters in all. It knows nothing of images. ``dregistry.registry`` builds the
layout of ``dregistry.storage.paths`` upon it, and never puts content above or below other content.

Methods return awaitables, declared without ``async``: a coroutine and a Deferred both provide them. Every driver
passes :class:`dregistry.testing.StorageDriverSuite`, which checks the sentences below.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Protocol, TypeVar

from attrs import define, frozen
from zope.interface import Attribute, Interface

T = TypeVar("T")

API_VERSION = 1
"""The version of these interfaces; a factory states the one that it was written for."""


class StorageError(Exception):
    """Base of what a driver raises. These never leave ``dregistry.registry``."""


@define
class PathNotFound(StorageError):
    """Nothing is at ``path``."""

    path: str


@define
class InvalidPath(StorageError):
    """``path`` is not of the form that the contract states."""

    path: str


@define
class InvalidOffset(StorageError):
    """``offset`` lies beyond the end of the content at ``path``."""

    path: str
    offset: int


@define
class WriterBusy(StorageError):
    """Another writer, in this process or another, has ``path`` open."""

    path: str


@define
class StorageFull(StorageError):
    """There is no room (or quota) for what was to be written at ``path``; nothing of it was kept."""

    path: str


@define
class StorageUnavailable(StorageError):
    """The engine behind the driver failed in a way that the caller cannot mend."""

    reason: str


@frozen
class FileInfo:
    """
    :ivar size: bytes; 0 for a directory.
    :ivar modified: when the content was last changed, in seconds since the epoch; None where the engine does not tell.
    """

    path: str
    size: int
    is_dir: bool
    modified: float | None = None


class Threads(Protocol):
    """Runs blocking calls; the core hands one to each driver."""

    def run(self, call: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Run ``call(*args)`` in a thread of the pool; what it returns or raises is the outcome."""


class IWriter(Interface):
    """
    Content on its way to one path. At most one writer is open for a path at a time.

    Until :meth:`commit`, what was written may or may not be readable at the path.
    """

    size: int = Attribute("bytes so far, those of earlier writers of the path included")
    state: bytes = Attribute(
        """
        What another process needs to go on with the path, by :meth:`IStorageDriver.writer`: at most 1 KiB, and empty
        for drivers that find everything by the path. It changes in :meth:`write` and :meth:`close` only, and rarely.
        With a state from before later writes, a writer begins with some of their bytes or none, never with others.
        """
    )

    def write(data: bytes) -> Awaitable[None]:
        """
        Append ``data``. The caller awaits each write before the next one. After an error, or when the wait for it was
        cancelled, the writer can still be written to and closed.

        :raise StorageFull: the bytes before this call remain.
        :raise StorageError: if the writer is closed.
        """

    def read() -> AsyncIterator[bytes]:
        """
        All bytes so far, those of earlier writers included, in pieces of 1 byte to 1 MiB. From when iteration begins,
        only :meth:`commit`, :meth:`cancel` and :meth:`close` may follow.

        :raise PathNotFound: if the path was deleted meanwhile; a driver may also deliver what was there.
        """

    def commit(destination: str | None = None, then: Sequence[tuple[str, bytes]] = ()) -> Awaitable[None]:
        """
        Make all that was written durable (it survives a power cut once this returns), and close.

        :param destination: where to move it, replacing what is there, in one step; None to leave it at its path. No
            later writer of the old path can reach the moved content.
        :param then: small contents to put at their paths in this order, once the content is at its destination, as
            :meth:`IStorageDriver.put_contents` does: none of them is ever there without it.
        :raise PathNotFound: if ``destination`` is given and the path was deleted meanwhile.
        :raise WriterBusy: if another process wrote to the path meanwhile, for drivers that cannot lock it.
        :raise StorageFull: what was written remains at the path, for another writer.
        :raise StorageError: if the writer is closed.
        """

    def close() -> Awaitable[None]:
        """
        Close, keeping what was written durably, so that a later writer goes on from there; unless the writer was
        opened with a ``destination``: then it may be dropped. Idempotent.
        """

    def cancel() -> Awaitable[None]:
        """Close and remove the path. Does nothing if the writer is closed: the path may be another's by then."""


class IStorageDriver(Interface):
    """
    A place for content.

    Paths that are not of the stated form raise :exc:`InvalidPath` from every method. Directories exist as long as
    something is in them; empty ones may linger or vanish, and callers must not tell the difference.
    """

    name: str = Attribute("as in the configuration: filesystem, inmemory, s3 ...")

    def get_content(path: str) -> Awaitable[bytes]:
        """
        All bytes at ``path``; for small content.

        :raise PathNotFound: also if it is a directory.
        """

    def get_contents(paths: Sequence[str]) -> Awaitable[list[bytes | None]]:
        """:meth:`get_content` of many paths at once, None where nothing is; in the order asked for."""

    def put_content(path: str, content: bytes, durable: bool = True) -> Awaitable[None]:
        """
        Replace what is at ``path`` by ``content``, creating directories as needed.

        Atomic: a reader at any time, and a crash at any time, finds the old bytes or the new ones, whole; directories
        that it creates appear together with the content.

        :param durable: whether the content must survive a power cut, whole, once this returns. It survives the end of
            the process either way.
        :raise StorageFull: what was there before remains.
        """

    def put_contents(contents: Sequence[tuple[str, bytes]]) -> Awaitable[None]:
        """
        :meth:`put_content`, durable, of several paths in this order: whatever happens, each of them has its content
        only if those before it have theirs. May cost much less than one after the other.

        :param contents: pairs of path and content.
        """

    def read(path: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """
        The bytes from ``offset``, ``length`` of them at most (None: to the end), in pieces of 1 byte to 1 MiB.

        What was there when iteration began is delivered to its end, even if the path is replaced or deleted
        meanwhile. ``aclose()`` of the iterator releases what it holds.

        :raise PathNotFound: when iteration begins.
        :raise InvalidOffset: when iteration begins; an offset equal to the size is no error and yields nothing.
        """

    def stat(path: str) -> Awaitable[FileInfo]:
        """:raise PathNotFound:"""

    def stats(paths: Sequence[str]) -> Awaitable[list[FileInfo | None]]:
        """:meth:`stat` of many paths at once, None where nothing is; in the order asked for."""

    def children(path: str, after: str = "", limit: int | None = None) -> Awaitable[list[str]]:
        """
        Names (not paths) of the direct children of ``path`` that sort after ``after``, in order of their bytes, the
        first ``limit`` of them.

        The time may grow with the number of children; the memory only with ``limit``.

        :raise PathNotFound: may also be raised for an empty directory.
        """

    def writer(
        path: str, state: bytes = b"", create: bool = False, destination: str | None = None
    ) -> Awaitable[IWriter]:
        """
        Open ``path`` for writing, at the end of what earlier writers wrote there. The lock that this takes ends with
        the process at the latest.

        :param state: of the last writer of the path, see :attr:`IWriter.state`; empty if there was none.
        :param create: if nothing is there, begin with nothing, creating directories as needed.
        :param destination: where the content is going to be committed to, if that is known. A driver that cannot move
            content at no cost may then write to there at once, unseen until the commit.
        :raise PathNotFound: if nothing is there, unless ``create``; or a directory.
        :raise WriterBusy: if another writer has it open, of this process at least.
        """

    def written(path: str, state: bytes = b"") -> Awaitable[int]:
        """
        How many bytes a writer of that path and state begins with.

        :raise PathNotFound: if nothing is there, or a directory.
        """

    def move(source: str, destination: str) -> Awaitable[None]:
        """
        Move content, replacing what is at ``destination``, in one step and durably. Directories are created as
        needed. To move content to where it is does nothing.

        :raise PathNotFound: if nothing is at ``source``, or a directory.
        :raise WriterBusy: if a writer has ``source`` open.
        """

    def delete(path: str) -> Awaitable[None]:
        """
        Remove ``path`` and everything below it.

        Nobody sees a part of it once this returns; a power cut soon after may bring all of it back. Directories above
        that become empty may be removed too. What an open writer writes there from then on is lost.

        :raise PathNotFound: if nothing is there.
        """


@frozen
class DriverContext:
    """What the core hands to a driver's factory."""

    reactor: Any
    threads: Threads


class IStorageDriverFactory(Interface):
    """
    Builds a driver from its section of the configuration. Found as a twistd plugin: an object in ``twisted.plugins``
    that provides this and :class:`twisted.plugin.IPlugin`.
    """

    name: str = Attribute("the key under ``storage:``")
    help: str = Attribute("one line for people")
    api_version: int = Attribute("the API_VERSION that it was written for")
    shared: bool = Attribute("whether drivers of several processes with the same options see the same content")
    options: type = Attribute("an attrs class; the core fills it from the section and reports faults by path")
    max_threads: Callable[[Any], int] = Attribute("options -> the most threads that its blocking calls may take")

    def build(options: Any, context: DriverContext) -> Any:
        """An :class:`IStorageDriver`."""


class ISpeakingTls(Interface):
    """An ability of factories whose drivers are clients of a service."""

    def needs_tls(options: Any) -> bool:
        """Whether a driver of these options speaks TLS. If nothing else does either, OpenSSL is not loaded."""
