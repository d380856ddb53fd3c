"""Tests of :mod:`dregistry.auth.silly`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.trial.unittest import SynchronousTestCase, TestCase

from dregistry.auth import REGISTRY, Access, Credential
from dregistry.auth.silly import Silly, SillyOptions
from dregistry.testing import AccessControllerSuite

from .support import PULL_AB, PUSH_AB

OPTIONS = SillyOptions("http://t.example/token", "registry")


class SillyTests(AccessControllerSuite, TestCase):
    user = "silly"

    def make_controller(self, context: Any) -> Silly:
        return Silly(OPTIONS)

    def good(self) -> Credential:
        return Credential("whatever", "comes along")

    def bad(self) -> Sequence[Credential]:
        return []


class ChallengeTests(SynchronousTestCase):
    def test_form(self) -> None:
        """Distribution's, with a scope for each access."""
        base = 'Bearer realm="http://t.example/token",service="registry"'
        silly = Silly(OPTIONS)
        for accesses, scope in (
            ((), ""),
            ((PULL_AB,), ',scope="repository:a/b:pull"'),
            ((PULL_AB, PUSH_AB), ',scope="repository:a/b:pull repository:a/b:push"'),
            ((Access(REGISTRY, "catalog", "*"),), ',scope="registry:catalog:*"'),
        ):
            self.assertEqual(silly.challenge(Credential(), accesses, ""), base + scope)
