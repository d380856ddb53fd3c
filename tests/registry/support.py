"""What the tests of the domain share: one registry in memory, whose calls all end at once."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from dregistry.digest import Digest
from dregistry.manifest import OCI_INDEX, OCI_MANIFEST
from dregistry.registry import Core, IRegistryListener, Origin, Registry, RegistryEvent, Repository, Settings
from dregistry.storage import IRenewing, PathNotFound, paths
from dregistry.storage.memory import MemoryDriver
from dregistry.testing import InlineThreads

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

CONFIG = b"{}"
LAYER = b"a layer"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
ORIGIN = Origin("an id", "alice", "192.0.2.1:31337", "r.example", "PUT", "agent/1", "https://r.example")


def origin() -> Origin:
    return ORIGIN


@implementer(IRegistryListener)
class Recorder:
    def __init__(self) -> None:
        self.events: list[RegistryEvent] = []

    async def notify(self, event: RegistryEvent) -> None:
        self.events.append(event)

    def take(self) -> list[RegistryEvent]:
        """What was heard since the last time."""
        heard, self.events = self.events, []
        return heard


@implementer(IRenewing)
class RenewingMemory(MemoryDriver):
    def renew(self, path: str) -> None:
        self._put(path, self._content(path).data)


class RegistryCase(SynchronousTestCase):
    """A registry whose every call ends before it returns. Deletion is enabled."""

    settings = Settings(delete_enabled=True)

    def setUp(self) -> None:
        self.driver = self.make_driver()
        self.heard = Recorder()
        self.registry = Registry(self.core())
        self.repository = self.registry.repository("some/repo", origin)

    def make_driver(self) -> Any:
        return MemoryDriver()

    def core(self, settings: Settings | None = None, driver: Any = None) -> Core:
        """Another process on the same storage, unless another driver is given."""
        return Core(driver or self.driver, InlineThreads(), settings or self.settings, [self.heard])

    def repository_of(self, settings: Settings) -> Repository:
        """The same repository as a registry of other settings serves it."""
        return Registry(self.core(settings)).repository("some/repo", origin)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(work))

    def refused(self, expected: type[E], work: Coroutine[Any, Any, Any]) -> E:
        """What the call raises, which must be that."""
        return self.failureResultOf(Deferred.fromCoroutine(work), expected).value

    def put(self, path: str, content: bytes | str | Digest) -> None:
        """Straight into storage, as another registry may have done."""
        data = content if isinstance(content, bytes) else str(content).encode()
        self.do(self.driver.put_content(path, data))

    def tree(self, path: str = paths.ROOT) -> dict[str, bytes]:
        return self.do(tree(self.driver, path))

    def push(self, content: bytes, algorithm: str = "sha256", repository: Repository | None = None) -> Digest:
        return self.do(push_blob(repository or self.repository, content, algorithm))

    def push_image(self, reference: str = "latest", repository: Repository | None = None, **members: Any) -> Digest:
        """A manifest with its config and layer."""
        return self.do(push_image(repository or self.repository, reference, **members))


async def push_blob(repository: Repository, content: bytes, algorithm: str = "sha256") -> Digest:
    digest = Digest.of(content, algorithm)
    async with await repository.uploads.open(await repository.uploads.start(algorithm)) as session:
        await session.append(content)
        await session.commit(digest)
    return digest


async def push_image(repository: Repository, reference: str | None = "latest", **members: Any) -> Digest:
    for blob in (CONFIG, LAYER):
        await push_blob(repository, blob)
    content = image(**members)
    digest, _ = await repository.manifests.put(content, None, reference or Digest.of(content))
    return digest


def image(layers: Sequence[bytes | dict[str, Any]] = (LAYER,), **members: Any) -> bytes:
    """An image manifest of those layers (content or descriptors); ``members`` replace those of the document."""
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(CONFIG, CONFIG_TYPE),
        "layers": [layer if isinstance(layer, dict) else descriptor(layer, LAYER_TYPE) for layer in layers],
    }
    return json.dumps({**document, **members}).encode()


def index(*children: bytes, **members: Any) -> bytes:
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "manifests": [descriptor(child, OCI_MANIFEST) for child in children],
    }
    return json.dumps({**document, **members}).encode()


def descriptor(content: bytes, media_type: str, algorithm: str = "sha256", **members: Any) -> dict[str, Any]:
    digest = str(Digest.of(content, algorithm))
    return {"mediaType": media_type, "digest": digest, "size": len(content), **members}


async def tree(driver: Any, path: str = paths.ROOT) -> dict[str, bytes]:
    """All content below ``path``."""
    found: dict[str, bytes] = {}
    try:
        names = await driver.children(path)
    except PathNotFound:
        return found
    for name in names:
        below = f"{path}/{name}"
        if (await driver.stat(below)).is_dir:
            found |= await tree(driver, below)
        else:
            found[below] = await driver.get_content(below)
    return found


async def content_of(repository: Repository, digest: Digest) -> bytes:
    """The bytes of a blob, as they are sent."""
    blob = await repository.blobs.open(digest)
    try:
        return b"".join([piece async for piece in blob.chunks(0, blob.size)])
    finally:
        blob.close()
