"""Tests of :mod:`dregistry.storage.memory`."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from dregistry.storage.memory import MemoryDriver
from dregistry.testing import StorageDriverSuite


class MemoryDriverTests(StorageDriverSuite, TestCase):
    def make_driver(self) -> MemoryDriver:
        return MemoryDriver()
