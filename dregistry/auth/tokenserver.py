"""
Tokens for the users of this registry's other controllers, made and recognised by the same process.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import jwt
from attrs import field, frozen
from zope.interface import implementer

from ..config import Seconds, about
from ._challenge import bearer_challenge, scope_of, unfit_for_header
from ._interfaces import (
    Access,
    AuthContext,
    Credential,
    Grant,
    Identity,
    InvalidCredential,
    IssuedToken,
    IStarting,
    ITokenIssuer,
    OptionsInvalid,
    Refreshable,
)
from ._signing import ALGORITHM, SigningKeys, read_directory
from ._verify import Expectations, TokenVerifier, grant_of
from ._watched import describe

_FIVE_MINUTES = Seconds(300.0)
_MONTH = Seconds(30 * 86400.0)
_SHORTEST = 60.0
"""Seconds: clients take a token for good at least so long."""
_LEEWAY = 5.0
"""Seconds by which the clocks of replicas may differ."""


def _at_least_a_minute(value: float) -> str | None:
    return None if value >= _SHORTEST else "must be at least 60s"


def _url_path(value: str) -> str | None:
    usable = value.startswith("/") and value.isascii() and value.isprintable() and len(value) > 1
    if not usable or any(mark in value for mark in '<>?#%\\" ') or value.startswith("/v2"):
        return "must be a path such as /auth/token, not below /v2"
    return None


@frozen
class TokenServerOptions:
    """
    :ivar keys: directory of the keys that sign; made if it is missing. Processes and replicas share it.
    :ivar service: the audience of the tokens: what the registry is called.
    :ivar issuer: that the tokens name.
    :ivar realm: URL by which clients reach the token server; by default it follows their requests.
    :ivar path: of the token server on this registry.
    :ivar lifetime: of tokens.
    :ivar refreshlifetime: of refresh tokens; 0s for none.
    :ivar rotation: how long a key signs.
    """

    keys: str
    service: str = field(default="dregistry", metadata=about(check=unfit_for_header))
    issuer: str = "dregistry"
    realm: str = field(default="", metadata=about(check=unfit_for_header))
    path: str = field(default="/auth/token", metadata=about(check=_url_path))
    lifetime: Seconds = field(default=_FIVE_MINUTES, metadata=about(check=_at_least_a_minute))
    refreshlifetime: Seconds = _MONTH
    rotation: Seconds = field(default=_MONTH, metadata=about(check=_at_least_a_minute))


def check(options: TokenServerOptions) -> None:
    """:raise OptionsInvalid: if the directory cannot be used, or not be made."""
    path = options.keys
    try:
        if os.path.lexists(path):
            if os.stat(path).st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise OptionsInvalid("keys", f"{path} can be written to by others than its owner; chmod 700")
            read_directory(path)
    except OSError as error:
        raise OptionsInvalid("keys", f"{path} cannot be used: {describe(error)}") from None


def _keep(options: TokenServerOptions) -> float:
    return max(options.lifetime, options.refreshlifetime) + 2 * _LEEWAY


@implementer(ITokenIssuer, IStarting)
class TokenServer:
    name = "tokenserver"

    def __init__(self, options: TokenServerOptions, context: AuthContext) -> None:
        self.path = options.path
        self.service = options.service
        self._options = options
        self._seconds: Callable[[], float] = context.reactor.seconds
        self._keys = SigningKeys(options.keys, options.rotation, _keep(options), context.reactor, context.threads)
        self._refresh_audience = f"{options.path} of {options.service}"
        self._tokens = self._verifier(options.service)
        self._refresh_tokens = self._verifier(self._refresh_audience)

    def start(self) -> None:
        self._keys.start()

    def _verifier(self, audience: str) -> TokenVerifier:
        expected = Expectations(self._options.issuer, audience, frozenset({ALGORITHM}), _LEEWAY)
        return TokenVerifier(self._keys, expected, self._seconds)

    async def authenticate(self, credential: Credential, accesses: Sequence[Access]) -> Grant | None:
        if credential.scheme != "bearer" or not credential.parameter:
            return None
        return await self._tokens.grant(credential.parameter)

    def challenge(self, credential: Credential, accesses: Sequence[Access], error: str) -> str | None:
        realm = self._options.realm or credential.base_url() + self.path
        return bearer_challenge(realm, self.service, scope_of(accesses), error if credential.scheme == "bearer" else "")

    async def issue(self, identity: Identity, accesses: Sequence[Access]) -> IssuedToken:
        actions: dict[tuple[str, str], list[str]] = {}
        for access in accesses:
            actions.setdefault((access.type, access.name), []).append(access.action)
        entries = [{"type": type_, "name": name, "actions": found} for (type_, name), found in actions.items()]
        issued = self._seconds()
        lifetime = self._options.lifetime
        token = await self._signed(self.service, identity, issued, lifetime, access=entries)
        return IssuedToken(token, issued, lifetime)

    async def refresh_token(self, refreshable: Refreshable) -> str | None:
        lifetime = self._options.refreshlifetime
        if not lifetime:
            return None
        more = {"controller": refreshable.controller, "mark": refreshable.mark}
        return await self._signed(self._refresh_audience, refreshable.identity, self._seconds(), lifetime, **more)

    async def redeem(self, refresh_token: str) -> Refreshable:
        claims = await self._refresh_tokens.claims(refresh_token)
        controller, mark = claims.get("controller"), claims.get("mark")
        if not isinstance(controller, str) or not (mark is None or isinstance(mark, str)):
            raise InvalidCredential("malformed claims")
        return Refreshable(grant_of(claims).identity, controller, mark)

    async def _signed(self, audience: str, identity: Identity, issued: float, lifetime: float, **more: Any) -> str:
        key = await self._keys.newest()
        claims = {
            "iss": self._options.issuer,
            "sub": identity.name,
            "aud": audience,
            "exp": int(issued + lifetime),
            "nbf": int(issued),
            "iat": int(issued),
            "jti": str(uuid4()),
            **({"groups": sorted(identity.groups)} if identity.groups else {}),
            **more,
        }
        return jwt.encode(claims, key.key, ALGORITHM, {"kid": key.kid})
