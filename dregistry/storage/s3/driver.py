"""
The ``s3`` driver itself.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from ... import __version__
from .. import (
    FileInfo,
    IDirectorySearch,
    ILock,
    ILocking,
    IRedirecting,
    IStorageDriver,
    IWriter,
    PathNotFound,
    StorageUnavailable,
    Threads,
    WriterBusy,
)
from .._path import check_path
from ._api import Bucket
from ._client import Client, at_random
from ._concurrent import concurrently
from ._copying import Copier
from ._credentials import AmbientCredentials, GivenCredentials, find_ambient
from ._deleting import Deletion
from ._endpoint import Endpoint, endpoint_of
from ._errors import Refused
from ._habits import Habits
from ._listing import children, exists
from ._locking import Locker
from ._metrics import S3Metrics
from ._objects import Changed
from ._reading import Budget, read
from ._search import Search
from ._signing import Signer, SignerV2, SignerV4
from ._staged import find_staged
from ._transport import Transport, make_agent
from ._workshop import Workshop
from ._writer import S3Writer
from .options import MIB, S3Options

_log = Logger()
_ON_THEIR_WAY = 32 * MIB
"""Bytes of the parts of one writer that are on their way at one time, unless one part has more."""
_REDIRECT_SECONDS = 20 * 60
_LOCKS = "/.dregistry-locks"
"""Beside the layout's one directory, where nobody lists."""


@implementer(IStorageDriver, IDirectorySearch, ILocking, IRedirecting)
class S3Driver:
    """
    :param client: of the bucket.
    """

    name = "s3"

    def __init__(self, options: S3Options, client: Client) -> None:
        self._client = client
        self._root = options.rootdirectory.rstrip("/")
        self._bucket = bucket = Bucket(client, _object_headers(options))
        self._habits = Habits(bucket, self._key("/"), options.conditionalwrites)
        self._locker = Locker(bucket, self._habits, client.clock, self._key(_LOCKS))
        self._budget = Budget()
        self._writing: dict[str, S3Writer] = {}
        self._moving: set[str] = set()
        copier = Copier(
            bucket,
            self._habits,
            options.multipartcopychunksize,
            options.multipartcopymaxconcurrency,
            options.multipartcopythresholdsize,
        )
        self._shop = Workshop(
            bucket,
            copier,
            self._habits,
            self._budget,
            options.chunksize,
            max(1, _ON_THEIR_WAY // options.chunksize),
            self._key_of,
            self.put_contents,
            self._release,
        )

    @property
    def metrics(self) -> S3Metrics:
        """What was asked of the service."""
        return self._client.metrics

    async def get_content(self, path: str) -> bytes:
        found = await self._bucket.get(self._key_of(path))
        if found is None:
            raise PathNotFound(path)
        return found

    async def get_contents(self, paths: Sequence[str]) -> list[bytes | None]:
        return await concurrently(self._bucket.get, [self._key_of(path) for path in paths])

    async def put_content(self, path: str, content: bytes, durable: bool = True) -> None:
        key = self._key_of(path)
        self._lose(path)
        await self._bucket.put(key, [bytes(content)] if content else ())

    async def put_contents(self, contents: Sequence[tuple[str, bytes]]) -> None:
        for path, _ in contents:
            check_path(path)
        for path, content in contents:
            await self.put_content(path, content)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        return read(self._bucket, self._budget, self._key_of, path, offset, length)

    async def stat(self, path: str) -> FileInfo:
        found = await self._stat(path)
        if found is None:
            raise PathNotFound(path)
        return found

    async def stats(self, paths: Sequence[str]) -> list[FileInfo | None]:
        for path in paths:
            check_path(path)
        return await concurrently(self._stat, paths)

    async def _stat(self, path: str) -> FileInfo | None:
        key = self._key_of(path)
        found = await self._bucket.head(key)
        if found is not None:
            return FileInfo(path, found.size, False, found.modified)
        return FileInfo(path, 0, True) if await exists(self._bucket, key + "/") else None

    async def children(self, path: str, after: str = "", limit: int | None = None) -> list[str]:
        names = await children(self._bucket, self._key_of(path) + "/", after, limit)
        if not names and not after and limit != 0:
            raise PathNotFound(path)
        return names

    async def find_directories(self, path: str, child: str, after: str, limit: int) -> list[str]:
        return await Search(self._bucket, self._key_of(path) + "/", child, after).first(limit)

    async def writer(
        self, path: str, state: bytes = b"", create: bool = False, destination: str | None = None
    ) -> IWriter:
        target = None if destination is None else self._key_of(destination)
        key = self._key_of(path)
        if path in self._writing:
            raise WriterBusy(path)
        self._writing[path] = writer = S3Writer(self._shop, path, target)
        try:
            if state or target is None or not create:
                writer.begin(await find_staged(self._bucket, path, key, state, create), state)
        except BaseException:
            self._release(writer)
            raise
        return writer

    async def written(self, path: str, state: bytes = b"") -> int:
        return (await find_staged(self._bucket, path, self._key_of(path), state, False)).size

    async def move(self, source: str, destination: str) -> None:
        key, target = self._key_of(source), self._key_of(destination)
        if source in self._writing or source in self._moving:
            raise WriterBusy(source)
        self._moving.add(source)
        try:
            found = await self._bucket.head(key)
            if found is None:
                raise PathNotFound(source)
            if key != target:
                self._lose(destination)
                await self._shop.copier.copy(found, target)
                await self._bucket.delete(key)
        except Changed:
            raise PathNotFound(source) from None
        finally:
            self._moving.discard(source)

    async def delete(self, path: str) -> None:
        key = self._key_of(path)
        lost = self._lose(path, below=True)
        if not await Deletion(self._bucket, self._habits, key).run() and not lost:
            raise PathNotFound(path)

    async def redirect_url(self, path: str, method: str, client: str) -> str | None:
        return await self._client.presign(method, self._key_of(path), _REDIRECT_SECONDS)

    async def lock(self, path: str) -> ILock:
        return await self._locker.lock(check_path(path))

    async def check(self) -> None:
        """Look at the bucket, and log what is wrong with it, or with the way to it."""
        try:
            await self._bucket.page(self._key("/"), limit=1)
        except StorageUnavailable as error:
            _log.critical("storage.s3: {reason}", reason=str(error) if isinstance(error, Refused) else error.reason)

    async def close(self) -> None:
        """Close the connections that are kept for later."""
        await self._locker.close()
        await self._client.close()

    def _lose(self, path: str, below: bool = False) -> bool:
        """Whether there was an open writer of ``path``, or below it. It is none any more."""
        lost = [path] if path in self._writing else []
        if below and self._writing:
            lost += [each for each in self._writing if each.startswith(path + "/")]
        for each in lost:
            self._writing.pop(each).lost = True
        return bool(lost)

    def _release(self, writer: S3Writer) -> None:
        if self._writing.get(writer.path) is writer:
            del self._writing[writer.path]

    def _key_of(self, path: str) -> str:
        return self._key(check_path(path))

    def _key(self, path: str) -> str:
        """As distribution makes it: with no slash at the beginning, whatever the root directory."""
        return (self._root + path).lstrip("/")


def _object_headers(options: S3Options) -> dict[str, str]:
    """What every new object gets. What S3 takes for the default is not named: not every service knows it."""
    headers = {"Content-Type": "application/octet-stream"}
    if options.objectacl != "private":
        headers["x-amz-acl"] = options.objectacl
    if options.storageclass not in ("none", "standard"):
        headers["x-amz-storage-class"] = options.storageclass.upper()
    if options.encrypt:
        headers["x-amz-server-side-encryption"] = "aws:kms" if options.keyid else "AES256"
        if options.keyid:
            headers["x-amz-server-side-encryption-aws-kms-key-id"] = options.keyid
    return headers


def _signer(options: S3Options, endpoint: Endpoint) -> Signer:
    if options.v4auth:
        return SignerV4(endpoint.region)
    return SignerV2("" if endpoint.names_bucket else f"/{options.bucket}")


def make_driver(
    options: S3Options, reactor: Any, threads: Threads, jitter: Callable[[float], float] = at_random
) -> S3Driver:
    """
    A driver that talks to the service of ``options``.

    :param jitter: how long a request waits before it is sent again, given the most.
    """
    endpoint = endpoint_of(options)
    agent, pool = make_agent(reactor, endpoint.secure, not options.skipverify)
    public = endpoint_of(options, options.redirectendpoint) if options.redirectendpoint else endpoint
    client = Client(
        Transport(agent, reactor, pool),
        endpoint,
        options.bucket,
        GivenCredentials(options) if options.accesskey else AmbientCredentials(threads, find_ambient),
        _signer(options, endpoint),
        threads,
        reactor,
        f"dregistry/{__version__} {options.useragent}".strip(),
        public=public,
        verbose=options.loglevel != "off",
        jitter=jitter,
    )
    return S3Driver(options, client)
