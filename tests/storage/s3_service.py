"""
A service that speaks S3's protocol, for tests: SeaweedFS, started once; or any other one, as the environment says.
"""

from __future__ import annotations

import os
from typing import Any
from uuid import uuid4

from twisted.internet import reactor
from twisted.internet.task import deferLater

from dregistry.storage.s3.driver import S3Driver, make_driver
from dregistry.storage.s3.options import S3Options
from dregistry.testing import pooled_threads

from .seaweedfs import Service, running

ENVIRONMENT = "DREGISTRY_TEST_S3"
"""``URL BUCKET ACCESSKEY SECRETKEY`` of another service to test against."""


def s3_settings() -> dict[str, Any]:
    """The options by which a driver reaches the service, in a directory of the bucket of its own."""
    other = os.environ.get(ENVIRONMENT)
    endpoint, bucket, accesskey, secretkey = Service(*other.split()) if other else running()
    return {
        "regionendpoint": endpoint,
        "region": "us-east-1",
        "bucket": bucket,
        "accesskey": accesskey,
        "secretkey": secretkey,
        "forcepathstyle": True,
        "rootdirectory": f"/{uuid4().hex[:12]}",
    }


def s3_driver(case: Any, **options: Any) -> S3Driver:
    """A driver of an empty directory of the bucket."""
    driver = make_driver(S3Options(**{**s3_settings(), **options}), reactor, pooled_threads(case))
    case.addCleanup(closed, driver)
    return driver


async def closed(driver: S3Driver) -> None:
    """A turn of the reactor later, its sockets are gone, too."""
    await driver.close()
    await deferLater(reactor, 0)
