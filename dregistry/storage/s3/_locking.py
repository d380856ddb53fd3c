"""
Locks among all processes of a bucket, by conditional writes.

A lock is an object that its holder makes where none may be yet, and removes. Whoever finds one that is older than a
lease, by the service's own clock, takes it for left by a process that ended; so a holder makes it anew in time.
"""

from __future__ import annotations

from random import SystemRandom
from typing import Any
from uuid import uuid4

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from zope.interface import implementer

from .. import ILock, StorageError
from ._api import Bucket
from ._habits import ABSENT, Habits, only
from ._objects import Changed

_log = Logger()
_LEASE = 15.0
"""Seconds."""
_LONGEST_PAUSE = 0.4
"""Seconds before a lock that is held is looked at again."""


@define(eq=False)
class Locker:
    """
    :param prefix: of the keys of locks.
    """

    _bucket: Bucket
    _habits: Habits
    _clock: Any
    _prefix: str
    _warned: bool = field(default=False, init=False)
    _releases: set[Deferred[None]] = field(factory=set, init=False)

    async def lock(self, path: str) -> ILock:
        """As :class:`dregistry.storage.ILocking` says. Without conditional writes it excludes nobody."""
        if not await self._habits.conditional():
            if not self._warned:
                _log.warn("S3: without conditional writes, preconditions of pushes to other processes do not count")
            self._warned = True
            return _NoLock()
        key = self._prefix + path
        condition = ABSENT
        while True:
            began = self._clock.seconds()
            try:
                etag = await self._bucket.put(key, [_unique()], condition)
            except Changed:
                there = await self._bucket.head(key)
                left_behind = there is not None and there.age is not None and there.age > _LEASE
                condition = only(there.etag) if there is not None and left_behind else ABSENT
                if there is not None and not left_behind:
                    await deferLater(self._clock, SystemRandom().uniform(0, _LONGEST_PAUSE))
            else:
                return _Lock(self, key, etag, began)

    async def close(self) -> None:
        """Once the locks that were released are."""
        await DeferredList(list(self._releases))


@implementer(ILock)
class _NoLock:
    def release(self) -> None:
        pass


@implementer(ILock)
class _Lock:
    """:param since: when its object was made at the earliest, by our clock."""

    def __init__(self, locker: Locker, key: str, etag: str, since: float) -> None:
        self._locker = locker
        self._key = key
        self._etag = etag
        self._since = since
        self._renewal = LoopingCall(lambda: Deferred.fromCoroutine(self._renew()))
        self._renewal.clock = locker._clock
        self._renewal.start(_LEASE / 3, now=False)

    def release(self) -> None:
        self._renewal.stop()
        if self._locker._clock.seconds() - self._since > _LEASE / 2:
            return  # it was not renewed, and may be another's by now
        removal = Deferred.fromCoroutine(self._remove())
        self._locker._releases.add(removal)
        removal.addBoth(lambda _: self._locker._releases.discard(removal))

    async def _renew(self) -> None:
        began = self._locker._clock.seconds()
        try:
            self._etag = await self._locker._bucket.put(self._key, [_unique()], only(self._etag))
        except (StorageError, Changed) as error:
            _log.warn("S3: the lock {key} may be lost: {error!r}", key=self._key, error=error)
        else:
            self._since = began

    async def _remove(self) -> None:
        try:
            await self._locker._bucket.delete(self._key)
        except StorageError as error:
            _log.warn("S3: the lock {key} stays until its lease ends: {error!r}", key=self._key, error=error)


def _unique() -> bytes:
    """Content that no other lock has, so that no other has its ETag."""
    return uuid4().hex.encode("ascii")
