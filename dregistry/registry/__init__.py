"""The domain: repositories and what they hold. Nothing here knows of HTTP."""

from ._core import Core, Settings
from .listener import IRegistryListener, Origin, RegistryEvent
from .namespace import Registry, Repository

__all__ = ["Core", "IRegistryListener", "Origin", "Registry", "RegistryEvent", "Repository", "Settings"]
