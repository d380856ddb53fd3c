"""Tests of the options of the ``s3`` driver, and of where they lead."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from dregistry.config import ConfigError, read_options
from dregistry.storage.factories import S3Factory
from dregistry.storage.s3._endpoint import endpoint_of
from dregistry.storage.s3.driver import S3Driver, make_driver
from dregistry.storage.s3.options import S3Options
from dregistry.testing import InlineThreads

KEYS = {"accesskey": "a", "secretkey": "b"}


def read(**parameters: Any) -> S3Options:
    options, _ = read_options(parameters, S3Factory("s3").options, "storage.s3", "config.yml")
    return options


class OptionsTests(SynchronousTestCase):
    def faults(self, **parameters: Any) -> dict[str, str]:
        error = self.assertRaises(ConfigError, read, **parameters)
        return {problem.path: problem.message for problem in error.problems}

    def test_stock(self) -> None:
        """As distribution's documentation gives them."""
        options = read(
            accesskey="awsaccesskey",
            secretkey="awssecretkey",
            region="us-west-1",
            regionendpoint="http://myobjects.local",
            forcepathstyle=True,
            accelerate=False,
            bucket="bucketname",
            encrypt=True,
            keyid="mykeyid",
            secure=True,
            v4auth=True,
            chunksize=5242880,
            multipartcopychunksize=33554432,
            multipartcopymaxconcurrency=100,
            multipartcopythresholdsize=33554432,
            rootdirectory="/s3/object/name/prefix",
            usedualstack=False,
            loglevel="debug",
            storageclass="STANDARD_IA",
            objectacl="bucket-owner-full-control",
            useragent="mine/1",
            skipverify=False,
        )
        self.assertEqual((options.bucket, options.chunksize, options.loglevel), ("bucketname", 5 << 20, "debug"))
        self.assertEqual((options.storageclass, options.objectacl), ("standard_ia", "bucket-owner-full-control"))

    def test_faults(self) -> None:
        good = {"bucket": "bucket", "region": "eu-west-1"}
        for wrong, said in (
            ({"bucket": ""}, "bucket is missing"),
            ({"bucket": "a/b"}, "bucket is not the name of a bucket"),
            ({"region": ""}, "region must name a region"),
            ({"region": "europe"}, "region must name a region"),
            ({"accesskey": "a"}, "go together"),
            ({"chunksize": 1000}, "chunksize must be from 5242880 to 5368709120, not 1000"),
            ({"multipartcopymaxconcurrency": 0}, "multipartcopymaxconcurrency must be at least 1"),
            ({"regionendpoint": "http://"}, "regionendpoint must be a URL or a host"),
            ({"regionendpoint": "ftp://a.example"}, "regionendpoint must be a URL or a host"),
            ({"regionendpoint": "http://user:word@a.example"}, "regionendpoint must be a URL or a host"),
            ({"redirectendpoint": "http://a:x"}, "redirectendpoint must be a URL or a host"),
            ({"rootdirectory": "a b"}, "rootdirectory may hold"),
            ({"useragent": "a\nb"}, "useragent holds a character"),
            ({"v4auth": False}, "v4auth cannot be switched off"),
        ):
            self.assertIn(said, self.faults(**{**good, **wrong})["storage.s3"])
        for wrong in ({"storageclass": "cold"}, {"objectacl": "all"}, {"loglevel": "loud"}, {"secure": 2}):
            self.assertEqual(list(self.faults(**{**good, **wrong})), [f"storage.s3.{next(iter(wrong))}"])

    def test_secrets_are_not_shown(self) -> None:
        options = S3Options("key", "hidden", "token", bucket="bucket", region="eu-west-1")
        self.assertNotIn("hidden", repr(options))
        self.assertNotIn("token", repr(options).replace("sessiontoken", ""))

    def test_log_level_off(self) -> None:
        """YAML reads it as false; so does distribution."""
        self.assertEqual(S3Options(bucket="bucket", region="eu-west-1").loglevel, "off")


class EndpointTests(SynchronousTestCase):
    def base(self, **options: Any) -> str:
        return endpoint_of(S3Options(**{"bucket": "bucket", "region": "eu-west-1", **options})).base

    def test_amazon(self) -> None:
        for options, expected in (
            ({}, "https://bucket.s3.eu-west-1.amazonaws.com"),
            ({"secure": False}, "http://bucket.s3.eu-west-1.amazonaws.com"),
            ({"forcepathstyle": True}, "https://s3.eu-west-1.amazonaws.com/bucket"),
            ({"bucket": "with.dots"}, "https://s3.eu-west-1.amazonaws.com/with.dots"),
            ({"bucket": "with.dots", "secure": False}, "http://with.dots.s3.eu-west-1.amazonaws.com"),
            ({"bucket": "Upper"}, "https://s3.eu-west-1.amazonaws.com/Upper"),
            ({"region": "cn-north-1"}, "https://bucket.s3.cn-north-1.amazonaws.com.cn"),
            ({"usedualstack": True}, "https://bucket.s3.dualstack.eu-west-1.amazonaws.com"),
            ({"usefipsendpoint": True}, "https://bucket.s3-fips.eu-west-1.amazonaws.com"),
            ({"accelerate": True}, "https://bucket.s3-accelerate.amazonaws.com"),
            ({"accelerate": True, "usedualstack": True}, "https://bucket.s3-accelerate.dualstack.amazonaws.com"),
        ):
            self.assertEqual(self.base(**options), expected)

    def test_other_services(self) -> None:
        for endpoint, expected in (
            ("https://s3.example.com", "https://bucket.s3.example.com"),
            ("s3.example.com:9000", "https://bucket.s3.example.com:9000"),
            ("http://s3.example.com/", "http://bucket.s3.example.com"),
            ("https://example.com/s3/", "https://bucket.example.com/s3"),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/bucket"),
            ("http://[::1]:9000", "http://[::1]:9000/bucket"),
            ("http://minio:9000", "http://minio:9000/bucket"),
        ):
            self.assertEqual(self.base(regionendpoint=endpoint), expected)
        self.assertEqual(self.base(regionendpoint="s3.example.com", secure=False), "http://bucket.s3.example.com")
        self.assertEqual(endpoint_of(S3Options(bucket="bucket", regionendpoint="a.example")).region, "us-east-1")

    def test_tls(self) -> None:
        for options, expected in (({}, True), ({"secure": False}, False), ({"regionendpoint": "http://a.b"}, False)):
            made = S3Options(**{"bucket": "bucket", "region": "eu-west-1", **options})
            self.assertEqual(S3Factory("s3").needs_tls(made), expected)

    def test_keys(self) -> None:
        """As distribution makes them, whatever slashes the root directory has."""
        for root, expected in (("", "a/b"), ("/", "a/b"), ("x", "x/a/b"), ("/x/y/", "x/y/a/b")):
            driver: S3Driver = make_driver(
                S3Options(**KEYS, bucket="bucket", regionendpoint="http://a", rootdirectory=root), None, InlineThreads()
            )
            self.assertEqual(driver._key_of("/a/b"), expected)
