"""Manifests that are none, or too much of one."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from .raw import (
    ABSENT,
    OCI_INDEX,
    OCI_MANIFEST,
    PATIENCE,
    Answer,
    Peer,
    ServedTestCase,
    descriptor,
    image,
    sha256,
)

LIMIT = 4 << 20
CONFIG = b"{}"
GOOD = json.loads(image(CONFIG))


def changed(**members: Any) -> bytes:
    return json.dumps({**GOOD, **members}).encode()


def with_member(text: bytes) -> bytes:
    """A manifest with one more member, as text."""
    return image(CONFIG)[:-1] + b',"extra":' + text + b"}"


DEEP = 100_000
HUGE = b"1" * 100_000
JUNK: tuple[bytes, ...] = (
    b"",
    b"null",
    b"[]",
    b'"x"',
    b"2",
    b"{",
    b"{}" * 2,
    b"\xff",
    b"\xef\xbb\xbf" + image(CONFIG),
    image(CONFIG).decode().encode("utf-16"),
    image(CONFIG).decode().encode("utf-16-le"),
    image(CONFIG).decode().encode("utf-32"),
    image(CONFIG) + b"\0",
    image(CONFIG) + image(CONFIG),
    with_member(b"NaN"),
    with_member(b"-Infinity"),
    with_member(HUGE),
    with_member(b"-" + HUGE),
    with_member(b'"\\ud800"'),
    with_member(b'"\\udc00\\ud800"'),
    with_member(b'"\xed\xa0\x80"'),
    with_member(b'"\x00"'),
    with_member(b'{"a":1,"a":2}'),
    with_member(b"[" * DEEP),
    with_member(b"[" * DEEP + b"]" * DEEP),
    with_member(b'{"a":' * DEEP + b"1" + b"}" * DEEP),
    image(CONFIG)[:-1] + b',"mediaType":"' + OCI_INDEX.encode() + b'"}',
    image(CONFIG)[:-1] + b',"schemaVersion":2}',
    b"[" * LIMIT,
    b'{"a":' * (LIMIT // 5),
    b'"' + b"a" * (LIMIT - 1),
    b"1" * LIMIT,
    changed(schemaVersion=2.0),
    changed(schemaVersion=True),
    changed(schemaVersion="2"),
    changed(schemaVersion=1),
    changed(schemaVersion=10**400),
    changed(mediaType=OCI_MANIFEST + "\0"),
    changed(mediaType=["x"]),
    changed(mediaType=""),
    changed(config=None),
    changed(config=[]),
    changed(config={}),
    changed(config={**GOOD["config"], "size": -1}),
    changed(config={**GOOD["config"], "size": 10**30}),
    changed(config={**GOOD["config"], "size": 1.5}),
    changed(config={**GOOD["config"], "digest": "sha256:" + "\0" * 64}),
    changed(config={**GOOD["config"], "digest": "../../../etc/passwd"}),
    changed(config={**GOOD["config"], "digest": "sha256:../" + "0" * 61}),
    changed(config={**GOOD["config"], "digest": 5}),
    changed(config={**GOOD["config"], "annotations": {"a": 1}}),
    changed(config={**GOOD["config"], "annotations": []}),
    changed(config={**GOOD["config"], "urls": "http://x"}),
    changed(config={**GOOD["config"], "urls": ["http://[::1"]}),
    changed(config={**GOOD["config"], "urls": ["http://a\u2100b/"]}),
    changed(config={**GOOD["config"], "platform": "linux"}),
    changed(config={**GOOD["config"], "data": 5, "size": None}),
    changed(layers={}),
    changed(layers=[[]]),
    changed(layers=[None]),
    changed(manifests=[]),
    changed(subject=[]),
    changed(subject={"digest": ABSENT}),
    changed(subject="sha256:x"),
    changed(annotations=[["a", "b"]]),
    changed(annotations={"a": None}),
    changed(artifactType={}),
)


class HostileManifestTests(ServedTestCase):
    def setUp(self) -> None:
        super().setUp()
        with self.peer() as peer:
            self.digest = peer.push_blob("junk", CONFIG)

    def put(self, content: bytes, reference: str = "t", media_type: str = OCI_MANIFEST) -> Answer:
        with Peer(self.served.port, 4 * PATIENCE) as peer:
            return peer.push_manifest("junk", reference, content, media_type)

    def test_junk_is_refused(self) -> None:
        for content in JUNK:
            for media_type in (OCI_MANIFEST, OCI_INDEX):
                with self.subTest(content=content[:80]):
                    found = self.put(content, "junk", media_type)
                    self.assertEqual(found.status, 400, found)
                    self.assertEqual(found.json()["errors"][0]["code"], "MANIFEST_INVALID")
                    self.assertLess(len(found.body), 4096)
        self.assertEqual(self.ask("GET", "/v2/junk/manifests/junk").status, 404)

    def test_junk_of_other_types(self) -> None:
        for media_type in ("", "x", "application/json", "text/html", OCI_MANIFEST + "\xff", "\xff/\xfe", "a" * 9000):
            with self.subTest(media_type=media_type[:40]):
                self.assertIn(self.put(image(CONFIG), "types", media_type).status, (201, 400))

    def test_just_too_large(self) -> None:
        content = image(CONFIG)
        self.assertEqual(self.put(content + b" " * (LIMIT - len(content))).status, 201)
        self.assertEqual(self.put(content + b" " * (LIMIT - len(content) + 1)).status, 413)
        with self.peer() as peer:
            head = b"PUT /v2/junk/manifests/t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
            chunk = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
            found = peer.send(head, *[chunk] * 5).answer("PUT")
            assert found is not None
            self.assertEqual(found.status, 413)

    def test_as_many_descriptors_as_there_is_room_for(self) -> None:
        """All absent: the answer names each; meanwhile others are served."""
        layers = [descriptor(f"sha256:{number:064x}", 1, "") for number in range(27_000)]
        content = json.dumps({**GOOD, "layers": layers}, separators=(",", ":")).encode()
        self.assertLess(len(content), LIMIT)
        found = self.while_others_are_served(content)
        self.assertEqual(found.status, 400)
        self.assertEqual(len(found.json()["errors"]), 27_000)
        self.assertEqual({entry["code"] for entry in found.json()["errors"]}, {"MANIFEST_BLOB_UNKNOWN"})

    def test_one_descriptor_very_often(self) -> None:
        layers = [descriptor(self.digest, len(CONFIG), "")] * 27_000
        content = json.dumps({**GOOD, "layers": layers}, separators=(",", ":")).encode()
        self.assertEqual(self.while_others_are_served(content).status, 201)

    def test_a_member_that_stands_twice_among_very_many(self) -> None:
        members = ",".join(f'"{number:x}":0' for number in range(350_000))
        content = b"{%s,%s" % (members.encode(), b'"z":0,"z":0}')
        self.assertLess(len(content), LIMIT)
        found = self.while_others_are_served(content)
        self.assertEqual(found.status, 400)

    def test_very_many_annotations(self) -> None:
        annotations = {f"{number:x}": "" for number in range(300_000)}
        content = json.dumps({**GOOD, "annotations": annotations}, separators=(",", ":")).encode()
        self.assertLess(len(content), LIMIT)
        self.assertEqual(self.while_others_are_served(content).status, 201)

    def while_others_are_served(self, content: bytes) -> Answer:
        """Put a manifest, within some seconds; another client has its answers within two meanwhile."""
        answers: list[Answer] = []

        def put() -> None:
            answers.append(self.put(content, "large"))

        thread = threading.Thread(target=put, daemon=True)
        thread.start()
        with self.peer() as peer:
            deadline = time.monotonic() + 4 * PATIENCE
            while thread.is_alive() and time.monotonic() < deadline:
                asked = time.monotonic()
                self.assertEqual(peer.ask("GET", f"/v2/junk/blobs/{self.digest}").body, CONFIG)
                self.assertLess(time.monotonic() - asked, 2.0)
        thread.join(1)
        self.assertEqual(len(answers), 1, "the manifest has no answer")
        return answers[0]

    def test_strings_that_are_odd_come_back_in_lists_of_referrers(self) -> None:
        odd = 'a\0b\u2028"\\</script>\x7f\U0001f4a9\uffff\r\n'
        subject = descriptor(self.digest, len(CONFIG), odd)
        config = {**GOOD["config"], "mediaType": odd}
        for number, artifact_type in enumerate((odd, "")):
            content = changed(
                config=config, subject=subject, annotations={odd: odd, "": str(number)}, artifactType=artifact_type
            )
            found = self.put(content, f"odd{number}")
            self.assertEqual((found.status, found.headers.get("oci-subject")), (201, self.digest))
        quoted = "a%00b%E2%80%A8%22%5C%3C/script%3E%7F%F0%9F%92%A9%EF%BF%BF%0D%0A"
        for target in (f"/v2/junk/referrers/{self.digest}", f"/v2/junk/referrers/{self.digest}?artifactType={quoted}"):
            listed = self.ask("GET", target)
            self.assertEqual(listed.status, 200)
            self.assertEqual([each["artifactType"] for each in listed.json()["manifests"]], [odd, odd])
            self.assertEqual({each["annotations"][odd] for each in listed.json()["manifests"]}, {odd})
        first = self.ask("GET", f"/v2/junk/referrers/{self.digest}?n=1&artifactType={quoted}")
        _, _, rest = first.headers["link"].partition("<")
        second = self.ask("GET", rest.partition(">")[0])
        self.assertEqual(len(first.json()["manifests"] + second.json()["manifests"]), 2)

    def test_a_fallback_tag_that_lists_nonsense(self) -> None:
        subject = sha256(b"subject")
        tag = subject.replace(":", "-")
        listed = [
            {**descriptor(ABSENT, 5), "artifactType": "x", "annotations": {"a": "\0"}},
            {**descriptor(ABSENT, 5), "annotations": {"a": "b" * 100_000}, "extra": [[[1e300]]]},
        ]
        for manifests in ([], listed):
            document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
            self.put(json.dumps(document).encode(), tag, OCI_INDEX)
            self.assertEqual(self.ask("GET", f"/v2/junk/referrers/{subject}").status, 200)
        self.put(image(CONFIG), tag)
        self.assertEqual(self.ask("GET", f"/v2/junk/referrers/{subject}").json()["manifests"], [])
