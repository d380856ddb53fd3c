"""
Marking: which manifests of each repository stay, and all that they refer to.

A manifest is read once, however many repositories hold it, and its content is not kept. What is remembered of it is
that it was read and, when untagged manifests are to go, the children and the subject of the few that have some.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice

from attrs import define, field, frozen

from ..storage import Tree, paths
from ._ahead import ahead
from ._digests import DigestSet, Keyed, key_of, unchecked
from ._documents import References, Unreadable, references
from ._repositories import Place, digests_below
from .report import Fault, Watcher

_BATCH = 16
"""Manifests that are read in one go."""
_SMALL = 1 << 16
"""Bytes of manifests that are read ahead; larger ones are read one by one, as they may be of some MiB."""
_TAGS = 64
_ONLY_FOR_LEFTOVERS = frozenset({"_uploads", "_referrers"})
_CANONICAL = "sha256:"
_NOTHING = References()
_ALL_STAY = "a manifest of its repository cannot be read, and may refer to it"


@frozen
class Survey:
    """
    What a repository has.

    :ivar revisions: digests of its manifests.
    :ivar tagged: what its tags point at; None if all its manifests stay.
    :ivar contents: of some of its manifests.
    """

    place: Place
    revisions: Keyed = field(factory=dict)
    tagged: Collection[str] | None = None
    contents: Mapping[str, bytes] = field(factory=dict)


def survey(tree: Tree, place: Place, untagged_go: bool, known: DigestSet) -> Survey:
    """
    Look at a repository; nothing of other repositories matters for it.

    :param known: manifests whose content will not be needed.
    """
    for part in _ONLY_FOR_LEFTOVERS & place.parts:
        tree.names(f"{paths.repository(place.name)}/{part}")
    if paths.MANIFESTS_DIRECTORY not in place.parts:
        return Survey(place)
    revisions = digests_below(tree, paths.revisions(place.name), "link")
    tagged = _tagged(tree, place.name) if untagged_go and revisions else None
    return Survey(place, revisions, tagged, _first_contents(tree, revisions, known))


def _first_contents(tree: Tree, revisions: Keyed, known: DigestSet) -> dict[str, bytes]:
    unread = (digest for digest, key in revisions.items() if digest.startswith(_CANONICAL) and key not in known)
    first = list(islice(unread, _BATCH))
    contents = tree.contents([paths.blob_data(unchecked(digest)) for digest in first], _SMALL)
    return {digest: content for digest, content in zip(first, contents, strict=True) if content is not None}


def _tagged(tree: Tree, name: str) -> set[str]:
    tags = tree.names(paths.tags(name))
    batches = (tags[start : start + _TAGS] for start in range(0, len(tags), _TAGS))

    def links(batch: list[str]) -> list[bytes | None]:
        return tree.contents([paths.tag_current_link(name, tag) for tag in batch])

    return {_link(link) for batch in ahead(tree, links, batches) for link in batch}


def _link(content: bytes | None) -> str:
    """The digest in a link file; empty if there is none."""
    found = (content or b"").decode("ascii", "replace").strip()
    return found if key_of(found) is not None else ""


@frozen
class _Read:
    """
    A manifest of a repository.

    :ivar content: the digest that its bytes are stored by; empty if there are none.
    :ivar known: what it refers to; None if that cannot be told, for the reason ``fault``.
    """

    digest: str
    key: bytes
    content: str
    known: References | None
    fault: str = ""


@define(eq=False)
class Marking:
    """
    :ivar marks: all that stays.
    :ivar done: manifests whose references are marked.
    :ivar faults: how many manifests stay that cannot be read.
    """

    tree: Tree
    watcher: Watcher
    marks: DigestSet = field(factory=DigestSet)
    faults: int = 0
    done: DigestSet = field(factory=DigestSet)
    _edges: dict[str, References] = field(factory=dict)

    def repository(self, found: Survey) -> dict[str, str]:
        """Mark what it needs. The manifests that it does not: digest to the digest of their subject, or to nothing."""
        self.watcher.repository(found.place.name)
        if found.tagged is not None:
            return _Closure(self, found).of(found.tagged)
        for read in self.read(found, list(found.revisions)):
            self.keep(found.place.name, read, edges=False)
        return {}

    def keep(self, name: str, read: _Read, edges: bool) -> bool:
        """
        Mark a manifest and what it refers to; whether that could be told. If not, all blobs of the repository are.

        :param edges: whether its children and its subject will be asked for again.
        """
        self.watcher.marking_manifest(name, read.digest)
        self.marks.add(read.key)
        self._add(read.content)
        if read.known is None:
            self.faults += 1
            self.watcher.fault(Fault(read.digest, f"{read.fault}: all that its repository holds stays", name))
            self._mark(name, digests_below(self.tree, paths.layers(name)))
            return False
        self._mark(name, read.known.blobs)
        for digest, key in read.known.children.items():
            if self.marks.add(key):
                self.watcher.marking_blob(name, digest)
        if edges and (read.known.children or read.known.subject):
            self._edges[read.digest] = References({}, read.known.children, read.known.subject)
        self.done.add(read.key)
        return True

    def _mark(self, name: str, digests: Keyed) -> None:
        for digest, key in digests.items():
            if self.marks.add(key):
                self.watcher.marking_blob(name, digest)
                if not digest.startswith(_CANONICAL):  # distribution stores the content by sha256, and links it
                    [link] = self.tree.contents([paths.layer_link(name, unchecked(digest))])
                    self._add(_link(link))

    def _add(self, digest: str) -> None:
        if (key := key_of(digest)) is not None:
            self.marks.add(key)

    def read(self, found: Survey, digests: Sequence[str]) -> Iterator[_Read]:
        """Some manifests of a repository, in this order; of one that was read before, what matters of it still."""
        keys = found.revisions
        batches = (digests[start : start + _BATCH] for start in range(0, len(digests), _BATCH))
        loaded = ahead(self.tree, lambda batch: (batch, *self._load(found, batch)), batches)
        for batch, targets, contents in loaded:
            for digest in batch:
                if keys[digest] in self.done:
                    yield _Read(digest, keys[digest], "", self._edges.get(digest, _NOTHING))
                elif digest in targets:
                    yield self._parsed(digest, keys[digest], targets[digest], contents.get(digest))
                else:
                    yield _Read(digest, keys[digest], "", None, "its link is broken")

    def _load(self, found: Survey, digests: Sequence[str]) -> tuple[dict[str, str], dict[str, bytes | None]]:
        """Targets, see :meth:`_targets`, and contents as far as they are small."""
        unread = [digest for digest in digests if found.revisions[digest] not in self.done]
        targets = self._targets(found.place.name, unread)
        away = [digest for digest in targets if digest not in found.contents]
        read = self.tree.contents([paths.blob_data(unchecked(targets[digest])) for digest in away], _SMALL)
        return targets, {**found.contents, **dict(zip(away, read, strict=True))}

    def _parsed(self, digest: str, key: bytes, target: str, content: bytes | None) -> _Read:
        if content is None:
            [content] = self.tree.contents([paths.blob_data(unchecked(target))])
        if content is None:
            return _Read(digest, key, "", None, "its content is missing")
        try:
            return _Read(digest, key, target, references(content, target))
        except Unreadable as error:
            return _Read(digest, key, target, None, str(error))

    def _targets(self, name: str, digests: Sequence[str]) -> dict[str, str]:
        """By what digest each manifest's content is stored; those are left out whose links do not say."""
        others = [digest for digest in digests if not digest.startswith(_CANONICAL)]
        links = (
            self.tree.contents([paths.revision_link(name, unchecked(digest)) for digest in others]) if others else []
        )
        linked = dict(zip(others, map(_link, links), strict=True))
        targets = {digest: linked.get(digest, digest) for digest in digests}
        return {digest: target for digest, target in targets.items() if target}


class _Closure:
    """
    One repository, whose manifests stay if a tag points at them, if they are children of one that stays, or if their
    subject stays.
    """

    def __init__(self, marking: Marking, found: Survey) -> None:
        self._marking = marking
        self._found = found
        self._name = found.place.name
        self._rest = dict.fromkeys(found.revisions, "")
        self._referrers: dict[str, list[str]] = {}
        self._sound = True

    def of(self, tagged: Collection[str]) -> dict[str, str]:
        """Mark what stays. What does not, as :meth:`Marking.repository` tells it."""
        self._keep([(digest, "") for digest in self._rest if digest in tagged])
        unreadable = [read.digest for read in self._read(list(self._rest)) if not self._fits(read)]
        self._keep([(digest, "it cannot be read") for digest in unreadable])
        self._keep(
            [
                each
                for subject in self._found.revisions.keys() - self._rest.keys()
                for each in self._referring_to(subject)
            ]
        )
        if not self._sound:
            self._keep([(digest, _ALL_STAY) for digest in self._rest])
        return self._rest

    def _fits(self, read: _Read) -> bool:
        """Note what an untagged manifest refers to. False for what might be anything."""
        if read.known is not None and read.known.subject:
            self._rest[read.digest] = read.known.subject
            self._referrers.setdefault(read.known.subject, []).append(read.digest)
        return read.known is not None or not read.content

    def _keep(self, waiting: list[tuple[str, str]]) -> None:
        """
        Mark manifests that are not marked yet, and what hangs on them.

        :param waiting: pairs of digest and reason.
        """
        while waiting:
            reasons = {digest: reason for digest, reason in waiting if digest in self._rest}
            waiting = []
            for read in self._read(list(reasons)):
                del self._rest[read.digest]
                if reason := reasons[read.digest]:
                    self._marking.watcher.kept(self._name, read.digest, reason)
                self._sound = self._marking.keep(self._name, read, edges=True) and self._sound
                children = read.known.children if read.known is not None else ()
                waiting += [(child, f"the index {read.digest} lists it") for child in children]
                waiting += self._referring_to(read.digest)

    def _read(self, digests: Sequence[str]) -> Iterator[_Read]:
        return self._marking.read(self._found, digests)

    def _referring_to(self, subject: str) -> list[tuple[str, str]]:
        return [(digest, f"its subject {subject} stays") for digest in self._referrers.pop(subject, ())]
