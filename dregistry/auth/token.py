"""
Bearer tokens that a token server elsewhere has signed, with distribution's options.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import field, frozen
from zope.interface import implementer

from ..config import Seconds, about
from ..errors import Unavailable
from ._challenge import bearer_challenge, scope_of, unfit_for_header
from ._interfaces import (
    Access,
    AuthContext,
    Credential,
    Grant,
    IAccessController,
    OptionsInvalid,
)
from ._keys import ASYMMETRIC, SYMMETRIC, KeySet, VerificationKey, merged, read_bundle, read_jwks
from ._verify import Expectations, TokenVerifier
from ._watched import Unreadable, WatchedFile, describe

if TYPE_CHECKING:
    from .jwks import RemoteJwks

_HTTPS = "https://"
_MINUTE = Seconds(60.0)
_HOUR = Seconds(3600.0)


def _known_algorithms(names: Sequence[str]) -> str | None:
    unknown = [name for name in names if name not in ASYMMETRIC + SYMMETRIC]
    if unknown:
        return f"{', '.join(unknown)}: not among {', '.join(ASYMMETRIC + SYMMETRIC)}"
    return None


def _file_or_https(value: str) -> str | None:
    if "://" not in value:
        return None
    try:
        usable = value.startswith(_HTTPS) and bool(urlsplit(value).hostname)
    except ValueError:
        usable = False
    return None if usable else "must be a path, or a URL that starts with https://"


@frozen
class TokenOptions:
    """
    :ivar realm: URL of the token server.
    :ivar service: that tokens must name as their audience.
    :ivar issuer: that tokens must name.
    :ivar rootcertbundle: PEM file of certificates that sign tokens, or vouch for certificates that do.
    :ivar jwks: file or https URL of a JSON Web Key Set.
    :ivar autoredirect: tell clients to ask for tokens at the address by which they reached the registry.
    :ivar autoredirectpath: at that address.
    :ivar signingalgorithms: that tokens may use; none for all that have public keys.
    :ivar leeway: by which clocks may differ.
    :ivar jwksrefresh: how long keys of a URL are taken to be all.
    :ivar jwksroots: PEM file of the authorities to trust with that URL; empty for those of the system.
    """

    realm: str = field(metadata=about(check=unfit_for_header))
    service: str = field(metadata=about(check=unfit_for_header))
    issuer: str
    rootcertbundle: str = ""
    jwks: str = field(default="", metadata=about(check=_file_or_https))
    autoredirect: bool = False
    autoredirectpath: str = field(default="/auth/token", metadata=about(check=unfit_for_header))
    signingalgorithms: tuple[str, ...] = field(default=(), metadata=about(check=_known_algorithms))
    leeway: Seconds = _MINUTE
    jwksrefresh: Seconds = _HOUR
    jwksroots: str = ""


def is_remote(options: TokenOptions) -> bool:
    """Whether keys are fetched."""
    return options.jwks.startswith(_HTTPS)


def check(options: TokenOptions) -> None:
    """:raise OptionsInvalid: if there are no keys to verify tokens by, or what should have them cannot be read."""
    if not options.rootcertbundle and not options.jwks:
        raise OptionsInvalid("rootcertbundle", "name this, or jwks, or both: there is no key to verify tokens by")
    for key, path, read in _files(options):
        try:
            read(path)
        except (OSError, ValueError) as error:
            raise OptionsInvalid(key, f"{path} cannot be used: {describe(error)}") from None


def _files(options: TokenOptions) -> list[tuple[str, str, Any]]:
    found: list[tuple[str, str, Any]] = []
    if options.rootcertbundle:
        found.append(("rootcertbundle", options.rootcertbundle, read_bundle))
    if options.jwks and not is_remote(options):
        found.append(("jwks", options.jwks, read_jwks))
    if options.jwksroots:
        found.append(("jwksroots", options.jwksroots, read_bundle))
    return found


class TokenKeys:
    """Keys of files, which are looked at once a second, and of one URL."""

    def __init__(self, files: Sequence[WatchedFile[KeySet]], remote: RemoteJwks | None) -> None:
        self.changes = 0
        self._files = files
        self._remote = remote
        self._keys = KeySet()

    async def now(self) -> KeySet:
        try:
            sets = [await file.get() for file in self._files]
        except Unreadable:
            raise Unavailable("the keys that tokens are verified by cannot be read now") from None
        changes = sum(file.changes for file in self._files)
        if self._remote is not None:
            self._remote.freshen()
            sets.append(self._remote.keys)
            changes += self._remote.changes
        if changes != self.changes:
            self._keys, self.changes = merged(sets), changes
        return self._keys

    async def find(self, kid: str) -> VerificationKey | None:
        key = (await self.now()).keys.get(kid)
        if key is None and self._remote is not None:
            await self._remote.look_again()
            key = (await self.now()).keys.get(kid)
        return key


@implementer(IAccessController)
class Token:
    name = "token"

    def __init__(self, options: TokenOptions, context: AuthContext) -> None:
        self._options = options
        files = [
            WatchedFile(path, read, context.reactor, context.threads, keep=True)
            for key, path, read in _files(options)
            if key != "jwksroots"
        ]
        algorithms = frozenset(options.signingalgorithms or ASYMMETRIC)
        expected = Expectations(options.issuer, options.service, algorithms, options.leeway)
        keys = TokenKeys(files, _remote(options, context))
        self._verifier = TokenVerifier(keys, expected, context.reactor.seconds)

    async def authenticate(self, credential: Credential, accesses: Sequence[Access]) -> Grant | None:
        if credential.scheme != "bearer" or not credential.parameter:
            return None
        return await self._verifier.grant(credential.parameter)

    def challenge(self, credential: Credential, accesses: Sequence[Access], error: str) -> str | None:
        options = self._options
        realm = credential.base_url() + options.autoredirectpath if options.autoredirect else options.realm
        return bearer_challenge(
            realm, options.service, scope_of(accesses), error if credential.scheme == "bearer" else ""
        )


def _remote(options: TokenOptions, context: AuthContext) -> RemoteJwks | None:
    if not is_remote(options):
        return None
    from .jwks import RemoteJwks, make_client

    roots = b""
    if options.jwksroots:
        with open(options.jwksroots, "rb") as file:
            roots = file.read()
    client = make_client(context.reactor, roots)
    return RemoteJwks(options.jwks, options.jwksrefresh, client, context.reactor)
