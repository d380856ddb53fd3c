"""
Copies that the service makes by itself.
"""

from __future__ import annotations

from itertools import pairwise

from attrs import frozen

from .. import StorageUnavailable
from ._api import Bucket
from ._concurrent import concurrently
from ._habits import Habits
from ._objects import Changed, NoUpload, Part, Stored, Upload
from .options import SMALLEST_PART


@frozen
class Copier:
    """
    Copies what it is asked for, or nothing: also where the service does not look at the condition.

    :ivar chunk: bytes of a part of a copy in parts.
    :ivar at_once: parts that are asked for at one time.
    :ivar threshold: bytes up to which one request copies all.
    """

    bucket: Bucket
    habits: Habits
    chunk: int
    at_once: int
    threshold: int

    async def copy(self, source: Stored, key: str) -> None:
        """:raise Changed: if the source is not what it was."""
        if not source.size:
            await self.bucket.put(key, ())
            return
        if source.size <= self.threshold and await self.habits.copies_conditionally():
            await self.bucket.copy(source, key)
            return
        upload = await self.bucket.create_upload(key)
        try:
            await self.bucket.complete(upload, await self.copy_parts(upload, 1, source))
        except NoUpload:
            raise StorageUnavailable(f"the copy to {key} was aborted by somebody else") from None
        except BaseException:
            await self.bucket.abort(upload)
            raise

    async def copy_parts(self, upload: Upload, number: int, source: Stored) -> list[Part]:
        """
        Make parts of an object, the first of which is ``number``; any others may follow them.

        :raise Changed: if the source is not what it was.
        :raise NoUpload:
        """

        async def copy_one(part: tuple[int, tuple[int, int]]) -> Part:
            return await self.bucket.copy_part(upload, part[0], source, *part[1])

        parts = await concurrently(copy_one, list(enumerate(split(source.size, self.chunk), number)), self.at_once)
        there = await self.bucket.head(source.key)
        if there is None or there.etag != source.etag:
            raise Changed
        return parts


def split(size: int, chunk: int) -> list[tuple[int, int]]:
    """
    Content in even parts of about ``chunk`` bytes at most, none of them smaller than S3 allows unless it is the only
    one: their first and last bytes.
    """
    count = -(-size // max(chunk, 2 * SMALLEST_PART))
    ends = [size * number // count for number in range(count + 1)]
    return [(first, end - 1) for first, end in pairwise(ends)]
