"""
The conformance suite of access controllers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from zope.interface.verify import verifyObject

from ..auth import (
    INSUFFICIENT_SCOPE,
    INVALID_TOKEN,
    PULL,
    PUSH,
    REPOSITORY,
    Access,
    AuthContext,
    Credential,
    Grant,
    IAccessController,
    IAccounts,
    IDecoy,
    InvalidCredential,
    IStarting,
    NotRecognised,
    Slowdown,
)
from ..errors import TooManyRequests, Unavailable
from ._storage_case import at_once
from ._suite import Suite, settled
from ._threads import InlineThreads

_ACCESSES = (Access(REPOSITORY, "a/b", PULL), Access(REPOSITORY, "a/b", PUSH))
_CHALLENGE = re.compile(
    r"[A-Za-z]+ [a-z_]+=\"(?:[^\"\\]|\\.)*\"(?:,[a-z_]+=\"(?:[^\"\\]|\\.)*\")*", re.DOTALL
)  # RFC 9110, section 11.6.1, as far as registries use it
_GARBAGE = (
    ("basic", ""),
    ("basic", "="),
    ("basic", "%%%%"),
    ("basic", "YQ=="),  # no colon
    ("basic", "OmE="),  # no name
    ("basic", "/////w=="),  # not UTF-8
    ("basic", "YQpiOmM="),  # a line feed in the name
    ("basic", "YTph" * 4000),
    ("bearer", ""),
    ("bearer", "."),
    ("bearer", ".."),
    ("bearer", "a.b.c"),
    ("bearer", "e30.e30."),
    ("bearer", "e30.e30.e30"),
    ("bearer", "bnVsbA.bnVsbA.AA"),
    ("bearer", "W10.W10.AA"),
    ("bearer", "x" * 100_000),
    ("bearer", "\u00e4.\u00f6.\u00fc"),
    ("negotiate", "YQ=="),
    ("ambiguous", ""),
    ("", ""),
)


class AccessControllerSuite(Suite):
    """
    What every access controller keeps to: the sentences of :class:`dregistry.auth.IAccessController`, one by one.

    A controller's own test is a class of this and of trial's ``TestCase`` which says how to make one, and what it takes
    for good and for bad::

        from twisted.trial.unittest import TestCase

        class ExampleTests(AccessControllerSuite, TestCase):
            user = "alice"

            def make_controller(self, context):
                return Example(ExampleOptions(), context)

            def good(self):
                return Credential("example", "alice's")

            def bad(self):
                return [Credential("example", "nobody's")]

    ``make_controller`` is called once for each test. It may return an awaitable, and clean up with ``self.addCleanup``.

    :cvar user: the name of whoever has the good credential.
    """

    user: str
    controller: Any

    def make_controller(self, context: AuthContext) -> Any:
        """The controller, or an awaitable of it."""
        raise NotImplementedError("an access controller's test case defines make_controller()")

    def good(self) -> Credential:
        """A credential that the controller recognises."""
        raise NotImplementedError("an access controller's test case defines good()")

    def bad(self) -> Sequence[Credential]:
        """Credentials that look like it, and are not good. None for a controller that takes everything."""
        raise NotImplementedError("an access controller's test case defines bad()")

    async def _set_up(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000.0)
        self.events: list[Any] = []
        observer: Any = self.events.append
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        context = AuthContext(self.clock, InlineThreads(), Slowdown(_Impatient()))
        self.controller = await settled(self.make_controller(context))
        if IStarting.providedBy(self.controller):
            self.controller.start()

    async def authenticate(self, credential: Credential, accesses: Sequence[Access] = _ACCESSES) -> Grant | None:
        found: Grant | None = await self.controller.authenticate(credential, accesses)
        return found

    async def refusal(self, credential: Credential) -> Exception | None:
        """By what a credential is refused; None if it is nothing for this controller."""
        try:
            grant = await self.authenticate(credential)
        except (InvalidCredential, Unavailable, TooManyRequests) as error:
            return error
        if grant is not None:
            self.fail(f"{credential} was taken for one of {grant.identity}")
        return None

    async def test_interfaces(self) -> None:
        verifyObject(IAccessController, self.controller)
        self.assertIsInstance(self.controller.name, str)
        for optional in (IDecoy, IAccounts, IStarting):
            if optional.providedBy(self.controller):
                verifyObject(optional, self.controller)

    async def test_nothing(self) -> None:
        """A request without a credential is nothing for any controller."""
        for credential in (Credential(), Credential("basic", "Og==")):
            self.assertIs(await self.authenticate(credential), None)

    async def test_good(self) -> None:
        """The same each time, whatever is asked for."""
        for accesses in (_ACCESSES, (), _ACCESSES):
            grant = await self.authenticate(self.good(), accesses)
            assert grant is not None
            self.assertEqual(grant.identity.name, self.user)
            self.assertIsInstance(grant.identity.groups, frozenset)
            self.assertTrue(all(isinstance(group, str) for group in grant.identity.groups))

    async def test_good_at_once(self) -> None:
        for grant in await at_once(*(self.authenticate(self.good()) for _ in range(5))):
            self.assertEqual(grant.identity.name, self.user)

    async def test_bad(self) -> None:
        for credential in self.bad():
            await self.refusal(credential)

    async def test_good_after_bad(self) -> None:
        """A bad credential does not spoil the good one."""
        for credential in self.bad()[:3]:
            await self.refusal(credential)
        self.assertIsNot(await self.authenticate(self.good()), None)

    async def test_garbage(self) -> None:
        """Whatever clients send, no other exception comes of it."""
        for scheme, parameter in _GARBAGE:
            credential = Credential(scheme, parameter)
            if self.bad() or credential.is_absent:
                await self.refusal(credential)
            else:
                await self.authenticate(credential)

    async def test_foreign_schemes(self) -> None:
        """A scheme that is not the controller's may be another's."""
        if self.bad():
            for scheme in ("negotiate", "ambiguous", "digest"):
                found = await self.refusal(Credential(scheme, "YTpi"))
                self.assertTrue(found is None or isinstance(found, NotRecognised), found)

    async def test_decoy(self) -> None:
        """It says nothing, whatever it is asked about."""
        if IDecoy.providedBy(self.controller):
            for credential in (Credential("basic", "bm9ib2R5Om5v"), *self.bad()):
                await self.controller.pretend(credential)

    async def test_marks(self) -> None:
        if IAccounts.providedBy(self.controller):
            mark = await self.controller.mark(self.user)
            self.assertIsInstance(mark, str)
            self.assertEqual(await self.controller.mark(self.user), mark)
            self.assertIs(await self.controller.mark("no-such-user"), None)

    async def test_challenge(self) -> None:
        """One challenge of the form that clients parse, or none, whatever the request brought."""
        for credential in (Credential(), self.good(), *self.bad()):
            for accesses in ((), _ACCESSES):
                for error in ("", INVALID_TOKEN, INSUFFICIENT_SCOPE):
                    found = self.controller.challenge(credential, accesses, error)
                    if found is not None:
                        self.assertTrue(_CHALLENGE.fullmatch(found), found)
                        self.assertTrue(found.isprintable(), found)

    async def test_nothing_leaks(self) -> None:
        """No credential is in an answer, an error or the log."""
        credentials = [self.good(), *self.bad()]
        said = [repr(await self.authenticate(self.good()))]
        for credential in self.bad():
            error = await self.refusal(credential)
            said += [repr(error), str(error), repr(getattr(error, "__dict__", ""))]
        for credential in credentials:
            said += [repr(credential), str(self.controller.challenge(credential, _ACCESSES, INVALID_TOKEN))]
        said += [repr(self.controller), *map(repr, self.events)]
        for secret in {secret for credential in credentials for secret in _secrets(credential)}:
            for text in said:
                self.assertNotIn(secret, text)


class _Impatient(Clock):
    """Whoever waits need not."""

    def callLater(self, delay: float, callable: Callable[..., object], *args: object, **kw: object) -> IDelayedCall:
        call = super().callLater(delay, callable, *args, **kw)
        self.advance(delay)
        return call


def _secrets(credential: Credential) -> list[str]:
    """What of a credential may be seen nowhere; what is too short to tell is left out."""
    found = [credential.parameter]
    try:
        password = credential.password()
    except InvalidCredential:
        password = None
    if password is not None:
        found.append(password[1].decode("utf-8", "replace"))
    return [secret for secret in found if len(secret) > 4]
