"""Options of a backend: read, and put into words."""

import re
from typing import Literal

from attrs import Factory, field, frozen
from twisted.trial.unittest import SynchronousTestCase

from dregistry.config import ConfigError, Option, Problem, Seconds, describe_options, read_options

_PAUSE = Seconds(1.5)


@frozen
class Retries:
    """A section below."""

    most: int
    wait: Seconds = _PAUSE


@frozen
class Options:
    """One of each type."""

    bucket: str = field()
    secure: bool = True
    ratio: float = 0.5
    retries: Retries = Factory(lambda: Retries(3))
    region: str | None = None
    style: Literal["", "path", "host"] = ""
    tags: tuple[str, ...] = ("a",)
    headers: dict[str, int] = Factory(dict)
    match: re.Pattern[str] = re.compile("a+")
    rules: tuple[Retries, ...] = ()
    extra: object = None
    own: str = Factory(lambda self: self.bucket, takes_self=True)

    @bucket.validator
    def _check(self, _: object, value: str) -> None:
        if value == "taken":
            raise ValueError("the bucket is taken")


class ReadTests(SynchronousTestCase):
    """:func:`read_options`."""

    def faults(self, **parameters: object) -> tuple[Problem, ...]:
        error = self.assertRaises(ConfigError, read_options, parameters, Options, "storage.x", "test.yml")
        self.assertEqual(error.source, "test.yml")
        return error.problems

    def test_good(self) -> None:
        options, warnings = read_options({"bucket": "a", "retries": {"most": 5}, "y": 1}, Options, "storage.x", "t")
        self.assertEqual((options.bucket, options.retries.most, options.own), ("a", 5, "a"))
        self.assertEqual([warning.path for warning in warnings], ["storage.x.y"])

    def test_faults(self) -> None:
        self.assertEqual(
            {fault.path for fault in self.faults(retries={"wait": "soon"}, ratio="much")},
            {"storage.x.bucket", "storage.x.retries.most", "storage.x.retries.wait", "storage.x.ratio"},
        )

    def test_fault_of_the_whole(self) -> None:
        self.assertEqual(self.faults(bucket="taken"), (Problem("storage.x", "the bucket is taken"),))


class DescribeTests(SynchronousTestCase):
    """:func:`describe_options`."""

    def test_each_type(self) -> None:
        self.assertEqual(
            list(describe_options(Options)),
            [
                Option("bucket", "string", True, None),
                Option("secure", "true or false", False, True),
                Option("ratio", "number", False, 0.5),
                Option("retries.most", "integer", True, None),
                Option("retries.wait", "duration", False, "1.5s"),
                Option("region", "string", False, None),
                Option("style", "one of path, host", False, ""),
                Option("tags", "list of string", False, ["a"]),
                Option("headers", "mapping to integer", False, {}),
                Option("match", "regular expression", False, "a+"),
                Option("rules", "list of mapping", False, []),
                Option("extra", "anything", False, None),
                Option("own", "string", False, None),
            ],
        )
