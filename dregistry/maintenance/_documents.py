"""
What a stored manifest refers to.

Unlike :mod:`dregistry.manifest`, which decides what may be pushed, this reads what is there already, whoever stored
it. It must not overlook a reference: content that it does not understand in full is :exc:`Unreadable`, and whoever
asked then keeps all that it might refer to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from attrs import field, frozen

from ..manifest import SUPPORTED_TYPES
from ._digests import Keyed, key_of

_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1"
_ARTIFACTS = frozenset(
    {"application/vnd.oci.artifact.manifest.v1+json", "application/vnd.cncf.oras.artifact.manifest.v1+json"}
)
"""Forerunners of manifests with a subject; other registries stored them."""
_BLOBS = ("layers", "blobs")
_MEMBERS = {
    member.lower(): member
    for member in ("schemaVersion", "mediaType", "config", *_BLOBS, "manifests", "subject", "fsLayers")
}


class Unreadable(Exception):
    """``str()`` says why, for people."""


@frozen
class References:
    """
    :ivar blobs: config and layers.
    :ivar children: manifests that an index lists.
    :ivar subject: a digest; empty if there is none.
    """

    blobs: Keyed = field(factory=dict)
    children: Keyed = field(factory=dict)
    subject: str = ""


def references(content: bytes, digest: str) -> References:
    """
    What a manifest refers to.

    :param digest: of the content.
    :raise Unreadable: if it cannot be told, or if the content does not have that digest.
    """
    algorithm, _, encoded = digest.partition(":")
    if algorithm in hashlib.algorithms_available and hashlib.new(algorithm, content).hexdigest() != encoded:
        raise Unreadable("its content does not have its digest")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise Unreadable("it is not JSON") from None
    if not isinstance(document, dict):
        raise Unreadable("it is no JSON object")
    for member in document:
        if _MEMBERS.get(member.lower(), member) != member:
            raise Unreadable(f"its member {member[:64]!r} is spelled in a way that registries read differently")
    if document.get("schemaVersion") == 1:
        return References(_digests(document, "fsLayers", "blobSum"))
    return _references(document)


def _references(document: dict[str, Any]) -> References:
    media_type = document.get("mediaType") or ""
    if media_type and media_type not in SUPPORTED_TYPES and media_type not in _ARTIFACTS:
        raise Unreadable(f"its mediaType {str(media_type)[:160]!r} is unknown")
    if not media_type and "config" not in document and "manifests" not in document:
        raise Unreadable("it is no manifest of a known kind")
    blobs = _keyed([document["config"]], "digest") if document.get("config") is not None else {}
    for member in _BLOBS:
        blobs |= _digests(document, member, "digest")
    subject = document.get("subject")
    [referred_to] = _keyed([subject], "digest") if subject is not None else [""]
    return References(blobs, _digests(document, "manifests", "digest"), referred_to)


def _digests(document: dict[str, Any], member: str, name: str) -> Keyed:
    found = document.get(member)
    if found is None:
        return {}
    if not isinstance(found, list):
        raise Unreadable(f"its {member} is no list")
    return _keyed(found, name)


def _keyed(descriptors: Sequence[Any], name: str) -> Keyed:
    keyed: Keyed = {}
    for descriptor in descriptors:
        digest = descriptor.get(name) if isinstance(descriptor, dict) else None
        if not isinstance(digest, str) or (key := key_of(digest)) is None:
            raise Unreadable("a descriptor in it has no digest")
        keyed[digest] = key
    return keyed
