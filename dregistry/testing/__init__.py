"""
For the tests of dregistry, of its plugins, and of programs that use a registry. Public: it changes as the version says.
"""

from ._access import AccessControllerSuite
from ._faults import Fault, Injection, Predicate, on
from ._faulty_site import LoggedRequest
from ._images import make_layer
from ._memory_registry import MemoryRegistry
from ._sinks import NotificationSinkSuite, RefusingSinkSuite, notification
from ._storage import StorageDriverSuite
from ._storage_abilities import DirectorySearchSuite, LocalFilesSuite, LockingSuite
from ._storage_maintenance import AttendanceSuite, RenewingSuite, WalkingSuite
from ._storage_redirecting import RedirectingSuite
from ._threads import InlineThreads, pooled_threads

__all__ = [
    "AccessControllerSuite",
    "AttendanceSuite",
    "DirectorySearchSuite",
    "Fault",
    "Injection",
    "InlineThreads",
    "LocalFilesSuite",
    "LockingSuite",
    "LoggedRequest",
    "MemoryRegistry",
    "NotificationSinkSuite",
    "Predicate",
    "RedirectingSuite",
    "RefusingSinkSuite",
    "RenewingSuite",
    "StorageDriverSuite",
    "WalkingSuite",
    "make_layer",
    "notification",
    "on",
    "pooled_threads",
]
