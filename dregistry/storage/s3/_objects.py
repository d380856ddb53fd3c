"""
What a bucket holds.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import define, frozen


@frozen
class Stored:
    """
    An object: its size, and what tells it from another at the same key.

    :ivar modified: seconds since the epoch.
    :ivar age: seconds since it was made when the service was asked, by its clock.
    """

    key: str
    size: int
    etag: str
    modified: float | None = None
    age: float | None = None


@frozen
class Page:
    """
    :ivar prefixes: up to the delimiter, that included.
    :ivar next: continues the listing; empty at its end.
    """

    objects: Sequence[Stored]
    prefixes: Sequence[str]
    next: str


@frozen
class Part:
    number: int
    etag: str
    size: int


@frozen
class Upload:
    """A multipart upload, under way."""

    key: str
    id: str


class Changed(Exception):
    """An object, or a part, is not (any more) what it is said to be."""


@define
class NoUpload(Exception):
    """
    There is no such multipart upload.

    :ivar again: whether the request was sent more than once, so that an earlier one may have ended the upload.
    """

    again: bool
