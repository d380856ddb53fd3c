"""
Keys that sign tokens: files of one directory, which all processes and replicas share.

A key is a file ``<seconds since the epoch>-<kid>.pem``. The newest signs; the others verify what they have signed until
that has expired, and are removed then.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Any

from attrs import field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from twisted.logger import Logger

from ..errors import Unavailable
from ..storage import Threads
from ._keys import KeySet, VerificationKey, thumbprint
from ._watched import Unreadable, WatchedFile, describe

ALGORITHM = "ES256"
_NAME = re.compile(r"([0-9]{1,12})-([A-Za-z0-9_-]{43})\.pem")
_FOR_OTHERS = 0o027
"""What may not be allowed for a key: to change it for its group, and anything for the rest of the world."""

_log = Logger()


@frozen
class SigningKey:
    """:ivar created: in seconds since the epoch."""

    created: int
    kid: str
    key: EllipticCurvePrivateKey = field(repr=False)


def read_directory(path: str) -> Sequence[SigningKey]:
    """
    All keys, the newest first; files that are none, or that others could have read, are logged and left out.

    :raise OSError:
    """
    found = []
    for name in os.listdir(path):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        try:
            found.append(SigningKey(int(match[1]), match[2], _read_key(os.path.join(path, name), match[2])))
        except (OSError, ValueError, UnsupportedAlgorithm) as error:
            _log.error("{path}/{name} is not used: {error}", path=path, name=name, error=describe(error))
    return sorted(found, key=lambda key: (-key.created, key.kid))


def _read_key(path: str, kid: str) -> EllipticCurvePrivateKey:
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_mode & _FOR_OTHERS:
            raise ValueError("others than its owner may read or change it; chmod 600")
        key = load_pem_private_key(file.read(), None)
    if not isinstance(key, EllipticCurvePrivateKey) or thumbprint(key.public_key()) != kid:
        raise ValueError("not the key that its name says")
    return key


def renew(path: str, now: float, rotation: float, keep: float) -> None:
    """
    Make a key if there is none that is younger than ``rotation`` seconds, and remove those that were replaced more than
    ``keep`` seconds ago. One process at a time does so.

    :raise OSError:
    """
    os.makedirs(path, 0o700, exist_ok=True)
    lock = os.open(os.path.join(path, ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = read_directory(path)
        for newer, key in pairwise(keys):
            if newer.created + keep < now:
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(path, f"{key.created}-{key.kid}.pem"))
        if not keys or now - keys[0].created >= rotation:
            _make(path, now)
    finally:
        os.close(lock)


def _make(path: str, now: float) -> None:
    key = generate_private_key(SECP256R1())
    name = f"{int(now)}-{thumbprint(key.public_key())}.pem"
    temporary = os.path.join(path, f".{secrets.token_hex(8)}~")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, os.path.join(path, name))
    except OSError:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync(path)
    _log.info("a new key signs tokens: {path}/{name}", path=path, name=name)


def _sync(path: str) -> None:
    directory = os.open(path, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


class SigningKeys:
    """
    The keys of a directory, as one process sees them.

    :param rotation: seconds for which a key signs.
    :param keep: seconds for which what it signed may be good.
    """

    def __init__(self, path: str, rotation: float, keep: float, reactor: Any, threads: Threads) -> None:
        self.changes = 0
        self._path = path
        self._rotation = rotation
        self._keep = keep
        self._threads = threads
        self._seconds: Callable[[], float] = reactor.seconds
        self._file = WatchedFile(path, read_directory, reactor, threads)
        self._set = KeySet()

    def start(self) -> None:
        """Make the first key, if there is none."""
        try:
            renew(self._path, self._seconds(), self._rotation, self._keep)
        except OSError as error:
            _log.error("{path}: no key can be made: {error}", path=self._path, error=describe(error))

    async def newest(self) -> SigningKey:
        """
        The key to sign with.

        :raise Unavailable: if there is none, and none can be made.
        """
        try:
            keys = await self._all()
        except Unavailable:
            keys = ()
        if not keys or self._seconds() - keys[0].created >= self._rotation:
            await self._threads.run(self.start)
            self._file.distrust()
            keys = await self._all()
        if not keys:
            raise Unavailable("tokens cannot be made now")
        return keys[0]

    async def now(self) -> KeySet:
        keys = await self._all()
        if self._file.changes != self.changes:
            self.changes = self._file.changes
            self._set = KeySet(
                {key.kid: VerificationKey(key.kid, key.key.public_key(), frozenset({ALGORITHM})) for key in keys}
            )
        return self._set

    async def find(self, kid: str) -> VerificationKey | None:
        found = (await self.now()).keys.get(kid)
        if found is None and await self._threads.run(self._is_there, kid):  # another process made it a moment ago
            self._file.distrust()
            found = (await self.now()).keys.get(kid)
        return found

    def _is_there(self, kid: str) -> bool:
        matches = (_NAME.fullmatch(name) for name in os.listdir(self._path))
        return any(match[2] == kid for match in matches if match is not None)

    async def _all(self) -> Sequence[SigningKey]:
        try:
            return await self._file.get()
        except Unreadable:
            raise Unavailable("the keys of tokens cannot be read now") from None
