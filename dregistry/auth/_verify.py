"""
Bearer tokens (RFC 7519) as distribution's token servers make them.
"""

from __future__ import annotations

import json
import math
import re
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Protocol

import jwt
from attrs import frozen
from jwt.api_jws import PyJWS

from ._chain import verified_leaf
from ._interfaces import ANY, IMAGE, REPOSITORY, Access, Grant, Identity, InvalidCredential, NotRecognised
from ._keys import KeySet, VerificationKey
from ._remembered import Remembered

LARGEST = 15_000
"""Characters of a token. Twisted takes some more for all headers of a request."""
_FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_FORBIDDEN_HEADERS = frozenset({"crit", "jku", "x5u", "b64", "zip"})
"""They say where to find a key, or change what is signed: nothing of that is up to whoever sends the token."""
_REMEMBERED = 4096
_MOST_ACCESSES = 1000

_jws = PyJWS()


class Keys(Protocol):
    """
    Where verification keys come from.

    :ivar changes: counts how often they became others.
    """

    changes: int

    async def find(self, kid: str) -> VerificationKey | None:
        """
        The key of that name, if there is one now.

        :raise dregistry.errors.Unavailable: if no keys could be had yet.
        """

    async def now(self) -> KeySet:
        """All keys, as of now or a moment ago. Has the source looked at if it is time."""


@frozen
class TokenAccesses:
    """:ivar actions: by type and name of a resource."""

    actions: Mapping[tuple[str, str], frozenset[str]]

    def __contains__(self, access: object) -> bool:
        if not isinstance(access, Access):
            return False
        granted = self.actions.get((access.type, access.name), ())
        return access.action in granted or ANY in granted


@frozen
class Expectations:
    """
    :ivar issuer: that tokens must name.
    :ivar audience: that must be the one, or among those, that tokens name.
    :ivar algorithms: by which they may be signed.
    :ivar leeway: seconds by which clocks may differ.
    """

    issuer: str
    audience: str
    algorithms: frozenset[str]
    leeway: float


class TokenVerifier:
    """Verifies each token once, and remembers it by its hash until it expires or the keys change."""

    def __init__(self, keys: Keys, expected: Expectations, seconds: Callable[[], float]) -> None:
        self._keys = keys
        self._expected = expected
        self._seconds = seconds
        self._verified = Remembered[Grant](_REMEMBERED)
        self._changes = keys.changes

    async def grant(self, token: str) -> Grant:
        """
        :raise InvalidCredential:
        :raise dregistry.errors.Unavailable: if there are no keys yet to verify it by.
        """
        if len(token) > LARGEST:
            raise InvalidCredential("token too large")
        await self._keys.now()
        if self._keys.changes != self._changes:
            self._verified.clear()
            self._changes = self._keys.changes
        key = sha256(token.encode("utf-8", "replace")).digest()
        now = self._seconds()
        found = self._verified.get(key, now)
        if found is None:
            claims, expires = await self._verify(token, now)
            found = grant_of(claims)
            self._verified.put(key, found, expires)
        return found

    async def claims(self, token: str) -> Mapping[str, Any]:
        """What a good token says, which is not remembered; raises as :meth:`grant` does."""
        if len(token) > LARGEST:
            raise InvalidCredential("token too large")
        return (await self._verify(token, self._seconds()))[0]

    async def _verify(self, token: str, now: float) -> tuple[Mapping[str, Any], float]:
        """The claims, and until when they are good."""
        if _FORM.fullmatch(token) is None:
            raise NotRecognised("not a token of three parts")
        header = _header(token)
        claims = _claims(token)
        if claims.get("iss") != self._expected.issuer:
            raise NotRecognised("token of another issuer")
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._expected.algorithms:
            raise InvalidCredential("token of an algorithm that is not allowed")
        key = await self._key(header, now)
        if algorithm not in key.algorithms:
            raise InvalidCredential("token of an algorithm that is not its key's")
        try:
            _jws.decode_complete(token, key.key, algorithms=[algorithm])
        except (jwt.PyJWTError, ValueError, TypeError):
            raise InvalidCredential("token with a wrong signature") from None
        return claims, self._checked(claims, now)

    async def _key(self, header: Mapping[str, Any], now: float) -> VerificationKey:
        """By the first of ``x5c``, ``jwk`` and ``kid`` that there is. A ``jwk`` only names a key that is known."""
        jwk = header.get("jwk", {})
        if not isinstance(jwk, dict):
            raise InvalidCredential("token with a malformed header")
        x5c = header.get("x5c", jwk.get("x5c"))
        if x5c is not None:
            return verified_leaf(x5c, (await self._keys.now()).roots, now)
        kid = jwk.get("kid") if jwk else header.get("kid")
        if not isinstance(kid, str) or not kid:
            raise InvalidCredential("token that names no key")
        key = await self._keys.find(kid)
        if key is None:
            raise InvalidCredential("token of an unknown key")
        return key

    def _checked(self, claims: Mapping[str, Any], now: float) -> float:
        """When the token expires, if it is for this registry and for now."""
        expected = self._expected
        audience = claims.get("aud")
        if expected.audience not in (audience if isinstance(audience, list) else [audience]):
            raise InvalidCredential("token for another audience")
        expires = _time(claims, "exp") + expected.leeway
        if now >= expires:
            raise InvalidCredential("token expired")
        if now < _time(claims, "nbf", 0.0) - expected.leeway:
            raise InvalidCredential("token not valid yet")
        return expires


def _header(token: str) -> Mapping[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise InvalidCredential("token with a malformed header") from None
    if not _FORBIDDEN_HEADERS.isdisjoint(header):
        raise InvalidCredential("token with a header that is not allowed")
    return header


def _claims(token: str) -> Mapping[str, Any]:
    """What the token says, nothing of it verified."""
    payload = token.split(".")[1]
    try:
        claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (ValueError, RecursionError):
        raise InvalidCredential("malformed claims") from None
    if not isinstance(claims, dict):
        raise InvalidCredential("malformed claims")
    return claims


def _time(claims: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """Seconds since the epoch (RFC 7519, NumericDate)."""
    value = claims.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidCredential("malformed times")
    try:
        seconds = float(value)
    except OverflowError:
        raise InvalidCredential("malformed times") from None
    if not math.isfinite(seconds):
        raise InvalidCredential("malformed times")
    return seconds


def grant_of(claims: Mapping[str, Any]) -> Grant:
    """
    What a token's claims are worth.

    :raise InvalidCredential: if they are malformed.
    """
    subject = claims.get("sub", "")
    groups: Any = claims.get("groups")
    listed = claims.get("access") or []
    if (
        not isinstance(subject, str)
        or not subject.isprintable()
        or not isinstance(listed, list)
        or len(listed) > _MOST_ACCESSES
    ):
        raise InvalidCredential("malformed claims")
    actions: dict[tuple[str, str], frozenset[str]] = {}
    classes: dict[str, frozenset[str]] = {}
    for each in listed:
        type_, class_, name, granted = _access(each)
        actions[type_, name] = actions.get((type_, name), frozenset()) | granted
        if type_ == REPOSITORY:
            classes[name] = classes.get(name, frozenset()) | {class_ or IMAGE}
    if not _all_strings(groups):  # not every issuer means the same by this claim
        groups = []
    return Grant(Identity(subject, frozenset(groups)), TokenAccesses(actions), classes)


def _access(entry: Any) -> tuple[str, str, str, frozenset[str]]:
    """Type, class, name and actions of one entry; ``repository(plugin)`` is a type with its class."""
    if not isinstance(entry, dict):
        raise InvalidCredential("malformed claims")
    type_, class_, name = (entry.get(key) or "" for key in ("type", "class", "name"))
    actions = entry.get("actions") or []
    if not _all_strings([type_, class_, name]) or not _all_strings(actions):
        raise InvalidCredential("malformed claims")
    if type_.endswith(")") and "(" in type_:
        type_, _, inner = type_[:-1].partition("(")
        class_ = class_ or inner
    return type_, class_, name, frozenset(actions)


def _all_strings(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(each, str) for each in values)
