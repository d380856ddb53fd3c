"""Care for a registry's storage: collection of garbage, purging of uploads, verification of blobs."""

from ._driver_tree import DriverTree, Wait
from .report import Fault, Item, Watcher

__all__ = ["DriverTree", "Fault", "Item", "Wait", "Watcher"]
