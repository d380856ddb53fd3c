"""
What all parts of the domain share: the driver, threads, settings and listeners of one registry.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from attrs import field, frozen
from twisted.logger import Logger

from ..digest import Digest
from ..errors import DigestInvalid, Unsupported
from ..storage import FileInfo, IRedirecting, IRenewing, IStorageDriver, PathNotFound, Threads
from ._contents import ContentCache
from ._descriptors import LOOK_LASTS, Descriptors
from ._hashes import HashCache
from ._locks import Locks
from .listener import IRegistryListener, RegistryEvent
from .validation import ManifestPolicy

LEASE_STEP = 3600.0
"""Seconds: no lease is older when an answer lets a client rely on the blob, by a look or by one that is remembered."""

_log = Logger()


@frozen
class Settings:
    """
    :ivar delete_enabled: whether manifests, tags and blobs may be deleted.
    :ivar manifest_limit: the largest manifest, in bytes.
    :ivar redirect: whether clients may be sent elsewhere for blobs.
    :ivar tell_references: whether listeners want to know what a manifest refers to.
    """

    delete_enabled: bool = False
    manifest_limit: int = 4 << 20
    policy: ManifestPolicy = field(factory=ManifestPolicy)
    redirect: bool = True
    tell_references: bool = True


@frozen(eq=False)
class Core:
    """
    One registry's collaborators; every process that serves its storage has its own.

    :ivar descriptors: the cache of blob descriptors; None if the configuration asks for none.
    :ivar redirecting: the driver, if clients can and may be sent elsewhere for blobs.
    """

    driver: IStorageDriver
    threads: Threads
    settings: Settings = field(factory=Settings)
    listeners: Sequence[IRegistryListener] = ()
    hashes: HashCache = field(factory=HashCache)
    locks: Locks = field(factory=Locks)
    contents: ContentCache = field(factory=ContentCache)
    descriptors: Descriptors | None = None
    redirecting: IRedirecting | None = field(init=False)

    @redirecting.default
    def _redirecting(self) -> IRedirecting | None:
        driver: Any = self.driver
        return driver if self.settings.redirect and IRedirecting.providedBy(driver) else None

    def require_delete(self) -> None:
        """:raise Unsupported: if the configuration does not allow deletion."""
        if not self.settings.delete_enabled:
            raise Unsupported("deletion is disabled: set storage.delete.enabled to allow it")

    async def read_link(self, path: str) -> Digest | None:
        """The digest in a link file; None if there is no such file, or if a crash left it empty or torn."""
        try:
            content = await self.driver.get_content(path)
        except PathNotFound:
            return None
        return parse_link(content)

    async def write_link(self, path: str, digest: Digest) -> None:
        """Make the link, unless it is there already."""
        if await self.read_link(path) != digest:
            await self.driver.put_content(path, str(digest).encode("ascii"))

    def renew(self, info: FileInfo) -> FileInfo:
        """Make content young again that a client is told to be there: its lease, see docs/design/online-gc.md."""
        old = info.modified is not None and time.time() - info.modified > LEASE_STEP - LOOK_LASTS
        if old and IRenewing.providedBy(self.driver):
            self.driver.renew(info.path)
        return info

    def content_found(self, digest: Digest, size: int) -> None:
        """The storage has content by that very digest, ``size`` bytes, whose lease was renewed if need be."""
        if self.descriptors is not None:
            self.descriptors.put(digest, size)

    async def content_lost(self, name: str, digest: Digest) -> None:
        """The storage does not have content that the repository ``name`` links, whatever the caches say."""
        self.contents.drop(name, digest)
        if self.descriptors is not None:
            await self.descriptors.forget(digest)

    async def tell(self, event: RegistryEvent) -> None:
        """Let every listener hear of it; one that fails is logged."""
        for listener in self.listeners:
            try:
                await listener.notify(event)
            except Exception:
                _log.failure(
                    "listener failed on a {action} of {repository}", action=event.action, repository=event.repository
                )


def parse_link(content: bytes) -> Digest | None:
    """The digest that a link file holds, None if it holds none."""
    try:
        return Digest.parse(content.decode("ascii", "replace").strip())
    except DigestInvalid:
        return None
