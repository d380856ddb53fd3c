"""
The factories of the drivers that ship with dregistry. A driver is imported when it is asked for.
"""

from __future__ import annotations

from typing import Any

from twisted.plugin import IPlugin
from zope.interface import implementer

from ._interfaces import API_VERSION, DriverContext, IStorageDriver, IStorageDriverFactory

_FEWEST_THREADS = 25


@implementer(IPlugin, IStorageDriverFactory)
class FilesystemFactory:
    name = "filesystem"
    help = "files below a directory, in distribution's layout"
    api_version = API_VERSION
    shared = True

    @property
    def options(self) -> type:
        from .filesystem import FilesystemOptions

        return FilesystemOptions

    def max_threads(self, options: Any) -> int:
        """Never fewer than distribution allows."""
        return max(_FEWEST_THREADS, int(options.maxthreads))

    def build(self, options: Any, context: DriverContext) -> IStorageDriver:
        from .filesystem import FilesystemDriver

        return FilesystemDriver(options.rootdirectory, context.threads)


@implementer(IPlugin, IStorageDriverFactory)
class MemoryFactory:
    name = "inmemory"
    help = "memory, for tests: all is lost when the process ends"
    api_version = API_VERSION
    shared = False

    @property
    def options(self) -> type:
        from .memory import MemoryOptions

        return MemoryOptions

    def max_threads(self, options: Any) -> int:
        """Hashing is all that threads do."""
        return _FEWEST_THREADS

    def build(self, options: Any, context: DriverContext) -> IStorageDriver:
        from .memory import MemoryDriver

        return MemoryDriver()
