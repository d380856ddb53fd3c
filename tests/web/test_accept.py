"""Tests of :mod:`dregistry.web._accept` (RFC 9110, 12.5.1)."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dregistry.manifest import DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST
from dregistry.web._accept import accepts, names


class AcceptsTests(SynchronousTestCase):
    def test_everything(self) -> None:
        for headers in ([], [""], [" ", ","], ["*/*"], ["application/*"], ["text/html", "*/*;q=0.1"]):
            self.assertTrue(accepts(tuple(headers), OCI_MANIFEST), headers)

    def test_listed(self) -> None:
        for headers in (
            [OCI_MANIFEST],
            [f"{DOCKER_MANIFEST}, {OCI_MANIFEST}"],
            [DOCKER_MANIFEST, OCI_MANIFEST],
            [f"{OCI_MANIFEST};q=0.5"],
            [f"{OCI_MANIFEST}; q=0.001"],
            [f" {OCI_MANIFEST.upper()} ; charset=utf-8 ;q=1"],
            [f"{OCI_MANIFEST};q=junk"],
        ):
            self.assertTrue(accepts(tuple(headers), OCI_MANIFEST), headers)

    def test_not_listed(self) -> None:
        for headers in ([DOCKER_MANIFEST], ["text/*"], ["application"], [f"{OCI_MANIFEST}x"], ["*"], ["application/"]):
            self.assertFalse(accepts(tuple(headers), OCI_MANIFEST), headers)

    def test_ruled_out(self) -> None:
        for zero in ("q=0", "Q=0", "q=0.0", "q=0.000", " q = 0 ", "a=b;q=0", "q=0."):
            self.assertFalse(accepts((f"{OCI_MANIFEST};{zero}",), OCI_MANIFEST), zero)

    def test_most_specific_counts(self) -> None:
        for headers, expected in (
            ([f"*/*, {OCI_MANIFEST};q=0"], False),
            ([f"{OCI_MANIFEST};q=0, */*"], False),
            ([f"*/*;q=0, {OCI_MANIFEST}"], True),
            (["application/*;q=0, */*"], False),
            (["*/*;q=0", "application/*"], True),
            ([f"application/*;q=0, {OCI_MANIFEST}"], True),
        ):
            self.assertEqual(accepts(tuple(headers), OCI_MANIFEST), expected, headers)


class NamesTests(SynchronousTestCase):
    def test_named(self) -> None:
        for headers in ([OCI_INDEX], ["a/b", f" {OCI_INDEX.upper()} ;q=0.5"], [f"a/b,{OCI_INDEX}"]):
            self.assertTrue(names(headers, OCI_INDEX), headers)

    def test_not_named(self) -> None:
        """A wildcard covers it, but does not say that the client knows it."""
        for headers in ([], [""], ["*/*"], ["application/*"], [OCI_MANIFEST]):
            self.assertFalse(names(headers, OCI_INDEX), headers)
