"""Tests of :mod:`dregistry.auth.htpasswd`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import bcrypt
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import TestCase

from dregistry.auth import AuthContext, Credential, Grant, InvalidCredential, OptionsInvalid
from dregistry.auth import htpasswd as module
from dregistry.auth._slowdown import FREE_BY_USER
from dregistry.auth.htpasswd import Htpasswd, HtpasswdOptions, check, read_entries
from dregistry.errors import TooManyRequests, Unavailable
from dregistry.testing import AccessControllerSuite

from ..storage.support import temporary_directory
from .support import AuthCase, basic, hashed

ALICE = basic("alice", "correct horse")


class HtpasswdTests(AccessControllerSuite, TestCase):
    user = "alice"

    def make_controller(self, context: AuthContext) -> Htpasswd:
        path = os.path.join(temporary_directory(self), "file")
        with open(path, "w") as file:
            file.write(f"alice:{hashed('correct horse')}\nbob:{hashed('battery staple')}\n")
        return Htpasswd(HtpasswdOptions("realm", path), context)

    def good(self) -> Credential:
        return ALICE

    def bad(self) -> Sequence[Credential]:
        return [
            basic("alice", "battery staple"),
            basic("alice", ""),
            basic("alice", "correct horse\0"),
            basic("alice", b"\xff\xfe\xfd\xfc\xfb"),
            basic("bob", "correct horse"),
            basic("Alice", "correct horse"),
            basic("nobody", "correct horse"),
            basic("alice", "x" * 73),
            Credential("basic", "not base64!"),
        ]


class ThreadsThatWait:
    """Calls wait until :meth:`run_all`."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Any]] = []
        self.calls = 0

    def run(self, call: Any, *args: Any) -> Deferred[Any]:
        found: Deferred[Any] = Deferred()
        self.calls += 1
        self.waiting.append((found, lambda: call(*args)))
        return found

    def run_all(self) -> None:
        while self.waiting:
            found, call = self.waiting.pop(0)
            found.callback(call())


class HtpasswdCase(AuthCase):
    def setUp(self) -> None:
        super().setUp()
        self.users(alice="correct horse", bob="battery staple")
        self.htpasswd = Htpasswd(HtpasswdOptions("realm", self.path("users")), self.context)
        self.checks: list[bytes] = []
        original = module._matches

        def matches(password: bytes, stored: bytes) -> bool:
            self.checks.append(stored)
            return original(password, stored)

        self.patch(module, "_matches", matches)

    def users(self, **passwords: str) -> None:
        self.write("users", "".join(f"{name}:{hashed(password)}\n" for name, password in passwords.items()))
        self.clock.advance(1)

    def ask(self, credential: Credential) -> Grant | None:
        found: Grant | None = self.do(self.htpasswd.authenticate(credential, ()))
        return found

    def refuse(self, credential: Credential) -> None:
        self.refused(InvalidCredential, self.htpasswd.authenticate(credential, ()))


class FileTests(HtpasswdCase):
    def entries(self, content: str | bytes) -> dict[str, bytes]:
        return dict(read_entries(self.write("file", content)))

    def test_lines(self) -> None:
        one = hashed("one")
        found = self.entries(f"# comment\n\n  alice:{one}  \r\nbob:{one}\n#carol:{one}\nd:e:{one}\n\tdave:{one}")
        self.assertEqual(found, dict.fromkeys(("alice", "bob", "dave"), one.encode()))

    def test_the_last_counts(self) -> None:
        self.assertEqual(self.entries(f"a:{hashed('one')}\na:{hashed('two')}\n"), {"a": hashed("two").encode()})

    def test_versions(self) -> None:
        """Of bcrypt: the letters that tools write all mean the same."""
        rest = hashed("secret")[3:]
        self.write("users", "".join(f"{letter}:$2{letter}{rest}\n" for letter in "aby"))
        for user in "aby":
            self.assertIsNot(self.ask(basic(user, "secret")), None)
            self.refuse(basic(user, "Secret"))

    def test_what_is_no_bcrypt(self) -> None:
        """Left out, with a line in the log for each, in which nothing of the hash is."""
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        good = hashed("good")
        lines = [
            "alice:$apr1$abcdefgh$0123456789012345678901",
            "bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
            "carol:plaintext",
            "dave:",
            "no colon",
            f"erin:{good[:-1]}",
            f"frank:{good}x",
            f"grace:$2x{good[3:]}",
            f"heidi:$2b$99{good[6:]}",
            f"good:{good}",
        ]
        self.assertEqual(list(self.entries("\n".join(lines))), ["good"])
        warned = [event for event in events if event["log_level"].name == "warn"]
        self.assertEqual([event["number"] for event in warned], list(range(1, 10)))
        self.assertNotIn("plaintext", repr(warned))

    def test_names_that_are_no_text(self) -> None:
        self.assertEqual(self.entries(b"\xff:" + hashed("a").encode()), {})
        found = self.entries(f"\u00e4\u4e2d:{hashed('a')}")
        self.assertEqual(list(found), ["\u00e4\u4e2d"])

    def test_changes(self) -> None:
        """Without a restart: a password, a new user, one that is gone."""
        self.assertIsNot(self.ask(ALICE), None)
        self.users(alice="new", carol="secret")
        self.refuse(ALICE)
        self.assertIsNot(self.ask(basic("alice", "new")), None)
        self.assertIsNot(self.ask(basic("carol", "secret")), None)
        self.assertIs(self.ask(basic("bob", "battery staple")), None)

    def test_change_within_a_moment(self) -> None:
        """What was looked at less than a second ago is taken to be the same."""
        self.ask(ALICE)
        self.write("users", "")
        self.assertIsNot(self.ask(ALICE), None)
        self.clock.advance(1)
        self.assertIs(self.ask(ALICE), None)

    def test_gone(self) -> None:
        """Nobody is let in, and it is no fault of theirs; as soon as it is back, they are."""
        self.ask(ALICE)
        os.rename(self.path("users"), self.path("elsewhere"))
        self.clock.advance(1)
        self.refused(Unavailable, self.htpasswd.authenticate(ALICE, ()))
        self.refused(Unavailable, self.htpasswd.pretend(basic("nobody", "x")))
        os.rename(self.path("elsewhere"), self.path("users"))
        self.clock.advance(1)
        self.assertIsNot(self.ask(ALICE), None)

    def test_check(self) -> None:
        check(HtpasswdOptions("r", self.path("users")))
        for path in (self.path("missing"), self.folder):
            error = self.assertRaises(OptionsInvalid, check, HtpasswdOptions("r", path))
            self.assertEqual(error.key, "path")

    def test_provision(self) -> None:
        """As distribution does, but for the log: the password is in a file that only the operator can read."""
        options = HtpasswdOptions("r", self.path("new/users"), provision=True)
        check(options)
        self.assertFalse(os.path.exists(options.path))
        htpasswd = Htpasswd(options, self.context)
        for _ in range(2):
            htpasswd.start()
            with open(options.path + ".password") as file:
                password = file.read().strip()
            self.assertEqual(self.do(htpasswd.authenticate(basic("docker", password), ())).identity.name, "docker")
        for path in (options.path, options.path + ".password"):
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_provision_fails(self) -> None:
        """The start goes on, and nobody is let in."""
        path = os.path.join(self.write("file", ""), "users")
        htpasswd = Htpasswd(HtpasswdOptions("r", path, provision=True), self.context)
        htpasswd.start()
        self.refused(Unavailable, htpasswd.authenticate(basic("docker", "x"), ()))


class CacheTests(HtpasswdCase):
    def test_once_a_minute(self) -> None:
        for _ in range(3):
            self.ask(ALICE)
        self.assertEqual(len(self.checks), 1)
        self.clock.advance(60)
        self.ask(ALICE)
        self.assertEqual(len(self.checks), 2)

    def test_not_the_wrong_ones(self) -> None:
        for _ in range(3):
            self.refuse(basic("alice", "wrong"))
        self.assertEqual(len(self.checks), 3)

    def test_no_password_is_kept(self) -> None:
        self.ask(ALICE)
        kept = repr(vars(self.htpasswd)) + repr(vars(self.htpasswd._right)) + repr(vars(self.slowdown))
        self.assertNotIn("correct horse", kept)
        self.assertNotIn(ALICE.parameter, kept)

    def test_no_ambiguity(self) -> None:
        """A user and a password are not the same as another split of the same letters."""
        stored = hashed("bc")
        self.write("users", f"a:{stored}\nab:{stored}\n")
        self.clock.advance(1)
        self.assertIsNot(self.ask(basic("a", "bc")), None)
        self.refuse(basic("ab", "c"))

    def test_at_the_same_time(self) -> None:
        """Clients send many requests at once: the work is done once for all."""
        self.ask(ALICE)
        self.clock.advance(60)
        threads = ThreadsThatWait()
        htpasswd = Htpasswd(
            HtpasswdOptions("realm", self.path("users")), AuthContext(self.clock, threads, self.slowdown)
        )
        asked = [Deferred.fromCoroutine(htpasswd.authenticate(ALICE, ())) for _ in range(20)]
        wrong = [Deferred.fromCoroutine(htpasswd.authenticate(basic("alice", "no"), ())) for _ in range(5)]
        threads.run_all()
        for each in asked:
            self.assertEqual(self.successResultOf(each).identity.name, "alice")
        for each in wrong:
            self.failureResultOf(each, InvalidCredential)
        self.assertEqual(threads.calls, 3)  # the file, the right one, the wrong one

    def test_a_failure_is_shared(self) -> None:
        """Who waits for the same check hears the same of it: a right password is never called wrong."""
        self.patch(module, "_MOST_HASHING", 1)
        threads = ThreadsThatWait()
        htpasswd = Htpasswd(
            HtpasswdOptions("realm", self.path("users")), AuthContext(self.clock, threads, self.slowdown)
        )
        busy = Deferred.fromCoroutine(htpasswd.authenticate(basic("bob", "x"), ()))
        [(reading, read)] = threads.waiting
        threads.waiting.clear()
        reading.callback(read())
        attempt = Deferred[None]()
        self.patch(self.slowdown, "attempt", lambda address, user: attempt)
        asked = [Deferred.fromCoroutine(htpasswd.authenticate(ALICE, ())) for _ in range(3)]
        attempt.callback(None)
        for each in asked:
            self.failureResultOf(each, TooManyRequests)
        threads.run_all()
        self.failureResultOf(busy, InvalidCredential)

    def test_too_many(self) -> None:
        """Passwords that wait for a thread are few; the rest are told to come back."""
        threads = ThreadsThatWait()
        htpasswd = Htpasswd(
            HtpasswdOptions("realm", self.path("users")), AuthContext(self.clock, threads, self.slowdown)
        )
        asked = [
            Deferred.fromCoroutine(htpasswd.pretend(basic(f"user-{number}", "x", address="")))
            for number in range(module._MOST_HASHING + 10)
        ]
        [(reading, read)] = threads.waiting
        threads.waiting.clear()
        reading.callback(read())
        self.assertEqual(len(threads.waiting), module._MOST_HASHING)
        refused = [each for each in asked if each.called]
        self.assertEqual(len(refused), 10)
        for each in refused:
            self.failureResultOf(each, TooManyRequests)
        threads.run_all()
        for each in asked:
            self.successResultOf(each)


class EnumerationTests(HtpasswdCase):
    def test_unknown_users_cost_the_same(self) -> None:
        """A hash each, of the cost that some user has."""
        expensive = bcrypt.hashpw(b"x", bcrypt.gensalt(5))
        self.write("users", f"alice:{hashed('correct horse')}\nold:{expensive.decode()}\n")
        self.clock.advance(1)
        costs = set()
        for number in range(40):
            credential = basic(f"nobody-{number}", "x")
            before = len(self.checks)
            self.assertIs(self.ask(credential), None)
            self.do(self.htpasswd.pretend(credential))
            self.assertEqual(len(self.checks), before + 1)
            first = self.checks[-1]
            self.do(self.htpasswd.pretend(credential))
            self.assertEqual(self.checks[-1], first)  # the same user the same each time
            costs.add(first)
        self.assertEqual(len(costs), 2)

    def test_without_users(self) -> None:
        self.write("users", "")
        self.clock.advance(1)
        self.do(self.htpasswd.pretend(basic("nobody", "x")))
        self.assertEqual(len(self.checks), 1)

    def test_no_work_for_others(self) -> None:
        """What is no password is not worth a hash."""
        for credential in (Credential("bearer", "a.b.c"), Credential("basic", "?"), Credential()):
            self.do(self.htpasswd.pretend(credential))
        self.assertEqual(self.checks, [])

    def test_the_password_of_another(self) -> None:
        """That an unknown user's decoy has the password that was tried changes nothing."""
        self.users(alice="correct horse")
        self.do(self.htpasswd.pretend(basic("nobody", "correct horse")))
        self.assertIs(self.ask(basic("nobody", "correct horse")), None)

    def test_both_are_slowed(self) -> None:
        """Known or not, the same number of attempts is free, and the next one waits as long."""
        for user in ("alice", "nobody"):
            for _ in range(FREE_BY_USER):
                self.assertTrue(self.attempt(user).called)
            waiting = self.attempt(user)
            self.assertFalse(waiting.called)
            self.clock.advance(0.5)
            self.assertTrue(waiting.called)

    def attempt(self, user: str) -> Deferred[Any]:
        credential = basic(user, "wrong", address="192.0.2.1")

        async def attempt() -> None:
            try:
                if await self.htpasswd.authenticate(credential, ()) is None:
                    await self.htpasswd.pretend(credential)
            except InvalidCredential:
                pass

        return Deferred.fromCoroutine(attempt())

    def test_long_passwords(self) -> None:
        """Over 72 bytes nothing matches, not even what begins with the password; nobody pays for hashing it."""
        long = "p" * 72
        self.users(alice=long)
        self.assertIsNot(self.ask(basic("alice", long)), None)
        self.refuse(basic("alice", long + "p"))
        self.refuse(basic("alice", "\u00e4" * 37))


class MarkTests(HtpasswdCase):
    def test_marks(self) -> None:
        mark = self.do(self.htpasswd.mark("alice"))
        other = Htpasswd(HtpasswdOptions("realm", self.path("users")), self.context)
        self.assertEqual(self.do(other.mark("alice")), mark)  # in whichever process
        self.users(alice="new")
        self.assertNotEqual(self.do(self.htpasswd.mark("alice")), mark)
        self.assertIs(self.do(self.htpasswd.mark("bob")), None)
