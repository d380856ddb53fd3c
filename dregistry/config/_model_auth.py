"""The ``auth`` section."""

from typing import Literal

from attrs import Factory, frozen

from dregistry.config._field import DriverSection


@frozen
class AccessRule:
    """``auth.policy[]``: what some may do in some repositories.

    :ivar repositories: patterns.
    :ivar users: names; ``*`` for all who are signed in.
    :ivar groups: names.
    :ivar anonymous: for everybody, signed in or not.
    :ivar actions: that they may do; none, so that nobody else's longer pattern grants any.
    """

    repositories: tuple[str, ...]
    actions: tuple[Literal["pull", "push", "delete", "*"], ...]
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    anonymous: bool = False


@frozen
class Auth(DriverSection):
    """``auth``: the access controller and its options; without one, anybody may do anything.

    :ivar controllers: several instead of the one, each a mapping of its name to its options, in the order in which they
        are asked.
    :ivar tokenserver: options of that controller, beside the others; None without it.
    :ivar policy: who may do what; None for no limits to those who are signed in.
    :ivar groups: names of users by the names of groups.
    """

    controllers: tuple[dict[str, object], ...] = ()
    tokenserver: dict[str, object] | None = None
    policy: tuple[AccessRule, ...] | None = None
    groups: dict[str, tuple[str, ...]] = Factory(dict)
