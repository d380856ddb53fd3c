"""Random registries, and a slow model of what is needed in them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from hypothesis import strategies as st

from dregistry.digest import Digest
from dregistry.manifest import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from dregistry.storage import paths

from .support import Storage, subject

NAMES = ("a", "a/b", "c")
LAYERS = [f"layer {number}".encode() for number in range(6)]
TAGS = ("v1", "v2", "latest")
IMAGE, INDEX, SCHEMA1, BROKEN = "image", "index", "schema1", "broken"


@frozen
class Document:
    """:ivar blobs: digests, as text; so are the others."""

    kind: str
    content: bytes
    blobs: frozenset[str] = frozenset()
    children: frozenset[str] = frozenset()
    subject: str = ""

    @property
    def digest(self) -> Digest:
        return Digest.of(self.content)


@define
class Repository:
    """:ivar tags: each with what it points at."""

    manifests: set[int] = field(factory=set)
    links: set[int] = field(factory=set)
    tags: dict[str, int] = field(factory=dict)


@define
class Registry:
    """
    :ivar documents: manifests; repositories refer to them by their places in this list.
    :ivar missing: those whose content is not there.
    :ivar present: layers whose content is.
    """

    documents: list[Document]
    missing: set[int]
    present: set[int]
    repositories: dict[str, Repository]

    def write(self, storage: Storage) -> None:
        for number in self.present:
            storage.blob(LAYERS[number])
        for number, document in enumerate(self.documents):
            if number not in self.missing:
                storage.blob(document.content)
        for name, repository in self.repositories.items():
            for number in repository.links:
                digest = Digest.of(LAYERS[number])
                storage.put(paths.layer_link(name, digest), digest)
            for number in repository.manifests:
                digest = self.documents[number].digest
                storage.put(paths.revision_link(name, digest), digest)
            for tag, number in repository.tags.items():
                digest = self.documents[number].digest
                storage.put(paths.tag_current_link(name, tag), digest)
                storage.put(paths.tag_index_link(name, tag, digest), digest)

    def readable(self, number: int) -> bool:
        return number not in self.missing and self.documents[number].kind != BROKEN

    def kept(self, name: str, untagged_go: bool) -> set[int]:
        """
        The manifests of a repository that stay, by the rules as they are written in docs/maintenance.md: over and over,
        until nothing is added.
        """
        repository = self.repositories[name]
        if not untagged_go:
            return repository.manifests
        texts = {number: str(self.documents[number].digest) for number in repository.manifests}
        kept = {number for number in repository.tags.values() if number in repository.manifests}
        while True:
            stays = {texts[number] for number in kept}
            listed = {child for number in kept if self.readable(number) for child in self.documents[number].children}
            more = {n for n, text in texts.items() if text in listed}
            more |= {n for n in texts if self.readable(n) and self.documents[n].subject in stays}
            more |= {n for n in texts if n not in self.missing and not self.readable(n)}
            if any(not self.readable(number) for number in kept | more):
                more = repository.manifests
            if more <= kept:
                return kept
            kept = kept | more

    def tagged(self, name: str) -> set[int]:
        """The manifests of a repository that stay by registry:2's rule, if untagged ones go."""
        repository = self.repositories[name]
        return repository.manifests & set(repository.tags.values())

    def needed(self, kept: Callable[[str], set[int]]) -> set[str]:
        """
        The digests that stay.

        :param kept: tells which manifests of a repository do.
        """
        needed: set[str] = set()
        for name, repository in self.repositories.items():
            for number in kept(name):
                needed.add(str(self.documents[number].digest))
                if self.readable(number):
                    needed |= self.documents[number].blobs | self.documents[number].children
                else:
                    needed |= {str(Digest.of(LAYERS[each])) for each in repository.links}
        return needed


def registries(broken: bool) -> st.SearchStrategy[Registry]:
    """:param broken: whether some manifests are missing, cannot be read, or are not for every registry to read."""

    @st.composite
    def build(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Registry:
        documents: list[Document] = []
        for number in range(draw(st.integers(0, 7))):
            kinds = [IMAGE, IMAGE, INDEX, *([SCHEMA1, BROKEN] if broken else [])]
            documents.append(_document(draw, number, draw(st.sampled_from(kinds)), documents))
        numbers = st.sets(st.integers(0, len(documents) - 1)) if documents else st.just(set())
        layers = st.sets(st.integers(0, len(LAYERS) - 1))
        found = {}
        for name in draw(st.sets(st.sampled_from(NAMES))):
            tags = draw(st.dictionaries(st.sampled_from(TAGS), st.integers(0, len(documents) - 1))) if documents else {}
            found[name] = Repository(draw(numbers), draw(layers), tags)
        missing = draw(numbers) if broken else set()
        return Registry(documents, missing, draw(layers), found)

    return build()


def _document(
    draw: Callable[[st.SearchStrategy[Any]], Any], number: int, kind: str, before: list[Document]
) -> Document:
    """One that may refer to those before it."""
    digests = [str(each.digest) for each in before] + [str(Digest.of(b"never pushed"))]
    referred_to = draw(st.sampled_from([*digests, ""])) if kind in (IMAGE, INDEX) else ""
    members: dict[str, Any] = {"annotations": {"number": str(number)}}
    if referred_to:
        members["subject"] = subject(Digest.parse(referred_to))
    if kind == INDEX:
        children = draw(st.lists(st.sampled_from(digests), max_size=3))
        media_type = draw(st.sampled_from([OCI_INDEX, DOCKER_LIST]))
        platform = {"architecture": "amd64", "os": "linux"}
        listed = [{**subject(Digest.parse(child)), "platform": platform} for child in children]
        document = {"schemaVersion": 2, "mediaType": media_type, "manifests": listed, **members}
        return Document(kind, json.dumps(document).encode(), frozenset(), frozenset(children), referred_to)
    blobs = [str(Digest.of(each)) for each in draw(st.lists(st.sampled_from(LAYERS), min_size=1, max_size=3))]
    if kind == IMAGE:
        media_type = draw(st.sampled_from([OCI_MANIFEST, DOCKER_MANIFEST]))
        config, *layers = ({"mediaType": "a/b", "digest": digest, "size": 1} for digest in blobs)
        document = {"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers, **members}
        return Document(kind, json.dumps(document).encode(), frozenset(blobs), frozenset(), referred_to)
    if kind == SCHEMA1:
        document = {"schemaVersion": 1, "name": "a", "tag": "b", "fsLayers": [{"blobSum": each} for each in blobs]}
        return Document(kind, json.dumps({**document, **members}).encode(), frozenset(blobs))
    return Document(kind, f"broken {number}".encode())
