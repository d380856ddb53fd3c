"""Tests of :mod:`dregistry.storage.s3`: the contract. What only it promises is in the modules beside."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from dregistry.storage.s3.driver import S3Driver
from dregistry.testing import DirectorySearchSuite, LockingSuite, RedirectingSuite, StorageDriverSuite

from .s3_service import s3_driver


class S3Suite(StorageDriverSuite, DirectorySearchSuite, LockingSuite, RedirectingSuite):
    """All that the driver provides."""


class S3DriverTests(S3Suite, TestCase):
    """With the smallest parts that S3 allows."""

    def make_driver(self) -> S3Driver:
        return s3_driver(self, chunksize=5 << 20)


class LargePartsTests(S3Suite, TestCase):
    """With those that it has by default, and a root directory; copies in parts; no conditional writes."""

    def make_driver(self) -> S3Driver:
        return s3_driver(
            self, multipartcopythresholdsize=1 << 20, multipartcopychunksize=5 << 20, conditionalwrites=False
        )
