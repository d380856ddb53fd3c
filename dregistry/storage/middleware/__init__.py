"""Storage middleware: what stands between the registry and its storage driver."""

from ._interfaces import IStorageMiddleware, IStorageMiddlewareFactory
from ._wrapping import StorageMiddleware

__all__ = ["IStorageMiddleware", "IStorageMiddlewareFactory", "StorageMiddleware"]
