"""
What the domain tells: an event for each thing that happened to a repository, as distribution's notifications know them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeAlias

from zope.interface import Interface

from ..digest import Digest
from ..manifest import Descriptor

PUSH = "push"
PULL = "pull"
MOUNT = "mount"
DELETE = "delete"

MANIFEST = "manifest"
BLOB = "blob"
TAG = "tag"


class Origin(NamedTuple):
    """
    Who asked, and how: what the event envelope calls ``request`` and ``actor``. All may be empty, as for work that no
    request caused.

    :ivar address: of the client, ``ip:port``.
    :ivar base_url: the scheme, host and prefix that the client reached the registry by, no trailing slash.
    """

    request_id: str = ""
    actor: str = ""
    address: str = ""
    host: str = ""
    method: str = ""
    user_agent: str = ""
    base_url: str = ""


class RegistryEvent(NamedTuple):
    """
    :ivar action: PUSH, PULL, MOUNT or DELETE.
    :ivar media_type: empty for a delete.
    :ivar digest: None when a tag was deleted.
    :ivar size: bytes; 0 for a delete.
    :ivar tag: the tag that a manifest was pushed or pulled by, or that was deleted.
    :ivar from_repository: where a blob was mounted from.
    :ivar references: what a pushed or pulled manifest refers to: config, then layers, or an index's children.
    :ivar kind: what it happened to: MANIFEST, BLOB, or TAG if that alone was deleted.
    """

    action: str
    repository: str
    origin: Origin
    media_type: str = ""
    digest: Digest | None = None
    size: int = 0
    tag: str = ""
    from_repository: str = ""
    references: tuple[Descriptor, ...] = ()
    kind: str = MANIFEST


OriginSource: TypeAlias = Callable[[], Origin]
"""Gives the origin when there is something to tell; most requests have nobody to tell."""


class IRegistryListener(Interface):
    """Hears of each event after it took place and before the client is answered."""

    def notify(event: RegistryEvent) -> Awaitable[None]:
        """
        What it raises is logged and does not fail the request: the event has happened.
        """
