"""
How users get tokens: what the token server's address is asked, and what it answers.

The protocol is distribution's: "Token Authentication" and "OAuth2 Token Authentication".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import islice

from attrs import field, frozen

from ..errors import BadRequest, NameInvalid
from ..reference import parse_name
from ._control import AccessControl
from ._interfaces import (
    ANY,
    DELETE,
    PULL,
    PUSH,
    REPOSITORY,
    Access,
    Credential,
    IAccessController,
    IAccounts,
    Identity,
    InvalidCredential,
    IssuedToken,
    ITokenIssuer,
    Refreshable,
)

_SCOPE = re.compile(r"([a-z0-9]+)(?:\([a-z0-9]+\))?:([^ ]+):([a-z*,]*)")
_MOST_SCOPES = 100


@frozen
class TokenRequest:
    """
    :ivar credential: by which a user signs in.
    :ivar refresh_token: instead of that; empty without one.
    :ivar service: for which a token is wanted; empty for this one.
    :ivar accesses: that it should be good for.
    :ivar offline: whether a refresh token is wanted, too.
    """

    credential: Credential
    refresh_token: str = field(default="", repr=False)
    service: str = ""
    accesses: Sequence[Access] = ()
    offline: bool = False


@frozen
class TokenAnswer:
    """
    :ivar accesses: that the token is good for: some of those that were asked for.
    :ivar refresh_token: None without one.
    """

    token: IssuedToken
    accesses: Sequence[Access]
    refresh_token: str | None = field(repr=False)


def parse_scopes(scopes: Iterable[str]) -> list[Access]:
    """
    The accesses that ``repository:a/b:pull,push`` and the like ask for. What nobody could be granted is left out, and
    so is what comes after the hundredth resource.
    """
    accesses: list[Access] = []
    for scope in islice((each for text in scopes for each in text.split()), _MOST_SCOPES):
        match = _SCOPE.fullmatch(scope)
        if match is None:
            continue
        type_, name, actions = match[1], match[2], match[3].split(",")
        if type_ == REPOSITORY:
            try:
                parse_name(name)
            except NameInvalid:
                continue
            actions = [action for action in (PULL, PUSH, DELETE) if action in actions or ANY in actions]
        accesses += [Access(type_, name, action) for action in actions if action]
    return list(dict.fromkeys(accesses))


class TokenDesk:
    """Gives tokens to whom the other controllers know, for what the policy lets them do."""

    def __init__(self, control: AccessControl, issuer: ITokenIssuer) -> None:
        self._control = control
        self._issuer = issuer
        self._knowing: Sequence[IAccessController] = [each for each in control.controllers if each is not issuer]

    @property
    def path(self) -> str:
        return self._issuer.path

    async def answer(self, asked: TokenRequest) -> TokenAnswer:
        """
        :raise BadRequest: if the token is wanted for another service.
        :raise Unauthorized: if the credential is not good, or if one is needed to get anything at all.
        """
        if asked.service not in ("", self._issuer.service):
            raise BadRequest("this is not the token server of that service")
        if asked.refresh_token:
            identity = (await self._redeem(asked)).identity
            return await self._made(identity, asked.accesses, asked.refresh_token)
        found = await self._control.identify(asked.credential, (), self._knowing)
        if found is None:
            self._control.welcome(asked.credential, self._knowing)
            return await self._made(Identity(), asked.accesses, None)
        grant, controller = found
        wanted = [access for access in asked.accesses if grant.accesses is None or access in grant.accesses]
        refresh_token = None
        if asked.offline and grant.accesses is None:
            mark = await _mark(controller, grant.identity)
            refresh_token = await self._issuer.refresh_token(Refreshable(grant.identity, controller.name, mark))
        return await self._made(grant.identity, wanted, refresh_token)

    async def _made(self, identity: Identity, wanted: Sequence[Access], refresh_token: str | None) -> TokenAnswer:
        accesses = [access for access in wanted if self._control.grants(identity, access)]
        return TokenAnswer(await self._issuer.issue(identity, accesses), accesses, refresh_token)

    async def _redeem(self, asked: TokenRequest) -> Refreshable:
        """What the refresh token stands for, if its user still has the password of then."""
        try:
            found = await self._issuer.redeem(asked.refresh_token)
            [controller] = [each for each in self._knowing if each.name == found.controller]
            mark = await _mark(controller, found.identity)
            if mark == found.mark and (mark is not None or not IAccounts.providedBy(controller)):
                return found
            reason = "refresh token of a user whose password has changed"
        except InvalidCredential as error:
            reason = f"refresh token: {error.reason}"
        except ValueError:
            reason = "refresh token of a controller that is no more"
        raise self._control.refusal(asked.credential, (), self._knowing, reason)


async def _mark(controller: IAccessController, identity: Identity) -> str | None:
    mark: str | None = await controller.mark(identity.name) if IAccounts.providedBy(controller) else None
    return mark
