"""
The manifests of one repository that refer to a subject (distribution-spec, "Listing Referrers").

Each referrer has a file with its descriptor below its subject. Manifests with a subject get theirs when they are
pushed. Those that another registry stored in the same place are found when referrers are asked for: ``scanned`` names
the manifests that have been looked at, and the rest are looked at then. All of this can be made again from the
manifests, so nothing is lost if it is deleted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from attrs import frozen

from ..digest import ALGORITHMS, Digest
from ..errors import DigestInvalid, ManifestInvalid
from ..manifest import INDEX_TYPES, Manifest, parse_manifest
from ..storage import PathNotFound, paths
from ._core import Core, parse_link
from ._guard import guarded

_PAGE = 256
_SCAN = 16
"""Manifests that are held in memory at one time while they are looked at; each may be of some MiB."""
_LARGEST_PAGE = 4 << 20
"""Bytes of descriptors in one page; a client must take a manifest of that size, so also a list."""


@frozen
class ReferrersPage:
    """
    :ivar descriptors: JSON objects, ready to be listed.
    :ivar last: the digest to go on after; None if this page is the last.
    """

    descriptors: list[dict[str, Any]]
    last: Digest | None


class Referrers:
    def __init__(self, core: Core, name: str) -> None:
        self._core = core
        self._name = name

    @guarded
    async def page(self, subject: Digest, artifact_type: str | None, after: Digest | None, limit: int) -> ReferrersPage:
        """
        Descriptors of manifests whose subject is ``subject``, in order of their digests.

        :param artifact_type: list only those of that type; None for all.
        :param limit: at most so many; fewer if they are large.
        """
        await self._scan()
        tagged = await self._fallback(subject)
        digests = sorted({*await self._indexed(subject), *tagged})
        found: list[dict[str, Any]] = []
        size = 0
        last = None
        wanted = [digest for digest in digests if after is None or digest > after]
        for start in range(0, len(wanted), _PAGE):
            batch = wanted[start : start + _PAGE]
            for digest, descriptor in zip(batch, await self._descriptors(subject, batch, tagged), strict=True):
                if descriptor is None or artifact_type not in (None, descriptor.get("artifactType", "")):
                    continue
                size += len(json.dumps(descriptor))
                if found and (len(found) == limit or size > _LARGEST_PAGE):
                    return ReferrersPage(found, last)
                found.append(descriptor)
                last = digest
        return ReferrersPage(found, None)

    def entry(self, digest: Digest, manifest: Manifest) -> tuple[str, bytes]:
        """Where it is remembered that a manifest refers to its subject, and what is written there."""
        assert manifest.subject is not None
        path = paths.referrer_descriptor(self._name, manifest.subject.digest, digest)
        return path, json.dumps(_descriptor(digest, manifest)).encode("ascii")

    async def remove(self, digest: Digest, manifest: Manifest | None) -> None:
        """
        Forget a manifest that was deleted, also that it was looked at: it may come back.

        :param manifest: None if it cannot be parsed.
        """
        if manifest is not None and manifest.subject is not None:
            path = paths.referrer_descriptor(self._name, manifest.subject.digest, digest)
            with suppress(PathNotFound):
                await self._core.driver.delete(path)
        scanned = await self._scanned()
        if str(digest) in scanned:
            await self._save_scanned(scanned - {str(digest)})

    async def _indexed(self, subject: Digest) -> list[Digest]:
        directory = paths.referrers(self._name, subject)
        return [
            Digest(algorithm, name)
            for algorithm in ALGORITHMS
            for name in await self._names(f"{directory}/{algorithm}")
        ]

    async def _descriptors(
        self, subject: Digest, digests: Sequence[Digest], tagged: dict[Digest, dict[str, Any]]
    ) -> list[dict[str, Any] | None]:
        """In the order of ``digests``; None for a manifest that the repository does not hold any more."""
        driver = self._core.driver
        present = await driver.stats([paths.revision_link(self._name, digest) for digest in digests])
        stored = await driver.get_contents(
            [paths.referrer_descriptor(self._name, subject, digest) for digest in digests]
        )
        found: list[dict[str, Any] | None] = []
        for digest, link, content in zip(digests, present, stored, strict=True):
            if link is None:
                found.append(None)
            else:
                found.append(_decoded(content) or tagged.get(digest) or await self._made_again(digest))
        return found

    async def _made_again(self, digest: Digest) -> dict[str, Any] | None:
        """A descriptor whose file a power cut has torn; None if its manifest is gone."""
        target = await self._core.read_link(paths.revision_link(self._name, digest))
        [content] = await self._core.driver.get_contents([paths.blob_data(target or digest)])
        manifest = None if content is None else await self._core.threads.run(_parsed, content)
        return None if manifest is None else _descriptor(digest, manifest)

    async def _fallback(self, subject: Digest) -> dict[Digest, dict[str, Any]]:
        """What the tag of clients that do without this API lists (distribution-spec, "Referrers Tag Schema")."""
        tag = f"{subject.algorithm}-{subject.hex[:64]}"
        digest = await self._core.read_link(paths.tag_current_link(self._name, tag))
        if digest is None:
            return {}
        try:
            content = await self._core.driver.get_content(paths.blob_data(digest))
            index = parse_manifest(content, None)
        except (PathNotFound, ManifestInvalid):
            return {}
        if index.media_type not in INDEX_TYPES:
            return {}
        listed = json.loads(content).get("manifests") or []
        return {child.digest: entry for child, entry in zip(index.manifests, listed, strict=True)}

    async def _scan(self) -> None:
        """Look at the manifests that nobody has looked at yet."""
        scanned = await self._scanned()
        present = {
            f"{algorithm}:{name}"
            for algorithm in ALGORITHMS
            for name in await self._names(f"{paths.revisions(self._name)}/{algorithm}")
        }
        unknown = sorted(present - scanned)
        if not unknown:
            return
        done: set[str] = set()
        for start in range(0, len(unknown), _SCAN):
            done |= await self._scan_batch(unknown[start : start + _SCAN])
        if done:
            await self._save_scanned((scanned & present) | done)

    async def _scan_batch(self, unknown: Sequence[str]) -> set[str]:
        """Those of ``unknown`` that need not be looked at again."""
        driver = self._core.driver
        digests = [digest for text in unknown if (digest := parse_link(text.encode())) is not None]
        links = await driver.get_contents([paths.revision_link(self._name, digest) for digest in digests])
        linked = [
            (digest, target)
            for digest, link in zip(digests, links, strict=True)
            if (target := parse_link(link or b"")) is not None
        ]
        contents = await driver.get_contents([paths.blob_data(target) for _, target in linked])
        done = set()
        for (digest, _), content in zip(linked, contents, strict=True):
            if content is None:
                continue
            manifest = await self._core.threads.run(_parsed, content)
            if manifest is not None and manifest.subject is not None:
                path, entry = self.entry(digest, manifest)
                if await driver.stats([path]) == [None]:
                    await driver.put_contents([(path, entry)])
            done.add(str(digest))
        return done

    async def _save_scanned(self, scanned: set[str]) -> None:
        content = "\n".join(sorted(scanned)).encode("ascii")
        await self._core.driver.put_content(paths.referrers_scanned(self._name), content, durable=False)

    async def _scanned(self) -> set[str]:
        try:
            content = await self._core.driver.get_content(paths.referrers_scanned(self._name))
        except PathNotFound:
            return set()
        return set(content.decode("ascii", "replace").split("\n"))

    async def _names(self, directory: str) -> list[str]:
        try:
            names = await self._core.driver.children(directory)
        except PathNotFound:
            return []
        return [name for name in names if _is_hex(directory.rpartition("/")[2], name)]


def _decoded(content: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(content or b"null")
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _parsed(content: bytes) -> Manifest | None:
    try:
        return parse_manifest(content, None)
    except ManifestInvalid:
        return None


def _is_hex(algorithm: str, name: str) -> bool:
    try:
        Digest.parse(f"{algorithm}:{name}")
    except DigestInvalid:
        return False
    return True


def _descriptor(digest: Digest, manifest: Manifest) -> dict[str, Any]:
    descriptor: dict[str, Any] = {
        "mediaType": manifest.media_type,
        "digest": str(digest),
        "size": len(manifest.content),
    }
    if manifest.annotations:
        descriptor["annotations"] = dict(manifest.annotations)
    if manifest.artifact_type:
        descriptor["artifactType"] = manifest.artifact_type
    return descriptor
