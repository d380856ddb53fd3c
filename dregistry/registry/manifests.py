"""
The manifests of one repository.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

from attrs import field, frozen

from ..digest import CANONICAL, Digest
from ..errors import DigestInvalid, ManifestBlobUnknown, ManifestInvalid, ManifestTooLarge, ManifestUnknown
from ..manifest import Descriptor, Manifest, parse_manifest, stored_media_type
from ..reference import Reference
from ..storage import PathNotFound, paths
from ._concurrent import together
from ._contents import Content
from ._core import Core
from ._guard import guarded
from .listener import DELETE, PULL, PUSH, OriginSource, RegistryEvent
from .referrers import Referrers
from .tags import Tags

_T = TypeVar("_T")
Precondition: TypeAlias = Callable[[Digest | None], None]
_ATTEMPTS = 8
_INLINE = 1 << 16
"""Bytes of a manifest up to which hashing and parsing takes well under a millisecond."""


@frozen
class StoredManifest:
    """
    A manifest as it is served.

    :ivar digest: that it was asked for by, or that the tag points at.
    :ivar tag: that it was asked for by; empty if by digest.
    """

    digest: Digest
    content: bytes = field(repr=False)
    media_type: str
    tag: str = ""


class Manifests:
    def __init__(self, core: Core, name: str, origin: OriginSource, tags: Tags, referrers: Referrers) -> None:
        self._core = core
        self._name = name
        self._origin = origin
        self._tags = tags
        self._referrers = referrers

    @guarded
    async def get(self, reference: Reference) -> StoredManifest:
        """
        The bytes and type of a manifest. A manifest that a tag points at is there: its tags are deleted first.

        :raise ManifestUnknown: if there is no such tag, or no such manifest in this repository.
        """
        if isinstance(reference, Digest):
            digest, tag = reference, ""
            content = await self._content(digest)
        else:
            found = await self._tags.get(reference)
            if found is None:
                raise ManifestUnknown(self._name, reference)
            digest, tag = found, reference
            content = self._core.contents.get(self._name, digest) or await self._content(digest)
        if content is None:
            raise ManifestUnknown(self._name, str(reference))
        return StoredManifest(digest, content.data, content.media_type, tag)

    async def _content(self, digest: Digest) -> Content | None:
        """The content of a manifest of this repository; a cached one is checked to be still there."""
        link = paths.revision_link(self._name, digest)
        cached = self._core.contents.get(self._name, digest)
        try:
            if cached is not None:
                await self._core.driver.stat(link)
                return cached
            target = await self._core.read_link(link)
            if target is None:
                return None
            data = await self._core.driver.get_content(paths.blob_data(target))
        except PathNotFound:
            self._core.contents.drop(self._name, digest)
            return None
        content = Content(data, await self._in_turn(data, stored_media_type, data))
        self._core.contents.put(self._name, digest, content)
        return content

    async def pulled(self, manifest: StoredManifest) -> None:
        """Tell the listeners that a client was given a manifest."""
        if not self._core.listeners:
            return
        references: tuple[Descriptor, ...] = ()
        if self._core.settings.tell_references:
            with suppress(ManifestInvalid):  # stored by another registry that checks other things
                parsed = await self._in_turn(manifest.content, parse_manifest, manifest.content, None)
                references = parsed.references
        size = len(manifest.content)
        await self._core.tell(self._event(PULL, manifest.digest, manifest.media_type, size, manifest.tag, references))

    @guarded
    async def put(
        self,
        content: bytes,
        content_type: str | None,
        reference: Reference,
        tags: Sequence[str] = (),
        precondition: Precondition | None = None,
        classes: Container[str] | None = None,
    ) -> tuple[Digest, Manifest]:
        """
        Store a manifest, then point the tag it was pushed by, and ``tags``, at it.

        :param precondition: is told what the tag ``reference`` points at, and raises to refuse; no other put with a
            precondition in this repository comes in between.
        :param classes: of content that the client may push here; None for all.
        :raise ManifestTooLarge:
        :raise DigestInvalid: if it was pushed by a digest that is not its own.
        :raise ManifestInvalid: see :func:`dregistry.manifest.parse_manifest`; and if a layer's URL is not allowed.
        :raise Denied: if the content is of a class that is not allowed.
        :raise ManifestBlobUnknown: naming all that it refers to and the repository does not hold. Its subject may be
            missing (distribution-spec, "Pushing Manifests with Subject").
        """
        if len(content) > self._core.settings.manifest_limit:
            raise ManifestTooLarge(self._core.settings.manifest_limit)
        if isinstance(reference, Digest):
            digest = await self._in_turn(content, Digest.of, content, reference.algorithm)
            if digest != reference:
                raise DigestInvalid(f"the manifest's digest is {digest}, not {reference}")
        else:
            digest = await self._in_turn(content, Digest.of, content, CANONICAL)
            tags = (reference, *tags)
        manifest = await self._in_turn(content, parse_manifest, content, content_type)
        self._core.settings.policy.check(manifest, classes)
        tags = list(dict.fromkeys(tags))
        if precondition is None or isinstance(reference, Digest):
            _, changes = await together(self._require_references(manifest), self._changes(digest, manifest, tags))
            await self._store(digest, manifest, tags, changes)
        else:
            await self._require_references(manifest)
            async with self._core.locks.exclusively(self._core.driver, paths.repository(self._name)):
                precondition(await self._tags.get(reference))
                await self._store(digest, manifest, tags, await self._changes(digest, manifest, tags))
        if self._core.listeners:
            references = manifest.references if self._core.settings.tell_references else ()
            for tag in tags or ("",):
                await self._core.tell(self._event(PUSH, digest, manifest.media_type, len(content), tag, references))
        return digest, manifest

    @guarded
    async def delete(self, digest: Digest) -> None:
        """
        Remove a manifest from this repository, and every tag that points at it.

        :raise Unsupported: if deletion is disabled.
        :raise ManifestUnknown: if the repository has no such manifest.
        """
        self._core.require_delete()
        stored = await self.get(digest)
        await self._tags.delete_pointing_at(digest)
        try:
            await self._core.driver.delete(paths.revision(self._name, digest))
        except PathNotFound:
            raise ManifestUnknown(self._name, str(digest)) from None
        await self._tags.delete_pointing_at(digest)  # a put may have been under way
        try:
            manifest = parse_manifest(stored.content, None)
        except ManifestInvalid:  # stored by another registry that checks other things
            manifest = None
        await self._referrers.remove(digest, manifest)
        await self._core.tell(RegistryEvent(DELETE, self._name, self._origin(), digest=digest))

    async def _in_turn(self, content: bytes, call: Callable[..., _T], *args: Any) -> _T:
        """Call at once for small content, in a thread for content that would hold the reactor up."""
        return call(*args) if len(content) <= _INLINE else await self._core.threads.run(call, *args)

    async def _require_references(self, manifest: Manifest) -> None:
        policy = self._core.settings.policy
        blobs = [blob.digest for blob in manifest.blobs if policy.requires_blob(blob)]
        children = [child.digest for child in manifest.manifests if policy.requires_child(child)]
        links = [paths.layer_link(self._name, digest) for digest in blobs]
        links += [paths.revision_link(self._name, digest) for digest in children]
        digests = list(dict.fromkeys(zip(blobs + children, links, strict=True)))
        if not digests:
            return
        stats = await self._core.driver.stats(
            [path for digest, link in digests for path in (link, paths.blob_data(digest))]
        )
        missing = []
        for number, (digest, link) in enumerate(digests):
            linked, stored = stats[2 * number], stats[2 * number + 1]
            if linked is None or (stored is None and not await self._is_alias(digest, link)):
                missing.append(str(digest))
                if linked is not None:
                    await self._core.content_lost(self._name, digest)
        if missing:
            raise ManifestBlobUnknown(list(dict.fromkeys(missing)))

    async def _is_alias(self, digest: Digest, link: str) -> bool:
        """Whether the content is there under another digest, as distribution stores what was pushed by sha512."""
        target = await self._core.read_link(link)
        if target is None or target == digest:
            return False
        [info] = await self._core.driver.stats([paths.blob_data(target)])
        return info is not None

    async def _store(
        self, digest: Digest, manifest: Manifest, tags: Sequence[str], changes: Sequence[tuple[str, bytes]]
    ) -> None:
        """
        Write what is missing.

        Deletions may come in between: of a tag, or of the same manifest, which removes tags, revision, and tags again.
        So when all links are there after they were written, they stay or go together; else they are written again.
        """
        links = [paths.revision_link(self._name, digest)]
        links += [paths.tag_current_link(self._name, tag) for tag in tags]
        for _ in range(_ATTEMPTS):
            await self._core.driver.put_contents(changes)
            if None not in await self._core.driver.stats(links):
                return
            changes = await self._changes(digest, manifest, tags)

    async def _changes(self, digest: Digest, manifest: Manifest, tags: Sequence[str]) -> list[tuple[str, bytes]]:
        """
        What to write, in that order: each step leaves a repository in which all that can be found is whole.

        A referrer is listed only while its revision is there, so its entry goes before. The current link makes a tag;
        its history follows.
        """
        wanted = [(paths.blob_data(digest), manifest.content)]
        if manifest.subject is not None:
            wanted.append(self._referrers.entry(digest, manifest))
        links = [paths.revision_link(self._name, digest)]
        for tag in tags:
            links += (paths.tag_current_link(self._name, tag), paths.tag_index_link(self._name, tag, digest))
        wanted += [(path, str(digest).encode("ascii")) for path in links]
        there = await self._core.driver.get_contents([path for path, _ in wanted])
        return [each for each, found in zip(wanted, there, strict=True) if found != each[1]]

    def _event(
        self, action: str, digest: Digest, media_type: str, size: int, tag: str, references: tuple[Descriptor, ...]
    ) -> RegistryEvent:
        return RegistryEvent(action, self._name, self._origin(), media_type, digest, size, tag, references=references)
