"""
Who may do what: the contract of access controllers.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence

from attrs import frozen
from zope.interface import Interface

PULL = "pull"
PUSH = "push"
DELETE = "delete"
ANY = "*"


@frozen
class Access:
    """
    One action on one resource.

    :ivar type: ``repository`` or ``registry``.
    :ivar name: of the repository, or ``catalog``.
    :ivar action: PULL, PUSH, DELETE or ANY.
    """

    type: str
    name: str
    action: str


@frozen
class Identity:
    """:ivar name: of the user; empty for nobody in particular."""

    name: str = ""


class IAccessController(Interface):
    """Asked once for each request, before its body is read."""

    def authorize(headers: Mapping[str, Sequence[str]], accesses: Sequence[Access]) -> Awaitable[Identity]:
        """
        Who is asking, if all ``accesses`` are granted.

        :param headers: lower-case names to values.
        :raise dregistry.errors.Unauthorized: with a challenge, if other credentials may help.
        :raise dregistry.errors.Denied: if none will.
        """
