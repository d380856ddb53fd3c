"""Events as they are kept: which members there are, by action."""

from __future__ import annotations

import json
import os
import time
import uuid
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.manifest import OCI_MANIFEST, OCTET_STREAM, Descriptor
from dregistry.notifications import event
from dregistry.notifications.event import Recorder, complete, timestamp
from dregistry.registry import Origin, RegistryEvent

from .support import DIGEST, SECOND, SOURCE, an_event

NOW = 1_795_542_876_253_655_261
HEX = DIGEST.hex


class RecordTests(SynchronousTestCase):
    def document(self, event: RegistryEvent) -> dict[str, Any]:
        found = Recorder(SOURCE).record(event, NOW)
        self.assertEqual((found.time, found.action, found.media_type), (NOW, event.action, event.media_type))
        document: dict[str, Any] = json.loads(complete(7, found.time, found.content))
        return document

    def target(self, **members: Any) -> list[tuple[str, Any]]:
        """With its order."""
        return list(self.document(an_event(**members))["target"].items())

    def test_around_the_target(self) -> None:
        document = self.document(an_event())
        self.assertEqual(list(document), ["id", "timestamp", "action", "target", "request", "actor", "source"])
        self.assertEqual(uuid.UUID(document["id"]).version, 7)
        self.assertEqual(document["timestamp"], timestamp(NOW))
        self.assertEqual(
            list(document["request"].items()),
            [
                ("id", "a-request"), ("addr", "192.0.2.1:31337"), ("host", "r.example"), ("method", "PUT"),
                ("useragent", "agent/1"),
            ],
        )  # fmt: skip
        self.assertEqual(document["actor"], {"name": "alice"})
        self.assertEqual(
            list(document["source"].items()), [("addr", "registry.example:5000"), ("instanceID", "an-instance")]
        )

    def test_nobody_and_nothing(self) -> None:
        """What is always there although it is empty, and what is not."""
        document = self.document(an_event(origin=Origin()))
        self.assertEqual(list(document["request"].items()), [("id", ""), ("method", ""), ("useragent", "")])
        self.assertEqual(document["actor"], {})

    def test_manifest_pushed(self) -> None:
        self.assertEqual(
            self.target(tag="v1"),
            [
                ("mediaType", OCI_MANIFEST), ("digest", f"sha256:{HEX}"), ("size", 3), ("length", 3),
                ("repository", "some/repo"), ("url", f"https://r.example/v2/some/repo/manifests/sha256:{HEX}"),
                ("tag", "v1"),
            ],
        )  # fmt: skip

    def test_manifest_pulled_by_digest(self) -> None:
        self.assertNotIn("tag", dict(self.target(action="pull")))

    def test_blob_mounted(self) -> None:
        self.assertEqual(
            self.target(action="mount", media_type=OCTET_STREAM, from_repository="other"),
            [
                ("mediaType", OCTET_STREAM), ("digest", f"sha256:{HEX}"), ("size", 3), ("length", 3),
                ("repository", "some/repo"), ("fromRepository", "other"),
                ("url", f"https://r.example/v2/some/repo/blobs/sha256:{HEX}"),
            ],
        )  # fmt: skip

    def test_deleted(self) -> None:
        always = [("mediaType", ""), ("digest", f"sha256:{HEX}"), ("size", 0), ("repository", "some/repo")]
        self.assertEqual(self.target(action="delete", media_type="", size=0), always)
        always[1] = ("digest", "")
        self.assertEqual(
            self.target(action="delete", media_type="", size=0, digest=None, tag="v1"), [*always, ("tag", "v1")]
        )
        self.assertEqual(self.target(action="delete", media_type="", size=0, digest=None), always)

    def test_references(self) -> None:
        platform = {"os": "linux", "variant": "v7", "os.features": ["a"], "os.version": ""}
        references = (
            Descriptor("a/b", DIGEST, 0),
            Descriptor("c/d", DIGEST, 5, ("http://x",), {"b": "1", "a": "2"}, "e/f", platform),
        )
        target = dict(self.target(references=references))
        self.assertEqual(list(target)[-1], "references")
        first, second = target["references"]
        self.assertEqual(list(first.items()), [("mediaType", "a/b"), ("digest", f"sha256:{HEX}"), ("size", 0)])
        self.assertEqual(
            [(name, list(value.items()) if isinstance(value, dict) else value) for name, value in second.items()],
            [
                ("mediaType", "c/d"), ("digest", f"sha256:{HEX}"), ("size", 5), ("urls", ["http://x"]),
                ("annotations", [("a", "2"), ("b", "1")]),
                ("platform", [("architecture", ""), ("os", "linux"), ("os.features", ["a"]), ("variant", "v7")]),
                ("artifactType", "e/f"),
            ],
        )  # fmt: skip

    @given(st.text(), st.text(), st.text(), st.text(), st.text(min_size=1))
    def test_any_text(self, actor: str, host: str, method: str, agent: str, media_type: str) -> None:
        """What clients send is no part of the document's form."""
        document = self.document(
            an_event(origin=Origin("i", actor, host, host, method, agent, host), media_type=media_type)
        )
        self.assertEqual(document["actor"].get("name", ""), actor)
        self.assertEqual(document["request"].get("host", ""), host)
        self.assertEqual((document["request"]["method"], document["request"]["useragent"]), (method, agent))
        self.assertEqual(document["target"]["mediaType"], media_type)

    def test_other_digests(self) -> None:
        digest = Digest.of(b"", "sha512")
        self.assertEqual(dict(self.target(digest=digest))["digest"], str(digest))


class TimestampTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.addCleanup(self.set_zone, os.environ.get("TZ"))

    def set_zone(self, zone: str | None) -> None:
        os.environ.pop("TZ", None)
        if zone is not None:
            os.environ["TZ"] = zone
        time.tzset()
        event._second.cache_clear()

    def test_as_go_writes_it(self) -> None:
        for zone, now, expected in (
            ("UTC", 0, "1970-01-01T00:00:00Z"),
            ("UTC", 1, "1970-01-01T00:00:00.000000001Z"),
            ("UTC", 120_000_000, "1970-01-01T00:00:00.12Z"),
            ("UTC", NOW, "2026-11-24T17:54:36.253655261Z"),
            ("XXX-5:30", NOW, "2026-11-24T23:24:36.253655261+05:30"),
            ("XXX+3:30", SECOND, "1969-12-31T20:30:01-03:30"),
        ):
            self.set_zone(zone)
            self.assertEqual(timestamp(now), expected, zone)


class IdTests(SynchronousTestCase):
    """What is made when an event is read."""

    def test_ids(self) -> None:
        """Version 7, in order of time, of each event another, and always the same."""
        found = [self.event_id(number, NOW + number * 10**6) for number in range(1000)]
        self.assertEqual(found, sorted(found))
        for text in found:
            parsed = uuid.UUID(text)
            self.assertEqual((parsed.version, parsed.variant, str(parsed)), (7, uuid.RFC_4122, text))
        self.assertTrue(found[0].replace("-", "").startswith(f"{NOW // 10**6:012x}"))
        self.assertEqual(len({self.event_id(number, NOW) for number in range(1000)}), 1000)
        self.assertEqual(len({self.event_id(1, NOW, f'{{"a":{number}}}') for number in range(1000)}), 1000)
        self.assertEqual(self.event_id(1, NOW), self.event_id(1, NOW))

    def event_id(self, number: int, time: int, content: str = '{"a":1}') -> str:
        document = json.loads(complete(number, time, content))
        self.assertEqual(document["timestamp"], timestamp(time))
        found: str = document["id"]
        return found
