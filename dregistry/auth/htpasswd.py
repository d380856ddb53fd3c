"""
Names and passwords in a file of htpasswd's format, hashed by bcrypt.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from hashlib import blake2b

import bcrypt
from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ..config import about
from ..errors import TooManyRequests, Unavailable
from ._challenge import basic_challenge, unfit_for_header
from ._interfaces import (
    Access,
    AuthContext,
    Credential,
    Grant,
    IAccessController,
    IAccounts,
    IDecoy,
    Identity,
    InvalidCredential,
    IStarting,
    OptionsInvalid,
)
from ._remembered import Remembered
from ._watched import Unreadable, WatchedFile, describe

_LONGEST_PASSWORD = 72
"""Bytes that bcrypt looks at; longer passwords are refused, so that nobody takes the rest for secret."""
_HASH = re.compile(rb"\$2[aby]\$(?:0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}")
_TRUSTED_FOR = 60.0
"""Seconds for which a password that was right need not be hashed again."""
_REMEMBERED = 4096
_MOST_HASHING = 64
"""Passwords that wait to be hashed."""
_NOBODY = b"$2b$10$" + b"." * 53
"""What a password is compared with where there is no hash to compare it with."""

_log = Logger()


@frozen
class HtpasswdOptions:
    """
    :ivar realm: shown to people who are asked for a password.
    :ivar path: of the file.
    :ivar provision: make the file if it is missing, with the user ``docker`` and a random password.
    """

    realm: str = field(metadata=about(check=unfit_for_header))
    path: str
    provision: bool = False


def check(options: HtpasswdOptions) -> None:
    """:raise OptionsInvalid: if the file cannot be read."""
    if options.provision and not os.path.lexists(options.path):
        return
    try:
        read_entries(options.path)
    except OSError as error:
        raise OptionsInvalid("path", f"{options.path} cannot be read: {describe(error)}") from None


def read_entries(path: str) -> Mapping[str, bytes]:
    """
    Bcrypt hashes by the names of users; lines of other kinds are logged by number, and left out.

    :raise OSError:
    """
    with open(path, "rb") as file:
        lines = file.read().split(b"\n")
    entries: dict[str, bytes] = {}
    for number, line in enumerate(map(bytes.strip, lines), 1):
        if not line or line.startswith(b"#"):
            continue
        name, colon, hashed = line.partition(b":")
        if not colon or _HASH.fullmatch(hashed) is None:
            _log.warn("{path}: line {number} is no name with a bcrypt hash, left out", path=path, number=number)
            continue
        with suppress(UnicodeDecodeError):
            entries[name.decode("utf-8")] = hashed
    return entries


@implementer(IAccessController, IDecoy, IAccounts, IStarting)
class Htpasswd:
    """
    The file is looked at once a second, so a password changes, and a user vanishes, without a restart. If it cannot be
    read, nobody is let in.
    """

    name = "htpasswd"

    def __init__(self, options: HtpasswdOptions, context: AuthContext) -> None:
        self._options = options
        self._challenge = basic_challenge(options.realm)
        self._file = WatchedFile(options.path, read_entries, context.reactor, context.threads)
        self._context = context
        self._seconds: Callable[[], float] = context.reactor.seconds
        self._key = secrets.token_bytes(32)
        self._right = Remembered[bool](_REMEMBERED)
        self._checking: dict[bytes, list[Deferred[bool]]] = {}
        self._hashing = 0

    def start(self) -> None:
        path = self._options.path
        if self._options.provision and not os.path.lexists(path):
            try:
                _provision(path)
            except OSError as error:
                _log.error("{path} cannot be made: {error}", path=path, error=describe(error))

    async def authenticate(self, credential: Credential, accesses: Sequence[Access]) -> Grant | None:
        found = None if credential.is_absent else credential.password()
        if found is None:
            return None
        name, password = found
        hashed = (await self._entries()).get(name)
        if hashed is None:
            return None
        mac = self._mac(name, password, hashed)
        if self._right.get(mac, self._seconds()) is None and not await self._check(
            credential.address, name, password, hashed, mac
        ):
            raise InvalidCredential("wrong name or password")
        return Grant(Identity(name))

    def challenge(self, credential: Credential, accesses: Sequence[Access], error: str) -> str | None:
        return self._challenge

    async def pretend(self, credential: Credential) -> None:
        try:
            found = credential.password()
        except InvalidCredential:
            return
        if found is not None:
            name, password = found
            hashed = self._decoy(name, await self._entries())
            await self._check(credential.address, name, password, hashed, self._mac(name, password, hashed), False)

    async def mark(self, name: str) -> str | None:
        hashed = (await self._entries()).get(name)
        return None if hashed is None else blake2b(hashed, digest_size=16, person=b"dregistry mark").hexdigest()

    async def _entries(self) -> Mapping[str, bytes]:
        try:
            return await self._file.get()
        except Unreadable:
            raise Unavailable("passwords cannot be checked now") from None

    async def _check(
        self, address: str, name: str, password: bytes, hashed: bytes, mac: bytes, known: bool = True
    ) -> bool:
        """Whether the password is right. Requests that bring the same one at the same time share the work."""
        sharing = self._checking.get(mac)
        if sharing is not None:
            waiting: Deferred[bool] = Deferred()
            sharing.append(waiting)
            return await waiting
        sharing = self._checking[mac] = []
        try:
            await self._context.slowdown.attempt(address, name)
            right = await self._hash(password, hashed) and known
        except Exception as error:
            del self._checking[mac]
            for waiting in sharing:
                waiting.errback(error)
            raise
        del self._checking[mac]
        if right:
            self._context.slowdown.succeeded(address, name)
            self._right.put(mac, True, self._seconds() + _TRUSTED_FOR)
        for waiting in sharing:
            waiting.callback(right)
        return right

    async def _hash(self, password: bytes, hashed: bytes) -> bool:
        if self._hashing >= _MOST_HASHING:
            raise TooManyRequests("too many passwords to check")
        self._hashing += 1
        try:
            return await self._context.threads.run(_matches, password, hashed)
        finally:
            self._hashing -= 1

    def _decoy(self, name: str, entries: Mapping[str, bytes]) -> bytes:
        """The hash of some user, the same for each unknown name: costs differ where a file has grown old."""
        if not entries:
            return _NOBODY
        number = int.from_bytes(blake2b(name.encode("utf-8"), key=self._key, digest_size=8).digest())
        return list(entries.values())[number % len(entries)]

    def _mac(self, name: str, password: bytes, hashed: bytes) -> bytes:
        """Stands for a password that was right, as long as the file says the same of the user."""
        text = b"%d:%s%s%s" % (len(password), password, hashed, name.encode("utf-8"))
        return blake2b(text, key=self._key, digest_size=32).digest()


def _matches(password: bytes, hashed: bytes) -> bool:
    if len(password) > _LONGEST_PASSWORD:
        return False
    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:
        return False


def _provision(path: str) -> None:
    """Write the file, and beside it, for the operator only, the password. Who comes second changes nothing."""
    password = secrets.token_urlsafe(32)
    os.makedirs(os.path.dirname(path) or ".", 0o700, exist_ok=True)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(b"docker:" + bcrypt.hashpw(password.encode("ascii"), bcrypt.gensalt()) + b"\n")
        descriptor = os.open(f"{path}.password", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(password + "\n")
        _log.warn("{path} was missing; made with user docker, the password is in {path}.password", path=path)
