"""
The factories of the drivers that ship with dregistry. A driver is imported when it is asked for.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from twisted.internet.defer import Deferred
from twisted.plugin import IPlugin
from zope.interface import implementer

from .._tls import without_pyopenssl
from ._interfaces import API_VERSION, DriverContext, ISpeakingTls, IStorageDriver, IStorageDriverFactory

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


@implementer(IPlugin, IStorageDriverFactory, ISpeakingTls)
class S3Factory:
    help = "a bucket of Amazon S3, or of a service that speaks its protocol, in distribution's layout"
    api_version = API_VERSION
    shared = True

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def options(self) -> type:
        from .s3.options import S3Options

        return S3Options

    def max_threads(self, options: Any) -> int:
        """Hashing is all that threads do, and now and then a look for credentials."""
        return _FEWEST_THREADS

    def needs_tls(self, options: Any) -> bool:
        from .s3._endpoint import endpoint_of

        return endpoint_of(options).secure

    def build(self, options: Any, context: DriverContext) -> IStorageDriver:
        """
        Once the reactor runs, the log says what is wrong with the bucket, if anything is.

        :raise ImportError: if the extra ``s3`` is not installed.
        """
        try:
            with nullcontext() if self.needs_tls(options) else without_pyopenssl():
                from .s3.driver import make_driver
        except ModuleNotFoundError as error:
            raise ImportError(f"it needs {error.name}: install dregistry[s3]") from error
        driver = make_driver(options, context.reactor, context.threads)
        context.reactor.callWhenRunning(lambda: Deferred.fromCoroutine(driver.check()))
        return driver
