"""Storage drivers, the middleware before them, and the contract between them and the registry."""

from ._abilities import IDirectorySearch, ILocalFiles, ILock, ILocking
from ._interfaces import (
    API_VERSION,
    DriverContext,
    FileInfo,
    InvalidOffset,
    InvalidPath,
    IStorageDriver,
    IStorageDriverFactory,
    IWriter,
    PathNotFound,
    StorageError,
    StorageFull,
    StorageUnavailable,
    Threads,
    WriterBusy,
)
from ._redirecting import IRedirecting
from .middleware import IStorageMiddleware, IStorageMiddlewareFactory, StorageMiddleware

__all__ = [
    "API_VERSION",
    "DriverContext",
    "FileInfo",
    "IDirectorySearch",
    "ILocalFiles",
    "ILock",
    "ILocking",
    "IRedirecting",
    "IStorageDriver",
    "IStorageDriverFactory",
    "IStorageMiddleware",
    "IStorageMiddlewareFactory",
    "IWriter",
    "InvalidOffset",
    "InvalidPath",
    "PathNotFound",
    "StorageError",
    "StorageFull",
    "StorageMiddleware",
    "StorageUnavailable",
    "Threads",
    "WriterBusy",
]
