"""
What maintenance tells of: a line of output, of JSON, or nothing, as whoever started it likes.
"""

from __future__ import annotations

from attrs import frozen

BLOB, MANIFEST, LINK, LEFTOVER, UPLOAD = "blob", "manifest", "layer link", "leftover", "upload"


@frozen
class Item:
    """
    Something that nobody needs, or that must not be served.

    :ivar kind: one of this module's constants.
    :ivar name: a digest, or a path where there is none.
    :ivar repository: empty if it belongs to none.
    :ivar size: bytes in the storage that it takes by itself; links take none.
    :ivar reason: why, for people.
    :ivar removed: False if it only would be.
    """

    kind: str
    name: str
    reason: str
    removed: bool
    repository: str = ""
    size: int = 0


@frozen
class Fault:
    """
    Something that is not as it should be, and stays as it is.

    :ivar name: a digest or a path.
    """

    name: str
    reason: str
    repository: str = ""


class Watcher:
    """Is told what happens, as it happens. Every method may be left out."""

    def phase(self, name: str, total: int | None = None) -> None:
        """
        A part of the work begins.

        :param total: how many steps it has, if that is known.
        """

    def step(self) -> None:
        """One of its steps is done."""

    def read(self, size: int) -> None:
        """Bytes of a blob were read."""

    def repository(self, name: str) -> None:
        """Its manifests are looked at next."""

    def marking_manifest(self, repository: str, digest: str) -> None:
        """The manifest stays."""

    def marking_blob(self, repository: str, digest: str) -> None:
        """The blob stays, as that repository needs it; told for the first that does."""

    def kept(self, repository: str, digest: str, reason: str) -> None:
        """A manifest stays though no tag points at it."""

    def marked(self, marked: int, blobs: int, manifests: int) -> None:
        """
        All that stays is known.

        :param marked: digests that are needed.
        :param blobs: how many are not.
        :param manifests: how many repositories' manifests are not.
        """

    def item(self, item: Item) -> None:
        """It was found, and unless this is a trial, removed."""

    def fault(self, fault: Fault) -> None:
        """It was found."""
