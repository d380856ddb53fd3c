"""Storage drivers and the contract between them and the registry."""

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

__all__ = [
    "API_VERSION",
    "DriverContext",
    "FileInfo",
    "IDirectorySearch",
    "ILocalFiles",
    "ILock",
    "ILocking",
    "IStorageDriver",
    "IStorageDriverFactory",
    "IWriter",
    "InvalidOffset",
    "InvalidPath",
    "PathNotFound",
    "StorageError",
    "StorageFull",
    "StorageUnavailable",
    "Threads",
    "WriterBusy",
]
