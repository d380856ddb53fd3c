"""Whatever a registry can be asked for, upon a storage that can be made to fail."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown
from dregistry.manifest import OCI_MANIFEST
from dregistry.registry import Core, Registry, Repository, Settings
from dregistry.storage.memory import MemoryDriver
from dregistry.testing import InlineThreads

from ..storage.support import result_of
from .faulty import FaultyDriver
from .support import LAYER, content_of, descriptor, image, origin, push_blob, push_image

NAME = "some/repo"
Operation = Callable[[Registry], Awaitable[object]]


def repository(registry: Registry, name: str = NAME) -> Repository:
    return registry.repository(name, origin)


async def push_a_blob(registry: Registry) -> None:
    await push_blob(repository(registry), b"a new one")


async def push_a_large_blob(registry: Registry) -> None:
    """More than one batch, in one request."""
    await push_blob(repository(registry), b"y" * (3 << 20))


async def push_in_two_requests(registry: Registry) -> None:
    """The second knows nothing of the first's hash."""
    uploads = repository(registry).uploads
    ticket = await uploads.start("sha512")
    async with await uploads.open(ticket) as session:
        await session.append(b"x" * (1 << 20))
    await uploads.offset(session.ticket)
    async with await uploads.open(session.ticket) as session:
        await session.commit(Digest.of(b"x" * (1 << 20), "sha256"))


async def push_known(registry: Registry) -> None:
    await push_blob(repository(registry, "new"), LAYER)


async def push_an_image(registry: Registry) -> None:
    await push_image(repository(registry, "new"), "v1")


async def push_a_referrer(registry: Registry) -> None:
    content = image(subject=descriptor(image(), OCI_MANIFEST), annotations={"new": "one"})
    await repository(registry).manifests.put(content, None, "v9")


async def push_tags(registry: Registry) -> None:
    await repository(registry).manifests.put(image(), None, Digest.of(image()), ["a", "b"])


async def delete_a_manifest(registry: Registry) -> None:
    await repository(registry).manifests.delete(Digest.of(image()))


async def delete_a_tag(registry: Registry) -> None:
    await repository(registry).tags.delete("v1")


async def delete_a_blob(registry: Registry) -> None:
    await repository(registry).blobs.delete(Digest.of(LAYER))


async def mount(registry: Registry) -> None:
    await repository(registry, "new").blobs.mount(Digest.of(LAYER), NAME)


async def mount_from_any(registry: Registry) -> None:
    def may_pull(name: str) -> bool:
        return True

    await repository(registry, "new").blobs.mount_from_any(Digest.of(LAYER), may_pull)


async def read_all(registry: Registry) -> None:
    await snapshot(registry)


CHANGES: tuple[Operation, ...] = (
    push_a_blob,
    push_a_large_blob,
    push_in_two_requests,
    push_known,
    push_an_image,
    push_a_referrer,
    push_tags,
    delete_a_manifest,
    delete_a_tag,
    delete_a_blob,
    mount,
    mount_from_any,
)


async def snapshot(registry: Registry) -> dict[str, dict[str, bytes]]:
    """All that clients see; what is shown can be had, and is what its digest says."""
    shown: dict[str, dict[str, bytes]] = {}
    for name in await registry.catalog("", 100):
        found = repository(registry, name)
        shown[name] = {}
        for tag in await found.tags.page("", 100):
            stored = await found.manifests.get(tag)
            assert Digest.of(stored.content, stored.digest.algorithm) == stored.digest
            shown[name][tag] = stored.content
        for entry in (await found.referrers.page(Digest.of(image()), None, None, 100)).descriptors:
            await found.manifests.get(Digest.parse(entry["digest"]))
            shown[name][entry["digest"]] = b"listed"
        for content in (LAYER, b"{}"):
            with contextlib.suppress(BlobUnknown):
                assert await content_of(found, Digest.of(content)) == content
    return shown


class Storage:
    """A storage with something in it, whose driver can be made to fail."""

    def __init__(self) -> None:
        self.driver = FaultyDriver(MemoryDriver())
        registry = self.registry()
        result_of(push_image(repository(registry), "v1"))
        result_of(push_image(repository(registry), "v2"))
        result_of(push_image(repository(registry), "r", subject=descriptor(image(), OCI_MANIFEST)))
        self.driver.mend()

    def registry(self) -> Registry:
        """Of a process that remembers nothing."""
        return Registry(Core(self.driver, InlineThreads(), Settings(delete_enabled=True)))
