"""What endpoints are sent, byte for byte."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from dregistry.notifications.envelope import CLOUDEVENTS, V1, V2, encode

EVENT: dict[str, Any] = {
    "id": "0190-an-id",
    "timestamp": "2026-11-24T11:05:30.710689664Z",
    "action": "push",
    "target": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": "sha256:abc",
        "size": 417,
        "length": 417,
        "repository": "foo/bar",
        "url": "http://h/v2/foo/bar/manifests/sha256:abc",
        "tag": "v1",
        "references": [
            {
                "mediaType": "a/b",
                "digest": "sha256:d",
                "size": 0,
                "annotations": {"k": "<&>\u2028"},
                "artifactType": "c/d",
            }
        ],
    },
    "request": {"id": "r", "addr": "127.0.0.1:36116", "host": "127.0.0.1:5599", "method": "PUT", "useragent": ""},
    "actor": {"name": "alice"},
    "source": {"addr": "vm:5599", "instanceID": "i"},
}

V2_BYTES = rb"""{
   "events": [
      {
         "id": "0190-an-id",
         "timestamp": "2026-11-24T11:05:30.710689664Z",
         "action": "push",
         "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": "sha256:abc",
            "size": 417,
            "length": 417,
            "repository": "foo/bar",
            "url": "http://h/v2/foo/bar/manifests/sha256:abc",
            "tag": "v1",
            "references": [
               {
                  "mediaType": "a/b",
                  "digest": "sha256:d",
                  "size": 0,
                  "annotations": {
                     "k": "\u003c\u0026\u003e\u2028"
                  },
                  "artifactType": "c/d"
               }
            ]
         },
         "request": {
            "id": "r",
            "addr": "127.0.0.1:36116",
            "host": "127.0.0.1:5599",
            "method": "PUT",
            "useragent": ""
         },
         "actor": {
            "name": "alice"
         },
         "source": {
            "addr": "vm:5599",
            "instanceID": "i"
         }
      }
   ]
}"""

V1_TARGET = rb"""         "target": {
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "size": 417,
            "digest": "sha256:abc",
            "length": 417,
            "repository": "foo/bar",
            "url": "http://h/v2/foo/bar/manifests/sha256:abc",
            "tag": "v1",
            "references": [
               {
                  "mediaType": "a/b",
                  "digest": "sha256:d",
                  "annotations": {
                     "k": "\u003c\u0026\u003e\u2028"
                  }
               }
            ]
         },
"""


class EnvelopeTests(SynchronousTestCase):
    def test_v2(self) -> None:
        """The members of registry:3, its indentation and its escapes."""
        encoded = encode(EVENT, V2)
        self.assertEqual(encoded.media_type, "application/vnd.docker.distribution.events.v2+json")
        self.assertEqual(encoded.content.decode(), V2_BYTES.decode())

    def test_v1(self) -> None:
        """registry:2 has the size first, leaves out what is empty, and knows no artifactType."""
        encoded = encode(EVENT, V1)
        self.assertEqual(encoded.media_type, "application/vnd.docker.distribution.events.v1+json")
        before, _, rest = V2_BYTES.partition(b'         "target"')
        after = rest.partition(b'         "request"')[1:]
        self.assertEqual(encoded.content.decode(), (before + V1_TARGET + b"".join(after)).decode())

    def test_v1_of_a_deletion(self) -> None:
        target = {"mediaType": "", "digest": "", "size": 0, "repository": "a", "tag": "v1"}
        found = json.loads(encode({**EVENT, "target": target}, V1).content)
        self.assertEqual(found["events"][0]["target"], {"repository": "a", "tag": "v1"})

    def test_nobody(self) -> None:
        """An empty object stays on its line."""
        self.assertIn(b'\n         "actor": {},\n', encode({**EVENT, "actor": {}}, V2).content)

    def test_cloudevents(self) -> None:
        encoded = encode(EVENT, CLOUDEVENTS)
        self.assertEqual(encoded.media_type, "application/cloudevents+json")
        found = json.loads(encoded.content)
        self.assertEqual(found.pop("data"), EVENT)
        self.assertEqual(
            found,
            {
                "specversion": "1.0",
                "id": "0190-an-id",
                "source": "//vm:5599",
                "type": "dregistry.push",
                "subject": "foo/bar:v1",
                "time": "2026-11-24T11:05:30.710689664Z",
                "datacontenttype": "application/json",
            },
        )

    def test_subjects(self) -> None:
        for target, subject in (
            ({"digest": "sha256:a"}, "r@sha256:a"),
            ({"digest": "sha256:a", "tag": "v"}, "r:v"),
            ({"digest": "", "tag": "v"}, "r:v"),
            ({"digest": ""}, "r"),
        ):
            event = {**EVENT, "target": {"repository": "r", **target}}
            self.assertEqual(json.loads(encode(event, CLOUDEVENTS).content)["subject"], subject)

    @given(st.text(st.characters(exclude_categories=[])))
    def test_any_text(self, text: str) -> None:
        """Valid UTF-8 without what browsers take for markup; half a surrogate pair is replaced, as Go does."""
        content = encode({**EVENT, "actor": {"name": text}}, V2).content.decode("utf-8")
        for character in "<>&\u2028\u2029":
            self.assertNotIn(character, content)
        halves = {chr(half) for half in range(0xD800, 0xE000)}
        expected = "".join("\ufffd" if character in halves else character for character in text)
        self.assertEqual(json.loads(content)["events"][0]["actor"]["name"], expected)
