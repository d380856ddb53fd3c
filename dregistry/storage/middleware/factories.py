"""
The factories of the middleware that ships with dregistry. A module is imported when it is asked for.
"""

from __future__ import annotations

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from .._interfaces import API_VERSION, DriverContext, IStorageDriver
from ._interfaces import IStorageMiddlewareFactory


@implementer(IPlugin, IStorageMiddlewareFactory)
class RedirectFactory:
    name = "redirect"
    help = "sends clients to another server that has the storage's content"
    api_version = API_VERSION

    @property
    def options(self) -> type:
        from .redirect import RedirectOptions

        return RedirectOptions

    def build(self, options: Any, driver: IStorageDriver, context: DriverContext) -> Any:
        from .redirect import Redirect

        return Redirect(driver, options.baseurl)


@implementer(IPlugin, IStorageMiddlewareFactory)
class RewriteFactory:
    name = "rewrite"
    help = "changes the URLs to which the storage driver sends clients"
    api_version = API_VERSION

    @property
    def options(self) -> type:
        from .rewrite import RewriteOptions

        return RewriteOptions

    def build(self, options: Any, driver: IStorageDriver, context: DriverContext) -> Any:
        from .rewrite import Rewrite

        return Rewrite(driver, options)
