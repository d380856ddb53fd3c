"""Storage drivers, the middleware before them, and the contract between them and the registry."""

from ._abilities import IDirectorySearch, ILocalFiles, ILock, ILocking
from ._interfaces import (
    API_VERSION,
    DriverContext,
    FileInfo,
    InvalidOffset,
    InvalidPath,
    ISpeakingTls,
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
from ._path import check_path
from ._redirecting import IRedirecting
from ._walking import IAttendance, IRenewing, IWalking, Leftover, Tree
from .middleware import IStorageMiddleware, IStorageMiddlewareFactory, StorageMiddleware

__all__ = [
    "API_VERSION",
    "DriverContext",
    "FileInfo",
    "IAttendance",
    "IDirectorySearch",
    "ILocalFiles",
    "ILock",
    "ILocking",
    "IRedirecting",
    "IRenewing",
    "ISpeakingTls",
    "IStorageDriver",
    "IStorageDriverFactory",
    "IStorageMiddleware",
    "IStorageMiddlewareFactory",
    "IWalking",
    "IWriter",
    "InvalidOffset",
    "InvalidPath",
    "Leftover",
    "PathNotFound",
    "StorageError",
    "StorageFull",
    "StorageMiddleware",
    "StorageUnavailable",
    "Threads",
    "Tree",
    "WriterBusy",
    "check_path",
]
