"""
All access control of a registry: controllers, one after the other, and the policy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve
from twisted.logger import Logger

from ..errors import JSON, Denied, Unauthorized
from ._interfaces import (
    INSUFFICIENT_SCOPE,
    INVALID_TOKEN,
    Access,
    Credential,
    Grant,
    IAccessController,
    IDecoy,
    Identity,
    InvalidCredential,
    IStarting,
    ITokenIssuer,
    NotRecognised,
)
from .policy import Policy, Selection

_NOBODY = Grant(Identity())

_log = Logger()


class AccessControl:
    """
    :param controllers: asked in this order; the first that recognises a credential decides whose it is.
    :param policy: what identities may do; without one, whoever is signed in may do everything, and nobody else
        anything.
    :param groups: names of users by the names of groups, beside what credentials say.
    :ivar issuer: the one of the controllers that is an :class:`ITokenIssuer`; None without one.
    """

    def __init__(
        self,
        controllers: Sequence[IAccessController],
        policy: Policy | None = None,
        groups: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        self.controllers = controllers
        self.policy = policy
        self.issuer: Any = next(filter(ITokenIssuer.providedBy, controllers), None)
        self._groups: dict[str, frozenset[str]] = {}
        for group, users in (groups or {}).items():
            for user in users:
                self._groups[user] = self._groups.get(user, frozenset()) | {group}

    def start(self) -> None:
        """Before the first request."""
        for controller in self.controllers:
            if IStarting.providedBy(controller):
                starting: Any = controller
                starting.start()

    async def authorize(
        self, credential: Credential, accesses: Sequence[Access], wished: Sequence[Access] = ()
    ) -> Grant:
        """
        Let a request pass that may do all of ``accesses``.

        :param wished: those that the request can do without. A credential that is not for them is refused like one that
            is not for what is needed, as its owner may get a better one; but it is no fault if the policy denies them.
        :raise Unauthorized: if another credential may help.
        :raise Denied: if none will.
        """
        asked = [*accesses, *wished] if wished else accesses
        found = await self.identify(credential, asked, self.controllers)
        if found is None:
            if not self._is_open(accesses):
                raise self._unauthorized(credential, asked, self.controllers, "")
            return _NOBODY
        grant = found[0]
        identity = self.with_groups(grant.identity)
        if identity is not grant.identity:
            grant = evolve(grant, identity=identity)
        refused = [access for access in accesses if not self._policy_allows(identity, access)]
        if refused and identity.name:
            raise Denied(_sentence(identity.name, refused[0]), identity.name)
        if refused or not self._covers(grant, accesses, wished):
            raise self._unauthorized(credential, asked, self.controllers, INSUFFICIENT_SCOPE)
        return grant

    def _covers(self, grant: Grant, accesses: Sequence[Access], wished: Sequence[Access]) -> bool:
        """Whether a credential is for all that is needed, and for what else the policy would allow."""
        limits = grant.accesses
        if limits is None:
            return True
        for access in accesses:
            if access not in limits:
                return False
        return all(access in limits or not self._policy_allows(grant.identity, access) for access in wished)

    def allows(self, grant: Grant, access: Access) -> bool:
        """Whether one that has passed may also do that."""
        covered = grant.accesses is None or access in grant.accesses
        return covered and self._policy_allows(grant.identity, access)

    def selection(self, grant: Grant) -> Selection | None:
        """The repositories that one who may see the catalog sees there; None for all."""
        return None if self.policy is None else self.policy.selection(grant.identity)

    async def identify(
        self, credential: Credential, accesses: Sequence[Access], controllers: Sequence[IAccessController]
    ) -> tuple[Grant, IAccessController] | None:
        """
        What a credential is good for, and who says so; None if there is no credential.

        :param controllers: to ask, some or all of this registry's.
        :raise Unauthorized: if it is not good.
        """
        reason = "nobody recognises it"
        try:
            for controller in controllers:
                try:
                    grant = await controller.authenticate(credential, accesses)
                except NotRecognised as error:
                    reason = error.reason
                    continue
                if grant is not None:
                    return grant, controller
            if credential.is_absent:
                return None
            decoy: Any = next(filter(IDecoy.providedBy, controllers), None)
            if decoy is not None:
                await decoy.pretend(credential)
        except InvalidCredential as error:
            reason = error.reason
        raise self.refusal(credential, accesses, controllers, reason)

    def refusal(
        self, credential: Credential, accesses: Sequence[Access], controllers: Sequence[IAccessController], reason: str
    ) -> Unauthorized | Denied:
        """What to raise for a credential that is not good; it is logged, without anything of the credential."""
        address = credential.address or "a peer without address"
        _log.info("a credential from {address} is not good: {reason}", address=address, reason=reason)
        return self._unauthorized(credential, accesses, controllers, INVALID_TOKEN)

    def welcome(self, credential: Credential, controllers: Sequence[IAccessController]) -> None:
        """
        Let somebody without a credential pass who may do anything at all.

        :raise Unauthorized: if nobody may.
        """
        if self.policy is None or not self.policy.selection(_NOBODY.identity).prefixes:
            raise self._unauthorized(credential, (), controllers, "")

    def with_groups(self, identity: Identity) -> Identity:
        """The identity with the groups that the configuration has it in."""
        more = self._groups.get(identity.name)
        return identity if more is None else evolve(identity, groups=identity.groups | more)

    def grants(self, identity: Identity, access: Access) -> bool:
        """Whether a token may be made for that."""
        identity = self.with_groups(identity)
        return bool(identity.name) if self.policy is None else self.policy.allows(identity, access)

    def _unauthorized(
        self, credential: Credential, accesses: Sequence[Access], controllers: Sequence[IAccessController], error: str
    ) -> Unauthorized | Denied:
        """What to raise where a credential, or another one, may help."""
        asking = [self.issuer] if self.issuer is not None and self.issuer in controllers else controllers
        challenges = [controller.challenge(credential, accesses, error) for controller in asking]
        usable = [challenge for challenge in challenges if challenge is not None]
        if not usable:
            return Denied("only for clients with a certificate" if controllers else "nobody can sign in here")
        return Unauthorized(usable, [_listed(access) for access in accesses])

    def _is_open(self, accesses: Sequence[Access]) -> bool:
        """
        Whether a request without a credential passes. Asking for nothing is how clients find out what to bring, so that
        is answered by a challenge if there is any.
        """
        if not accesses:
            return not self.controllers
        return self.policy is not None and all(self.policy.allows(_NOBODY.identity, access) for access in accesses)

    def _policy_allows(self, identity: Identity, access: Access) -> bool:
        return self.policy is None or self.policy.allows(identity, access)


def _listed(access: Access) -> dict[str, JSON]:
    """As distribution writes it."""
    return {"Type": access.type, "Class": "", "Name": access.name, "Action": access.action}


def _sentence(user: str, access: Access) -> str:
    return f"the policy of this registry does not let {user} {access.action} {access.name}"
