"""
What services do differently, found out by trying.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from uuid import uuid4

from twisted.logger import Logger

from .. import StorageError
from ._api import Bucket
from ._concurrent import Shared
from ._objects import Changed, NoUpload, Stored
from ._parts import etag_of

_log = Logger()
ABSENT: Mapping[str, str] = {"If-None-Match": "*"}
"""The condition of a PUT that replaces nothing."""


def only(etag: str) -> Mapping[str, str]:
    """The condition of a PUT that replaces an object of that ETag."""
    return {"If-Match": etag}  # without quotes, which Ceph would compare, too


class Habit:
    """
    A question to the service, asked once.

    :param what: for the log.
    :param ask: makes objects whose keys begin with what it is given, and removes them.
    """

    def __init__(self, what: str, prefix: str, ask: Callable[[str], Awaitable[bool]]) -> None:
        self._what = what
        self._prefix = prefix
        self._ask = ask
        self._answer: bool | None = None
        self._asked = Shared(self._find_out)

    async def there(self) -> bool:
        """False, too, if it cannot be found out."""
        if self._answer is None:
            await self._asked.wait()
        return bool(self._answer)

    async def _find_out(self) -> None:
        try:
            self._answer = await self._ask(f"{self._prefix}.dregistry-probe-{uuid4().hex}")
        except (StorageError, Changed, NoUpload) as error:
            _log.warn("S3: cannot find out about {what}: {error}", what=self._what, error=str(error))
            self._answer = False
        else:
            _log.info("S3: {what}: {answer}", what=self._what, answer="yes" if self._answer else "no")


class Habits:
    """
    :param prefix: of the keys of objects that are made, and removed, to find out.
    :param conditional: whether to make use of conditional writes.
    """

    def __init__(self, bucket: Bucket, prefix: str, conditional: bool) -> None:
        self._bucket = bucket
        self._wanted = conditional
        self._conditional = Habit("conditional writes", prefix, self._refuses_second)
        self._copies = Habit("conditional copies", prefix, self._refuses_copy)
        self._directories = Habit("empty directories that stay", prefix, self._keeps_empty)
        self._digests = Habit("ETags that are digests of the parts", prefix, self._digests_parts)

    async def while_there(self, there: Stored | None) -> Mapping[str, str]:
        """
        The header fields of a PUT that is refused unless ``there`` is what it replaces, or nothing if that is None.
        None where the service would ignore them.
        """
        if not await self.conditional():
            return {}
        return ABSENT if there is None else only(there.etag)

    async def conditional(self) -> bool:
        """Whether there are conditional writes, and use is to be made of them."""
        return self._wanted and await self._conditional.there()

    async def keeps_directories(self) -> bool:
        """Whether directories stay, for a while, when the last object below is gone."""
        return await self._directories.there()

    async def copies_conditionally(self) -> bool:
        """Whether a copy is refused if its source is not what it was; Ceph's is not, of old."""
        return await self._copies.there()

    async def digests_parts(self) -> bool:
        """Whether the ETag of parts put together is what :func:`dregistry.storage.s3._parts.etag_of` says."""
        return await self._digests.there()

    async def _refuses_copy(self, probe: str) -> bool:
        await self._bucket.put(probe, ())
        try:
            await self._bucket.copy(Stored(probe, 0, "0" * 32), f"{probe}-copy")
        except Changed:
            return True
        else:
            await self._bucket.delete(f"{probe}-copy")
            return False
        finally:
            await self._bucket.delete(probe)

    async def _digests_parts(self, probe: str) -> bool:
        upload = await self._bucket.create_upload(probe)
        part = await self._bucket.upload_part(upload, 1, [b"part"])
        etag = await self._bucket.complete(upload, [part])
        await self._bucket.delete(probe)
        return etag == etag_of([part])

    async def _refuses_second(self, probe: str) -> bool:
        await self._bucket.put(probe, (), ABSENT)
        try:
            await self._bucket.put(probe, (), ABSENT)
        except Changed:
            return True
        else:
            return False
        finally:
            await self._bucket.delete(probe)

    async def _keeps_empty(self, probe: str) -> bool:
        await self._bucket.put(f"{probe}/directory/object", ())
        await self._bucket.delete(f"{probe}/directory/object")
        kept = bool((await self._bucket.page(f"{probe}/", "/")).prefixes)
        if kept:
            await self._bucket.delete_many([f"{probe}/directory/", f"{probe}/"])
        return kept
