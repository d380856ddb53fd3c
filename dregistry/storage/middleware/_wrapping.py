"""
What is the same for all middleware.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar

from zope.interface import Interface, alsoProvides, providedBy

from .._abilities import ILocalFiles
from .._interfaces import IStorageDriver
from .._redirecting import IRedirecting
from .._walking import IWalking
from ._interfaces import IStorageMiddleware

_AROUND_READ = (ILocalFiles, IRedirecting)
"""Abilities by which content gets to clients without ``read``."""


class StorageMiddleware:
    """
    A driver that does what the one behind it does, but for the methods that a subclass defines.

    It also provides what that one provides, so that its abilities are not lost. Of those a subclass

    - takes over the ones whose methods it defines: they are provided if the driver behind has them;
    - adds others by ``@implementer``: these are provided in any case;
    - leaves out those in :attr:`withheld`;
    - and, if it defines any method of the driver itself, ``IWalking``, by which maintenance goes around it;
    - and, if it defines ``read``, those by which content gets to clients without it (``ILocalFiles``,
      ``IRedirecting``), unless it defines their methods too. What it does to content cannot be gone around.

    Methods that a subclass does not define are the wrapped driver's own: to call them costs nothing.
    """

    withheld: ClassVar[Collection[type[Interface]]] = ()

    def __init__(self, driver: IStorageDriver) -> None:
        abilities = [each for each in providedBy(driver) if not each.isOrExtends(IStorageDriver) and self._keeps(each)]
        for interface in (IStorageDriver, *abilities):
            for name in interface.names(all=True):
                if not self._defines(name):
                    setattr(self, name, getattr(driver, name))
        self.wrapped: Any = driver  # what it provides besides, types cannot tell
        alsoProvides(self, IStorageMiddleware, *abilities)

    @classmethod
    def _defines(cls, name: str) -> bool:
        return hasattr(cls, name)

    @classmethod
    def _keeps(cls, ability: type[Interface]) -> bool:
        if any(ability.isOrExtends(each) for each in cls.withheld):
            return False
        if ability.isOrExtends(IWalking) and any(
            cls._defines(name) for name in IStorageDriver.names() if name != "name"
        ):
            return False
        gone_around = cls._defines("read") and any(ability.isOrExtends(each) for each in _AROUND_READ)
        return not gone_around or all(cls._defines(name) for name in ability.names(all=True))
