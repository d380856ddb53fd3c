"""No access control: everybody may do everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zope.interface import implementer

from ._interfaces import Access, IAccessController, Identity

_ANYBODY = Identity()


@implementer(IAccessController)
class AllowAll:
    async def authorize(self, headers: Mapping[str, Sequence[str]], accesses: Sequence[Access]) -> Identity:
        return _ANYBODY
