"""The outbox: what is kept in which order, and how far endpoints have got."""

from __future__ import annotations

import os
import stat
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from dregistry.manifest import OCTET_STREAM
from dregistry.notifications.outbox import OutboxError, Tables, Wanted
from dregistry.registry.listener import BLOB, MANIFEST, TAG

from ..storage.support import temporary_directory
from .support import ANY, SECOND, OutboxCase, a_record, tags

NO_PULLS = Wanted(actions=frozenset({"pull"}))
NO_BLOBS = Wanted(frozenset({OCTET_STREAM}), frozenset({"mount"}))
NO_TAGS = Wanted(actions=frozenset({"pull"}), kinds=frozenset({BLOB, TAG}))
TARGETS = ((OCTET_STREAM, BLOB), ("", BLOB), ("", MANIFEST), ("a/b", MANIFEST), ("", TAG))


def always() -> bool:
    return True


class EventsTests(OutboxCase):
    def test_empty(self) -> None:
        self.assertEqual(self.tables.events.bounds(), (1, 0))
        self.assertEqual(self.tables.events.page(0, 10, 1000), [])
        self.assertEqual(self.tables.events.last_before(10**30), 0)

    def test_order(self) -> None:
        self.add("a", "b")
        self.tables.events.append([a_record(f"c{number}") for number in range(200)])
        self.add("d")
        found = self.tables.events.page(0, 1000, 10**9)
        self.assertEqual(tags(found), ["a", "b", *(f"c{number}" for number in range(200)), "d"])
        self.assertEqual([event.id for event in found], list(range(1, 204)))
        self.assertEqual(self.tables.events.bounds(), (1, 203))

    def test_pages(self) -> None:
        self.add(*"abcde")
        self.assertEqual(tags(self.tables.events.page(1, 2, 10**9)), ["b", "c"])
        self.assertEqual(tags(self.tables.events.page(1, 100, 1)), ["b"])

    def test_bounded_by_characters(self) -> None:
        self.add(*"abcde")
        size = len(a_record("a").content)
        self.assertEqual(tags(self.tables.events.page(0, 100, size + 1)), ["a", "b"])

    def test_last_before(self) -> None:
        self.tables.events.append([a_record(time=time * SECOND) for time in (10, 20, 20, 30)])
        for time, expected in ((10, 0), (11, 1), (20, 1), (21, 3), (30, 3), (31, 4)):
            self.assertEqual(self.tables.events.last_before(time * SECOND), expected, time)
        self.tables.positions.remove_through(2, {}, always)
        for time, expected in ((10, 2), (21, 3), (31, 4)):
            self.assertEqual(self.tables.events.last_before(time * SECOND), expected, time)

    def test_numbers_are_not_used_again(self) -> None:
        self.add("a", "b")
        self.tables.positions.remove_through(2, {}, always)
        self.assertEqual(self.tables.events.bounds(), (3, 2))
        self.add("c")
        self.assertEqual(self.tables.events.bounds(), (3, 3))

    def test_all_or_none(self) -> None:
        records: Any = [a_record("a"), ("no time", None, None, None, None)]
        self.assertRaises(OutboxError, self.tables.events.append, records)
        self.assertEqual(self.tables.events.bounds(), (1, 0))
        self.add("b")
        self.assertEqual(self.tables.events.bounds(), (1, 1))


class PositionsTests(OutboxCase):
    def setUp(self) -> None:
        super().setUp()
        self.positions = self.tables.positions

    def next_tag(self, name: str, wanted: Wanted = ANY) -> str | None:
        event = self.positions.next(name, wanted).event
        return None if event is None else tags([event])[0]

    def deliver(self, name: str, wanted: Wanted = ANY) -> None:
        found = self.positions.next(name, wanted)
        assert found.event is not None
        self.positions.delivered(name, found.position, found.event.id, "200 OK")

    def test_new_endpoints(self) -> None:
        """They get what comes from then on; those that are there keep their place."""
        self.add("a")
        self.positions.register(["x"])
        self.add("b")
        self.positions.register(["x", "y"])
        self.assertEqual((self.next_tag("x"), self.next_tag("y")), ("b", None))

    def test_forgotten(self) -> None:
        """One that comes back is new."""
        self.positions.register(["x", "y"])
        self.add("a")
        self.positions.forget_others(["y"])
        self.assertRaises(OutboxError, self.positions.get, "x")
        self.positions.register(["x"])
        self.assertEqual((self.next_tag("x"), self.next_tag("y")), (None, "a"))

    def test_each_its_own(self) -> None:
        self.positions.register(["x", "y"])
        self.add("a", "b")
        self.deliver("x")
        self.assertEqual((self.next_tag("x"), self.next_tag("y")), ("b", "a"))
        self.deliver("x")
        self.assertEqual(self.next_tag("x"), None)

    def test_not_wanted(self) -> None:
        """What an endpoint is not to have it passes over, and is not kept for it."""
        self.positions.register(["x"])
        self.add("a", action="pull")
        self.assertEqual(self.next_tag("x", NO_PULLS), None)
        self.assertEqual(self.positions.get("x"), 1)
        self.add("b", action="pull")
        self.add("c")
        self.add("d", action="pull")
        self.assertEqual(self.next_tag("x", NO_PULLS), "c")
        self.deliver("x", NO_PULLS)
        self.assertEqual(self.positions.get("x"), 3)

    def test_wanted(self) -> None:
        """The same in Python as in SQL."""
        for wanted in (ANY, NO_PULLS, NO_BLOBS, NO_TAGS):
            for action in ("push", "pull", "mount", "delete"):
                for media_type, kind in (
                    (OCTET_STREAM, BLOB),
                    ("", BLOB),
                    ("", MANIFEST),
                    ("a/b", MANIFEST),
                    ("", TAG),
                ):
                    self.positions.forget_others([])
                    self.positions.register(["x"])
                    self.tables.events.append([a_record("t", action=action, media_type=media_type, kind=kind)])
                    self.assertEqual(self.next_tag("x", wanted) is not None, wanted(action, media_type, kind))

    def test_counts(self) -> None:
        self.positions.register(["x"])
        self.add("a", "b", "c")
        self.positions.failed("x", "503 Service Unavailable")
        self.positions.failed("x", None)
        self.deliver("x")
        self.deliver("x")
        counts = self.positions.counts("x", ANY)
        self.assertEqual((counts.pending, counts.successes, counts.failures, counts.errors), (1, 2, 1, 1))
        self.assertEqual(counts.statuses, {"503 Service Unavailable": 1, "200 OK": 2})
        self.assertEqual(self.positions.counts("nobody", ANY).pending, 0)

    def test_rewound(self) -> None:
        self.positions.register(["x"])
        self.add(*"abcd")
        for _ in range(4):
            self.deliver("x")
        self.assertEqual(self.positions.rewind("x", 1), 1)
        self.assertEqual(self.next_tag("x"), "b")
        self.assertEqual(self.positions.rewind("x", 3), 1, "it does not skip what is still to come")
        self.assertRaises(OutboxError, self.positions.rewind, "nobody", 0)

    def test_rewound_to_what_is_gone(self) -> None:
        self.positions.register(["x"])
        self.add(*"abcd")
        for _ in range(4):
            self.deliver("x")
        self.positions.remove_through(2, {"x": ANY}, always)
        self.assertEqual(self.positions.rewind("x", 0), 2)

    def test_rewound_meanwhile(self) -> None:
        """An answer that was under way does not undo it."""
        self.positions.register(["x"])
        self.add(*"abcd")
        self.deliver("x")
        self.deliver("x")
        found = self.positions.next("x", ANY)
        assert found.event is not None
        self.positions.rewind("x", 0)
        self.positions.delivered("x", found.position, found.event.id, "200 OK")
        self.assertEqual(self.next_tag("x"), "a")

    def test_given_up(self) -> None:
        self.positions.register(["x", "y", "z"])
        self.add("a", "b", action="pull")
        self.add(*"cdef")
        self.deliver("x")
        self.deliver("x")
        dead = self.positions.remove_through(4, {"x": ANY, "y": NO_PULLS}, always)
        self.assertEqual(dead, {"x": 2, "y": 2})
        self.assertEqual([self.next_tag("x"), self.next_tag("y", NO_PULLS)], ["e", "e"])
        self.assertEqual(self.positions.counts("x", ANY).dead_letters, 2)
        self.assertEqual(self.tables.events.bounds(), (5, 6))

    def test_removed_in_pieces(self) -> None:
        """Others may write in between, and it can be told to stop."""
        self.positions.register(["x"])
        self.tables.events.append([a_record() for _ in range(2500)])
        answers = [True, True, False]
        self.assertEqual(self.positions.remove_through(2400, {"x": ANY}, lambda: answers.pop(0)), {"x": 2000})
        self.assertEqual(self.tables.events.bounds(), (2001, 2500))
        self.assertEqual(self.positions.remove_through(2400, {"x": ANY}, always), {"x": 400})
        self.assertEqual(self.positions.remove_through(2400, {"x": ANY}, always), {})


class FilesTests(SynchronousTestCase):
    """What several processes share."""

    def setUp(self) -> None:
        self.folder = os.path.join(temporary_directory(self), "below", "it")

    def open(self, durable: bool = True) -> Tables:
        tables = Tables(self.folder, durable)
        self.addCleanup(tables.database.close)
        return tables

    def test_seen_by_another(self) -> None:
        first, second = self.open(), self.open(durable=False)
        version = second.events.version()
        self.assertEqual(second.events.version(), version)
        first.events.append([a_record("a")])
        self.assertNotEqual(second.events.version(), version)
        self.assertEqual(tags(second.events.page(0, 10, 10**6)), ["a"])
        version = first.events.version()
        second.positions.register(["x"])
        self.assertNotEqual(first.events.version(), version)

    def test_kept(self) -> None:
        tables = self.open()
        tables.positions.register(["x"])
        tables.events.append([a_record("a")])
        tables.database.close()
        again = self.open()
        event = again.positions.next("x", ANY).event
        assert event is not None
        self.assertEqual(tags([event]), ["a"])

    def test_how_it_is_written(self) -> None:
        """By each commit to the disk; but the deliverer's need not be."""
        for durable, synchronous in ((True, 2), (False, 1)):
            database = self.open(durable).database
            self.assertEqual(database.rows("PRAGMA journal_mode"), [("wal",)])
            self.assertEqual(database.rows("PRAGMA synchronous"), [(synchronous,)])

    def test_for_nobody_else(self) -> None:
        self.open()
        self.assertEqual(stat.S_IMODE(os.stat(self.folder).st_mode), 0o700)

    def test_of_another_version(self) -> None:
        database = self.open().database
        database.change("PRAGMA user_version = 7")
        error = self.assertRaises(OutboxError, self.open)
        self.assertIn(f"cannot open the outbox in {self.folder}: it has version 7, this is 1", str(error))

    def test_no_database(self) -> None:
        os.makedirs(self.folder)
        with open(os.path.join(self.folder, "outbox.db"), "wb") as file:
            file.write(b"no database at all" * 100)
        self.assertIn("file is not a database", str(self.assertRaises(OutboxError, self.open)))

    def test_no_folder(self) -> None:
        os.makedirs(os.path.dirname(self.folder))
        with open(self.folder, "wb"):
            pass
        self.assertIn("cannot open the outbox", str(self.assertRaises(OutboxError, self.open)))


class Machine(RuleBasedStateMachine):
    """The outbox against lists: one endpoint that has everything, one that has no pulls."""

    def __init__(self) -> None:
        super().__init__()
        self.tables = Tables(None)
        self.wanted = {"all": ANY, "few": NO_PULLS}
        self.tables.positions.register(list(self.wanted))
        self.actions: list[str] = []
        self.first = 1
        self.position = dict.fromkeys(self.wanted, 0)
        self.dead = dict.fromkeys(self.wanted, 0)

    def teardown(self) -> None:
        self.tables.database.close()

    def waiting(self, name: str) -> list[int]:
        return [
            number
            for number, action in enumerate(self.actions, 1)
            if number >= self.first and number > self.position[name] and self.wanted[name](action, "", MANIFEST)
        ]

    @rule(actions=st.lists(st.sampled_from(["push", "pull"]), min_size=1, max_size=70))
    def append(self, actions: list[str]) -> None:
        self.tables.events.append([a_record(action=action) for action in actions])
        self.actions += actions

    @rule(name=st.sampled_from(["all", "few"]), taken=st.booleans())
    def deliver(self, name: str, taken: bool) -> None:
        found = self.tables.positions.next(name, self.wanted[name])
        waiting = self.waiting(name)
        assert (found.event.id if found.event else None) == (waiting[0] if waiting else None)
        if found.event is None:
            self.position[name] = len(self.actions)
        elif taken:
            self.tables.positions.delivered(name, found.position, found.event.id, "200")
            self.position[name] = found.event.id

    @rule(name=st.sampled_from(["all", "few"]), back=st.integers(0, 50))
    def rewind(self, name: str, back: int) -> None:
        asked = len(self.actions) - back
        self.position[name] = min(max(asked, self.first - 1), self.position[name])
        assert self.tables.positions.rewind(name, asked) == self.position[name]

    @rule(back=st.integers(0, 100))
    def remove(self, back: int) -> None:
        last = len(self.actions) - back
        dead = self.tables.positions.remove_through(last, self.wanted, always)
        for name in self.wanted:
            lost = [number for number in self.waiting(name) if number <= last]
            assert dead.get(name, 0) == len(lost)
            self.dead[name] += len(lost)
            if last >= self.first:
                self.position[name] = max(self.position[name], last)
        self.first = max(self.first, last + 1)

    @invariant()
    def counted(self) -> None:
        for name, wanted in self.wanted.items():
            counts = self.tables.positions.counts(name, wanted)
            assert (counts.pending, counts.dead_letters) == (len(self.waiting(name)), self.dead[name])
        assert self.tables.events.bounds() == (self.first, len(self.actions))


class MachineTests(SynchronousTestCase):
    def test_machine(self) -> None:
        run_state_machine_as_test(Machine, settings=settings(max_examples=40, stateful_step_count=30, deadline=None))
