"""
The contract of storage middleware.
"""

from __future__ import annotations

from typing import Any

from zope.interface import Attribute, Interface

from .._interfaces import DriverContext, IStorageDriver


class IStorageMiddleware(IStorageDriver):
    """
    A storage driver that stands before another. To the registry it is the driver: it keeps that contract, and the
    contracts of the abilities that it provides. :class:`StorageMiddleware` does what is the same for all.
    """

    wrapped: IStorageDriver = Attribute("the driver behind it, which may be middleware itself")


class IStorageMiddlewareFactory(Interface):
    """
    Builds middleware from an entry of ``middleware.storage``. Found as a twistd plugin: an object in
    ``twisted.plugins`` that provides this and :class:`twisted.plugin.IPlugin`.
    """

    name: str = Attribute("the entry's ``name``")
    help: str = Attribute("one line for people")
    api_version: int = Attribute("the API_VERSION of the storage contract that it was written for")
    options: type = Attribute("an attrs class; the core fills it from the entry's options and reports faults by path")

    def build(options: Any, driver: IStorageDriver, context: DriverContext) -> Any:
        """
        An :class:`IStorageMiddleware` before ``driver``.

        :raise ValueError: if it cannot stand before that driver, with a sentence that says why.
        """
