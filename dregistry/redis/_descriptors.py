"""
Descriptors as distribution keeps them in a Redis, so that it and dregistry can share one:

``blobs::<digest>``
    a hash: ``digest`` by which the content is stored, ``size``, ``mediatype``; and ``looked``, which is ours: when
    dregistry last looked at the content, in whole seconds since the epoch. Without it a descriptor is of no use here.
``repository::<name>::blobs``, ``repository::<name>::blobs::<digest>``
    distribution's set of the digests that a repository holds, and a hash with the media type there. To distribution
    they are the permission to read. dregistry looks at the storage for that: it never adds to them, and removes what
    it deletes.
"""

from __future__ import annotations

import re
from contextlib import suppress

from twisted.internet.defer import Deferred
from zope.interface import implementer

from ..digest import Digest
from ..errors import DigestInvalid
from ..manifest import OCTET_STREAM
from ..registry import LOOK_LASTS, ISharedDescriptors, Known
from ._connection import RedisConnection, RedisRefused, RedisUnavailable

_LIFETIME = 2 * int(LOOK_LASTS)
"""Seconds for which a descriptor is kept: it is no use to us for longer, and those of collected blobs are to go."""
_NUMBER = re.compile(rb"[0-9]{1,18}")


@implementer(ISharedDescriptors)
class RedisDescriptors:
    def __init__(self, connection: RedisConnection) -> None:
        self._connection = connection

    async def get(self, digest: Digest) -> Known | None:
        try:
            target, size, looked = await self._connection.ask("HMGET", _key(digest), "digest", "size", "looked")
        except RedisUnavailable:
            return None
        except RedisRefused as refused:
            if refused.kind == "WRONGTYPE":
                await self.forget(digest)
            return None
        if target is None and size is None:
            return None
        stored_as = _stored_as(target or b"")
        sound = stored_as is not None and all(map(_NUMBER.fullmatch, (size or b"", looked or b"0")))
        if not sound:
            await self.forget(digest)
        if not sound or stored_as != digest or looked is None:
            return None
        return Known(int(size), float(looked))

    def put(self, digest: Digest, known: Known) -> None:
        key = _key(digest)
        self._send("HSET", key, "digest", str(digest), "size", known.size, "looked", int(known.looked))
        self._send("HSETNX", key, "mediatype", OCTET_STREAM)
        self._send("EXPIRE", key, _LIFETIME)

    async def forget(self, digest: Digest) -> None:
        await self._ask("DEL", _key(digest))

    async def unlink(self, name: str, digest: Digest) -> None:
        self._send("SREM", f"repository::{name}::blobs", str(digest))
        await self._ask("DEL", f"repository::{name}::blobs::{digest}", _key(digest))

    def close(self) -> None:
        self._connection.close()

    def _send(self, *command: bytes | str | int) -> None:
        Deferred.fromCoroutine(self._ask(*command))

    async def _ask(self, *command: bytes | str | int) -> None:
        with suppress(RedisUnavailable, RedisRefused):
            await self._connection.ask(*command)


def _key(digest: Digest) -> str:
    return f"blobs::{digest}"


def _stored_as(text: bytes) -> Digest | None:
    """What distribution stores by another algorithm has that digest here."""
    try:
        return Digest.parse(text.decode("ascii", "replace"))
    except DigestInvalid:
        return None
