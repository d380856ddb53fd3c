"""Tests of :class:`dregistry.testing.AccessControllerSuite`: what does not keep to the contract does not pass it."""

from __future__ import annotations

import unittest
from typing import Any

from twisted.logger import Logger
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface import implementer

from dregistry.auth import Credential, Grant, IAccessController, IAccounts, IDecoy, Identity, InvalidCredential
from dregistry.testing import AccessControllerSuite

_log = Logger()


@implementer(IAccessController, IDecoy, IAccounts)
class Good:
    name = "good"

    async def authenticate(self, credential, accesses):
        if credential.scheme != "key":
            return None
        if credential.parameter != "right-key":
            raise InvalidCredential("wrong")
        return Grant(Identity("alice"))

    def challenge(self, credential, accesses, error):
        return 'Key realm="r"'

    async def pretend(self, credential):
        pass

    async def mark(self, name):
        return "m" if name == "alice" else None


class TooOpen(Good):
    async def authenticate(self, credential, accesses):
        return Grant(Identity("alice")) if credential.scheme == "key" else None


class Greedy(Good):
    """Refuses what is another's."""

    async def authenticate(self, credential, accesses):
        if credential.scheme != "key" and not credential.is_absent:
            raise InvalidCredential("not a key")
        return await super().authenticate(credential, accesses)


class Jealous(Good):
    """Refuses a request without a credential."""

    async def authenticate(self, credential, accesses):
        if credential.is_absent:
            raise InvalidCredential("nothing")
        return await super().authenticate(credential, accesses)


class Once(Good):
    def __init__(self):
        self.used = False

    async def authenticate(self, credential, accesses):
        found = await super().authenticate(credential, accesses)
        if found is not None and self.used:
            raise InvalidCredential("used")
        self.used = self.used or found is not None
        return found


class Fragile(Good):
    async def authenticate(self, credential, accesses):
        credential.parameter.encode("ascii")
        return await super().authenticate(credential, accesses)


class Talkative(Good):
    async def authenticate(self, credential, accesses):
        _log.info("somebody came with {key}", key=credential.parameter)
        return await super().authenticate(credential, accesses)


class Precise(Good):
    """Says what was wrong, to everybody."""

    async def authenticate(self, credential, accesses):
        if credential.scheme == "key" and credential.parameter != "right-key":
            raise InvalidCredential(f"{credential.parameter} is wrong")
        return await super().authenticate(credential, accesses)


class Echo(Good):
    def challenge(self, credential, accesses, error):
        return f'Key realm="{credential.parameter}"'


class Broken(Good):
    def challenge(self, credential, accesses, error):
        return 'Key realm="r"\r\nSet-Cookie: a=b'


class Forgetful(Good):
    async def mark(self, name):
        return "m"


class Unfinished:
    name = "unfinished"

    async def authenticate(self, credential, accesses):
        return None


def failures(make: Any) -> set[str]:
    """The names of the tests that do not pass."""

    class Case(AccessControllerSuite, TestCase):
        user = "alice"

        def make_controller(self, context: Any) -> Any:
            return make()

        def good(self) -> Credential:
            return Credential("key", "right-key")

        def bad(self) -> list[Credential]:
            return [Credential("key", "wrong-key"), Credential("key", "")]

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(result)
    assert result.testsRun > 10
    return {case.id().rpartition(".")[2].removeprefix("test_") for case, _ in result.failures + result.errors}


class SuiteTests(SynchronousTestCase):
    def test_good(self) -> None:
        self.assertEqual(failures(Good), set())

    def test_others(self) -> None:
        for controller, expected in (
            (TooOpen, {"bad"}),
            (Greedy, {"foreign_schemes"}),
            (Jealous, {"nothing"}),
            (Once, {"good", "good_at_once"}),
            (Fragile, {"garbage"}),
            (Talkative, {"nothing_leaks"}),
            (Precise, {"nothing_leaks"}),
            (Echo, {"nothing_leaks"}),
            (Broken, {"challenge"}),
            (Forgetful, {"marks"}),
            (Unfinished, {"interfaces", "good"}),
        ):
            found = failures(controller)
            self.assertTrue(expected <= found, f"{controller.__name__}: {found}")

    def test_needs_a_case_that_waits(self) -> None:
        class Case(AccessControllerSuite, unittest.TestCase):
            def test(self) -> None:
                pass

        self.assertRaises(TypeError, Case("test").setUp)
