"""The domain: repositories and what they hold. Nothing here knows of HTTP."""

from ._core import Core, Settings
from ._descriptors import LOOK_LASTS, Descriptors, ISharedDescriptors, Known
from ._locks import Locks
from .listener import IRegistryListener, Origin, RegistryEvent
from .namespace import Registry, Repository

__all__ = [
    "LOOK_LASTS",
    "Core",
    "Descriptors",
    "IRegistryListener",
    "ISharedDescriptors",
    "Known",
    "Locks",
    "Origin",
    "Registry",
    "RegistryEvent",
    "Repository",
    "Settings",
]
