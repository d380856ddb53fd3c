"""
The parts of one multipart upload, several on their way at one time.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import md5, sha256
from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from .. import StorageError, StorageUnavailable
from ._api import Bucket
from ._objects import NoUpload, Part, Upload

_MOST = 10_000
"""Parts of one upload; S3's rule."""


class Parts:
    """
    :param at_once: parts that are on their way at one time.
    :param upload: None if it is still to be created, at ``key``.
    :param stored: its first parts, which are there.
    """

    def __init__(
        self, bucket: Bucket, key: str, at_once: int, upload: Upload | None = None, stored: Sequence[Part] = ()
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._at_once = at_once
        self.upload = upload
        self.gone = False
        """Whether somebody else has ended the upload: what is sent to it is lost."""
        self._stored = {part.number: part for part in stored}
        self._unstored: dict[int, Sequence[bytes]] = {}
        self._sending: dict[int, Deferred[None]] = {}
        self._failure: StorageError | None = None
        self._changed: Deferred[None] | None = None

    @property
    def stored(self) -> list[Part]:
        """In order."""
        return [self._stored[number] for number in sorted(self._stored)]

    @property
    def next(self) -> int:
        """
        The number of the next part.

        :raise StorageUnavailable: if there are too many.
        """
        number = len(self._stored) + len(self._unstored) + 1
        if number > _MOST:
            raise StorageUnavailable(f"{self._key} would have more than {_MOST} parts: raise chunksize")
        return number

    async def create(self) -> Upload:
        """The upload, which is there from now on."""
        if self.upload is None:
            self.upload = await self._bucket.create_upload(self._key)
        return self.upload

    def add(self, parts: Sequence[Part]) -> None:
        """Count parts that somebody else has made, from :attr:`next` on."""
        self._stored.update((part.number, part) for part in parts)

    def send(self, pieces: Sequence[bytes]) -> None:
        """Begin to send the next part of the upload."""
        number = self.next
        self._unstored[number] = pieces
        self._begin(number)

    async def room(self) -> None:
        """
        Wait until another part may be sent.

        :raise StorageError: if one could not be sent. It is sent again the next time.
        """
        self._begin_again()
        while len(self._sending) >= self._at_once:
            await self._change()
        self._report()

    async def settle(self) -> None:
        """
        Wait until all parts are stored.

        :raise StorageError: as of :meth:`room`.
        """
        self._begin_again()
        while self._sending:
            await self._change()
        self._report()

    async def stop(self) -> None:
        """Drop what is on its way, and end the upload."""
        self._unstored.clear()
        for sending in list(self._sending.values()):
            sending.cancel()
        while self._sending:
            await self._change()
        upload, self.upload = self.upload, None
        if upload is not None:
            await self._bucket.abort(upload)

    def _begin_again(self) -> None:
        """Those that failed, once that was reported."""
        if self._failure is None:
            for number in self._unstored.keys() - self._sending.keys():
                self._begin(number)

    def _begin(self, number: int) -> None:
        sending = Deferred.fromCoroutine(self._send(number, self._unstored[number]))
        self._sending[number] = sending
        sending.addBoth(self._ended, number)

    async def _send(self, number: int, pieces: Sequence[bytes]) -> None:
        assert self.upload is not None
        self._stored[number] = await self._bucket.upload_part(self.upload, number, pieces)
        self._unstored.pop(number, None)

    def _ended(self, result: Any, number: int) -> None:
        del self._sending[number]
        if isinstance(result, Failure) and number in self._unstored:
            if result.check(NoUpload):
                self.gone = True
                self._unstored.clear()
            elif isinstance(result.value, StorageError):
                self._failure = self._failure or result.value
            else:
                self._failure = self._failure or StorageUnavailable(f"a part of {self._key}: {result.value!r}")
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.callback(None)

    async def _change(self) -> None:
        changed: Deferred[None] = Deferred()
        self._changed = changed
        try:
            await changed
        finally:
            if self._changed is changed:
                self._changed = None

    def _report(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


def etag_of(parts: Sequence[Part]) -> str:
    """Of the object that they make, as services compute it; empty if their own are not MD5 digests."""
    try:
        digests = b"".join(bytes.fromhex(part.etag.partition("-")[0]) for part in parts)
    except ValueError:
        return ""
    return f"{md5(digests, usedforsecurity=False).hexdigest()}-{len(parts)}"


def digest_of(parts: Sequence[Part]) -> str:
    """What tells these parts from any others."""
    return sha256("\n".join(part.etag for part in parts).encode()).hexdigest()[:32]
