"""
What writers leave for later ones, in whatever process.

At a path that is written to there are, until it is committed, parts of a multipart upload to its key, all of them of
``chunksize``, and, after a writer was closed, an object at the key itself with the bytes that follow the parts: fewer
than ``chunksize``, too few for a part. Putting the parts together replaces that object.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from attrs import asdict, frozen

from .. import PathNotFound, StorageUnavailable, WriterBusy
from ._api import Bucket
from ._concurrent import concurrently
from ._objects import Part, Stored, Upload
from ._parts import digest_of
from .options import SMALLEST_PART


@frozen
class State:
    """
    :ivar upload: its id, empty if there is none.
    :ivar parts: how many of its parts are known.
    :ivar digest: of those.
    :ivar tail: the ETag of the object with the bytes that follow them, empty if there is none.
    :ivar more: whether there may be more parts, since the writer was not closed.
    """

    upload: str = ""
    parts: int = 0
    digest: str = ""
    tail: str = ""
    more: bool = False

    def encode(self) -> bytes:
        return json.dumps({name: value for name, value in asdict(self).items() if value}).encode()

    @classmethod
    def decode(cls, state: bytes) -> State:
        """:raise StorageUnavailable: if it is none of this driver's."""
        try:
            found = cls(**json.loads(state))
        except (ValueError, TypeError):
            raise StorageUnavailable("the state of an upload was not written by the s3 driver") from None
        return found


@frozen
class Staged:
    """
    :ivar tail: the object with the bytes that follow the parts.
    :ivar there: whatever object is at the key, of use or not.
    """

    upload: Upload | None = None
    parts: Sequence[Part] = ()
    tail: Stored | None = None
    there: Stored | None = None

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts) + (self.tail.size if self.tail else 0)


async def find_staged(bucket: Bucket, path: str, key: str, state: bytes, create: bool) -> Staged:
    """
    What a writer of that state begins with.

    Parts and objects that others have made since are not taken for its own: that is what the digests are for. So
    without a state there is nothing, whatever object is at the key.

    :param create: whether there may be nothing.
    :raise PathNotFound:
    :raise WriterBusy: if others have replaced some of it.
    """
    known = State.decode(state) if state else State()
    staged = await _find_known(bucket, path, key, known) if known != State() else None
    if staged is not None:
        return staged
    if create:
        return Staged(there=await bucket.head(key))
    raise PathNotFound(path)


async def _find_known(bucket: Bucket, path: str, key: str, known: State) -> Staged | None:
    upload = Upload(key, known.upload) if known.upload else None
    parts: Sequence[Part] | None = None
    there: Stored | None = None

    async def find_parts() -> None:
        nonlocal parts
        parts = await bucket.parts(upload) if upload is not None else None

    async def find_object() -> None:
        nonlocal there
        there = await bucket.head(key)

    await concurrently(lambda find: find(), [find_parts, find_object])
    if upload is None:
        return None if there is None else Staged(tail=_same(path, known, there), there=there)
    if parts is None or (known.tail and there is None and not known.more):
        return None
    return _with_parts(path, known, upload, parts, there)


def _with_parts(path: str, known: State, upload: Upload, parts: Sequence[Part], there: Stored | None) -> Staged:
    first = parts[: known.parts]
    if [part.number for part in first] != list(range(1, known.parts + 1)) or (
        first and digest_of(first) != known.digest
    ):
        raise WriterBusy(path)
    if not known.more:
        return Staged(upload, first, _same(path, known, there) if known.tail else None, there)
    whole = list(first)
    for part in parts[known.parts :]:
        if part.number != len(whole) + 1 or part.size < SMALLEST_PART:
            break
        whole.append(part)
    if len(whole) > len(first) or there is None or there.etag != known.tail:
        return Staged(upload, whole, None, there)
    return Staged(upload, first, there, there)


def _same(path: str, known: State, there: Stored | None) -> Stored:
    """:raise WriterBusy: if it is not the object that the state speaks of."""
    if there is None or there.etag != known.tail:
        raise WriterBusy(path)
    return there
