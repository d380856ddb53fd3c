"""For tests, as distribution has it: whoever brings any ``Authorization`` header is let in."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen
from zope.interface import implementer

from ..config import about
from ._challenge import bearer_challenge, unfit_for_header
from ._interfaces import Access, Credential, Grant, IAccessController, Identity

_SILLY = Grant(Identity("silly"))


@frozen
class SillyOptions:
    """
    :ivar realm: of the challenge.
    :ivar service: of the challenge.
    """

    realm: str = field(metadata=about(check=unfit_for_header))
    service: str = field(metadata=about(check=unfit_for_header))


@implementer(IAccessController)
class Silly:
    name = "silly"

    def __init__(self, options: SillyOptions) -> None:
        self._options = options

    async def authenticate(self, credential: Credential, accesses: Sequence[Access]) -> Grant | None:
        return None if credential.is_absent else _SILLY

    def challenge(self, credential: Credential, accesses: Sequence[Access], error: str) -> str | None:
        scope = " ".join(f"{access.type}:{access.name}:{access.action}" for access in accesses)
        return bearer_challenge(self._options.realm, self._options.service, scope)
