"""The storage driver ``sqlite``, for dregistry to find. It is imported when a configuration names it."""

from __future__ import annotations

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from dregistry.storage import DriverContext, IStorageDriver, IStorageDriverFactory


@implementer(IPlugin, IStorageDriverFactory)
class SqliteFactory:
    name = "sqlite"
    help = "one SQLite database"
    api_version = 1  # of the contract that this was written for
    shared = True

    @property
    def options(self) -> type:
        from dregistry_sqlite import SqliteOptions

        return SqliteOptions

    def max_threads(self, options: Any) -> int:
        """One writes at a time; the others read, or wait for that."""
        return 25

    def build(self, options: Any, context: DriverContext) -> IStorageDriver:
        from dregistry_sqlite import SqliteDriver

        return SqliteDriver(options, context.threads)


sqlite = SqliteFactory()
