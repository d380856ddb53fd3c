"""Manifests: ``/v2/<name>/manifests/<reference>`` (distribution-spec, end-3, end-7 and end-9)."""

from __future__ import annotations

from ..digest import Digest
from ..errors import ManifestInvalid, ManifestTooLarge, ManifestUnknown, PreconditionFailed, TooManyTags
from ..manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, parse_manifest
from ..reference import parse_reference, parse_tag
from ..registry.manifests import Precondition, StoredManifest
from ._accept import accepts, names
from ._api import Call
from ._body import request_body
from ._conditional import match, none_match

_KIND = {OCI_MANIFEST: "OCI manifest", OCI_INDEX: "OCI index"}


async def get(call: Call, reference: str) -> bytes:
    """Also ``HEAD``: the server leaves out the body."""
    manifests = call.repository.manifests
    manifest = await manifests.get(parse_reference(reference))
    manifest = await _negotiated(call, manifest)
    etag = str(manifest.digest)
    call.set_header(b"docker-content-digest", etag)
    call.set_header(b"etag", f'"{etag}"')
    if not none_match(call.header_list(b"if-none-match"), etag):
        return call.empty(304)
    if not call.api.only_get_pulls or call.request.method == b"GET":
        await manifests.pulled(manifest)
    return call.content(manifest.content, manifest.media_type)


async def put(call: Call, reference: str) -> bytes:
    where = parse_reference(reference)
    tags = _tag_parameters(call) if isinstance(where, Digest) else []
    precondition = None if isinstance(where, Digest) else _precondition(call, where)
    content = await _read(call)
    media_type = call.header(b"content-type")
    classes = call.grant.classes.get(call.name)
    digest, manifest = await call.repository.manifests.put(content, media_type, where, tags, precondition, classes)
    call.set_header(b"location", call.api.links.manifest(call.request, call.name, digest))
    call.set_header(b"docker-content-digest", str(digest))
    if manifest.subject is not None:
        call.set_header(b"oci-subject", str(manifest.subject.digest))
    if tags:
        call.request.responseHeaders.setRawHeaders(b"oci-tag", [tag.encode("ascii") for tag in tags])
    return call.empty(201)


async def delete(call: Call, reference: str) -> bytes:
    where = parse_reference(reference)
    if isinstance(where, Digest):
        await call.repository.manifests.delete(where)
    else:
        await call.repository.tags.delete(where)
    return call.empty(202)


async def _negotiated(call: Call, manifest: StoredManifest) -> StoredManifest:
    """
    What to answer with, given what the client accepts.

    Old docker clients know no lists: asked for by tag, a docker list is answered by its linux/amd64 child. Otherwise
    the stored manifest is served whatever the client lists, unless ``compat.strictaccept`` is set.
    """
    listed = call.accept()
    if accepts(listed, manifest.media_type):
        return manifest
    if manifest.media_type == DOCKER_LIST and manifest.tag and names(listed, DOCKER_MANIFEST):
        return await _amd64_child(call, manifest)
    if not call.api.strict_accept:
        return manifest
    if manifest.media_type in (DOCKER_LIST, DOCKER_MANIFEST):
        raise ManifestInvalid(f"the stored manifest is a {manifest.media_type}, which the Accept header does not list")
    kind = _KIND.get(manifest.media_type, "manifest")
    raise ManifestUnknown(
        call.name, manifest.tag or str(manifest.digest), f"{kind} found, but accept header does not support {kind}s"
    )


async def _amd64_child(call: Call, manifest: StoredManifest) -> StoredManifest:
    for child in parse_manifest(manifest.content, None).manifests:
        if (child.platform.get("os"), child.platform.get("architecture")) == ("linux", "amd64"):
            return await call.repository.manifests.get(child.digest)
    raise ManifestUnknown(
        call.name, manifest.tag, "a manifest list without linux/amd64, asked for as a single manifest"
    )


def _tag_parameters(call: Call) -> list[str]:
    tags = list(dict.fromkeys(parse_tag(tag) for tag in call.queries("tag")))
    if len(tags) > call.api.tags_per_put:
        raise TooManyTags(f"at most {call.api.tags_per_put} tag parameters, not {len(tags)}")
    return tags


def _precondition(call: Call, tag: str) -> Precondition | None:
    """``If-Match`` and ``If-None-Match`` on what a tag points at; None if there are none."""
    if_match, if_none_match = call.header_list(b"if-match"), call.header_list(b"if-none-match")
    if if_match is None and if_none_match is None:
        return None

    def check(found: Digest | None) -> None:
        etag = None if found is None else str(found)
        if not match(if_match, etag) or not none_match(if_none_match, etag):
            raise PreconditionFailed(f"the tag {tag} points at {etag}" if etag else f"there is no tag {tag}")

    return check


async def _read(call: Call) -> bytes:
    limit = call.api.manifest_limit
    body = request_body(call.request)
    if body.length is not None and body.length > limit:
        raise ManifestTooLarge(limit)
    pieces = []
    size = 0
    async for piece in body:
        pieces.append(piece)
        size += len(piece)
        if size > limit:
            raise ManifestTooLarge(limit)
    return b"".join(pieces)
