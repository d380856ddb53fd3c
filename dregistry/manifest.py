"""
Manifests: media types, descriptors, and what is checked before one is stored.

A :class:`Manifest` keeps the bytes it was parsed from; they are stored and served as they came. The formats are the
OCI image specification's manifest and index, and docker's schema 2 manifest and manifest list.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from attrs import field, frozen

from .digest import Digest
from .errors import DigestInvalid, ManifestInvalid

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCTET_STREAM = "application/octet-stream"

MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
SUPPORTED_TYPES = MANIFEST_TYPES | INDEX_TYPES

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
NONDISTRIBUTABLE_TYPES = frozenset(
    {
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    }
)
"""Layers that are to be fetched from where they came from."""
_MEMBERS = ("schemaVersion", "mediaType", "artifactType", "config", "layers", "manifests", "subject", "annotations")
_SPELLINGS = {member.lower(): member for member in _MEMBERS}

_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1"


@frozen
class Descriptor:
    """
    What refers to content (image-spec, "OCI Content Descriptors").

    :ivar size: bytes, never negative.
    :ivar urls: where else the content is; a layer that has some need not be in the registry.
    """

    media_type: str
    digest: Digest
    size: int
    urls: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(factory=dict)
    artifact_type: str = ""
    platform: Mapping[str, Any] = field(factory=dict)


@frozen
class Manifest:
    """
    A manifest that has been checked.

    :ivar content: the bytes as they came.
    :ivar blobs: config first, then layers; empty for an index.
    :ivar manifests: the children of an index; empty for a manifest.
    :ivar artifact_type: its own, else (for a manifest) its config's media type, as the referrers API wants it.
    """

    content: bytes = field(repr=False)
    media_type: str
    blobs: tuple[Descriptor, ...] = ()
    manifests: tuple[Descriptor, ...] = ()
    subject: Descriptor | None = None
    artifact_type: str = ""
    annotations: Mapping[str, str] = field(factory=dict)

    @property
    def references(self) -> tuple[Descriptor, ...]:
        """All that it refers to, but for its subject."""
        return self.blobs + self.manifests


def parse_manifest(content: bytes, content_type: str | None) -> Manifest:
    """
    Read a manifest.

    :param content_type: the media type that the client states (parameters are ignored); None to take the
        document's own word, as for content that is already stored.
    :raise ManifestInvalid: saying what is wrong and where.
    """
    document = _load(content)
    for member in document:
        if _SPELLINGS.get(member.lower(), member) != member:
            raise ManifestInvalid(f"{member!r} differs from a member only by case: clients disagree on what it means")
    media_type = _media_type(document, content_type)
    if document.get("schemaVersion") != 2 or isinstance(document["schemaVersion"], (bool, float)):
        raise ManifestInvalid("schemaVersion must be 2 (docker's schema 1 is not supported)")
    index = media_type in INDEX_TYPES
    for foreign in ("config", "layers", "fsLayers") if index else ("manifests", "fsLayers"):
        if foreign in document:
            raise ManifestInvalid(f"a {media_type} has no member {foreign!r}: its type would be ambiguous")
    if index:
        blobs: tuple[Descriptor, ...] = ()
        manifests = tuple(_descriptors(document, "manifests"))
    else:
        config = _descriptor(document.get("config"), "config")
        blobs = (config, *_descriptors(document, "layers"))
        manifests = ()
    subject = None
    if document.get("subject") is not None:
        subject = _descriptor(document["subject"], "subject")
    artifact_type = _string(document, "artifactType", "") or (blobs[0].media_type if blobs else "")
    return Manifest(
        content, media_type, blobs, manifests, subject, artifact_type, _strings(document, "annotations", "")
    )


def stored_media_type(content: bytes) -> str:
    """
    The media type of a manifest that is stored already, perhaps by a registry that checked other things.

    :raise ManifestInvalid: if it is no JSON object.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ManifestInvalid("the stored content is no manifest")
    own = document.get("mediaType")
    if isinstance(own, str) and own:
        return own
    return OCI_INDEX if "manifests" in document else OCI_MANIFEST


def _load(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_members)
        if _SURROGATE.search(content):
            json.dumps(document, ensure_ascii=False).encode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestInvalid(f"not UTF-8 at byte {error.start}") from None
    except UnicodeEncodeError:
        raise ManifestInvalid("a string has half of a surrogate pair, which stands for no character") from None
    except RecursionError:
        raise ManifestInvalid("nested too deeply") from None
    except json.JSONDecodeError as error:
        raise ManifestInvalid(f"not JSON: {error}") from None
    except ValueError:  # see sys.set_int_max_str_digits
        raise ManifestInvalid("a number has too many digits") from None
    if not isinstance(document, dict):
        raise ManifestInvalid("a manifest is a JSON object")
    return document


def _no_constant(name: str) -> NoReturn:
    raise ManifestInvalid(f"not JSON: {name}")


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Of an object. What has a member twice is read one way here and another way there."""
    members = dict(pairs)
    if len(members) < len(pairs):
        first: set[str] = set()
        for name, _ in pairs:
            if name in first:
                raise ManifestInvalid(f"the member {name[:64]!r} stands twice in one object")
            first.add(name)
    return members


def _media_type(document: dict[str, Any], content_type: str | None) -> str:
    stated = content_type.partition(";")[0].strip().lower() if content_type else None
    own = document.get("mediaType")
    if own is None:
        own = stated or (OCI_INDEX if "manifests" in document else OCI_MANIFEST)
        if own in (DOCKER_MANIFEST, DOCKER_LIST):
            raise ManifestInvalid(f"a {own} must state its mediaType")
    if not isinstance(own, str):
        raise ManifestInvalid("mediaType must be a string")
    if own.startswith(_SCHEMA1) or (stated or "").startswith(_SCHEMA1):
        raise ManifestInvalid("docker's manifest schema 1 is not supported: push schema 2 or OCI")
    if stated is not None and stated not in SUPPORTED_TYPES:
        raise ManifestInvalid(f"unknown Content-Type {stated[:160]!r}: a manifest is one of {sorted(SUPPORTED_TYPES)}")
    if own not in SUPPORTED_TYPES:
        raise ManifestInvalid(f"unknown mediaType {own[:160]!r}")
    if stated is not None and stated != own:
        raise ManifestInvalid(f"Content-Type is {stated}, but the document says mediaType {own}")
    return own


def _descriptors(document: dict[str, Any], member: str) -> Iterator[Descriptor]:
    found = document.get(member)
    if found is None:
        found = []
    if not isinstance(found, list):
        raise ManifestInvalid(f"{member} must be a list")
    for number, value in enumerate(found):
        yield _descriptor(value, f"{member}[{number}]")


def _descriptor(value: Any, where: str) -> Descriptor:
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} must be a descriptor (an object)")
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < 2**63:
        raise ManifestInvalid(f"{where}.size must be a whole number of bytes, not negative")
    try:
        digest = Digest.parse(_string(value, "digest", where))
    except DigestInvalid as error:
        raise ManifestInvalid(f"{where}.digest: {error.reason}") from None
    urls = value.get("urls") or []
    if not _is_strings(urls):
        raise ManifestInvalid(f"{where}.urls must be a list of strings")
    return Descriptor(
        _string(value, "mediaType", where),
        digest,
        size,
        tuple(urls),
        _strings(value, "annotations", where + "."),
        _string(value, "artifactType", where),
        _platform(value.get("platform"), f"{where}.platform"),
    )


def _platform(value: Any, where: str) -> dict[str, Any]:
    """The strings of a platform, and the lists of strings: image-spec knows nothing else in there."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ManifestInvalid(f"{where} must be an object")
    for member in ("architecture", "os", "os.version", "variant"):
        _string(value, member, where)
    return {member: found for member, found in value.items() if isinstance(found, str) or _is_strings(found)}


def _is_strings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _string(value: dict[str, Any], member: str, where: str) -> str:
    found = value.get(member)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise ManifestInvalid(f"{where + '.' if where else ''}{member} must be a string")
    return found


def _strings(value: dict[str, Any], member: str, prefix: str) -> dict[str, str]:
    found = value.get(member)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise ManifestInvalid(f"{prefix}{member} must be an object of strings")
    return found
