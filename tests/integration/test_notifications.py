"""
Events of a real registry, as a listener gets them: which there are, what they hold, and that registry:2 sends the same.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import re
import shutil
import tempfile
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from .client import OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, OCTETS, Client, descriptor, digest_of, encode
from .docker_registry import DockerRegistry
from .listener import Listener, Received
from .server import RunningRegistry

CONFIG, LAYER = b"{}", b"a layer <&>"
MANIFEST = encode(
    {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor(CONFIG, OCI_CONFIG),
        "layers": [descriptor(LAYER, OCI_LAYER, annotations={"a": "<b>"})],
    }
)
AGENT = {"User-Agent": "agent/<1>"}


class ListenedCase(SynchronousTestCase):
    def listen(self) -> Listener:
        listener = Listener()
        self.addCleanup(listener.stop)
        return listener

    def serve(self, *endpoints: dict[str, Any], **settings: Any) -> RunningRegistry:
        settings.setdefault("http", {})
        more = settings.pop("notifications", {})
        registry = RunningRegistry({**settings, "notifications": {"endpoints": list(endpoints), **more}})
        registry.__enter__()
        self.addCleanup(registry.__exit__, None, None, None)
        return registry


def push(client: Client, name: str, tag: str = "v1") -> None:
    for content in (CONFIG, LAYER):
        location = client.request("POST", f"/v2/{name}/blobs/uploads/").location
        answer = client.request(
            "PUT", location, content, {"Content-Type": OCTETS, **AGENT}, {"digest": digest_of(content)}
        )
        assert answer.status == 201, answer
    answer = client.request("PUT", f"/v2/{name}/manifests/{tag}", MANIFEST, {"Content-Type": OCI_MANIFEST, **AGENT})
    assert answer.status in (201, 500), answer  # Debian's registry:2 takes no OCI manifests


class EnvelopeTests(ListenedCase):
    """distribution's table of members, row by row."""

    def setUp(self) -> None:
        self.listener = self.listen()
        self.registry = self.serve({"name": "a", "url": self.listener.url})
        self.client = Client(self.registry.address)
        push(self.client, "a/b")
        self.told(3)

    def told(self, count: int) -> list[dict[str, Any]]:
        """The next events, all of them."""
        found = [received.event for received in self.listener.wait(count)]
        self.assertEqual(len(self.listener.received), count)
        self.listener.received.clear()
        return found

    def ask(self, method: str, path: str, status: int, **headers: str) -> None:
        answer = self.client.request(
            method, path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        self.assertEqual(answer.status, status, repr(answer))

    def target(self, digest: str, kind: str, media_type: str, size: int, repository: str = "a/b", **more: Any) -> Any:
        return {
            "mediaType": media_type,
            "digest": digest,
            "size": size,
            "length": size,
            "repository": repository,
            "url": f"{self.registry.url}/v2/{repository}/{kind}/{digest}",
            **more,
        }

    def manifest(self, **more: Any) -> Any:
        return self.target(digest_of(MANIFEST), "manifests", OCI_MANIFEST, len(MANIFEST), **more)

    def layer(self, **more: Any) -> Any:
        return self.target(digest_of(LAYER), "blobs", OCTETS, len(LAYER), **more)

    def test_pushes(self) -> None:
        push(self.client, "a/b")
        events = self.told(3)
        self.assertEqual([event["action"] for event in events], ["push"] * 3)
        config = self.target(digest_of(CONFIG), "blobs", OCTETS, len(CONFIG))
        self.assertEqual([event["target"] for event in events], [config, self.layer(), self.manifest(tag="v1")])
        request = events[2]["request"]
        self.assertEqual(
            {**request, "id": "", "addr": ""},
            {"id": "", "addr": "", "host": self.registry.address, "method": "PUT", "useragent": "agent/<1>"},
        )
        self.assertRegex(request["addr"], r"^127\.0\.0\.1:\d+$")
        self.assertEqual([event["actor"] for event in events], [{}] * 3)
        sources = {json.dumps(event["source"]) for event in events}
        self.assertEqual(len(sources), 1, "all processes are one registry")
        self.assertTrue(events[0]["source"]["addr"].endswith(f":{self.registry.port}"))

    def test_pulls(self) -> None:
        digest, blob = digest_of(MANIFEST), f"/v2/a/b/blobs/{digest_of(LAYER)}"
        for method, path, status, headers, expected in (
            ("GET", "/v2/a/b/manifests/v1", 200, {}, self.manifest(tag="v1")),
            ("HEAD", "/v2/a/b/manifests/v1", 200, {}, self.manifest(tag="v1")),
            ("GET", f"/v2/a/b/manifests/{digest}", 200, {}, self.manifest()),
            ("GET", blob, 200, {}, self.layer()),
            ("HEAD", blob, 200, {}, self.layer()),
            ("GET", blob, 206, {"range": "bytes=0-1"}, self.layer()),
            ("GET", blob, 304, {"if_none_match": f'"{digest_of(LAYER)}"'}, self.layer()),
            ("GET", blob, 416, {"range": "bytes=99-"}, self.layer()),
        ):
            self.ask(method, path, status, **headers)
            [event] = self.told(1)
            self.assertEqual((event["action"], event["target"]), ("pull", expected), (method, path))
            self.assertEqual(event["request"]["method"], method)
        self.ask("GET", "/v2/a/b/manifests/v1", 304, if_none_match=f'"{digest}"')
        self.ask("GET", "/v2/a/b/manifests/nix", 404)
        self.ask("GET", "/v2/", 200)
        self.ask("GET", blob, 200)
        self.assertEqual(self.told(1)[0]["request"]["method"], "GET")

    def test_mount(self) -> None:
        self.ask("POST", f"/v2/c/blobs/uploads/?mount={digest_of(LAYER)}&from=a/b", 201)
        [event] = self.told(1)
        self.assertEqual(event["action"], "mount")
        self.assertEqual(event["target"], self.layer(repository="c", fromRepository="a/b"))

    def test_deletions(self) -> None:
        gone = {"mediaType": "", "digest": "", "size": 0, "repository": "a/b"}
        push(self.client, "a/b", "v2")
        self.told(3)
        self.ask("DELETE", "/v2/a/b/manifests/v2", 202)
        self.assertEqual([event["target"] for event in self.told(1)], [{**gone, "tag": "v2"}])
        self.ask("DELETE", f"/v2/a/b/manifests/{digest_of(MANIFEST)}", 202)
        events = self.told(2)
        self.assertEqual(
            [event["target"] for event in events], [{**gone, "tag": "v1"}, {**gone, "digest": digest_of(MANIFEST)}]
        )
        self.assertEqual(len({event["request"]["id"] for event in events}), 1, "of one request")
        self.ask("DELETE", f"/v2/a/b/blobs/{digest_of(LAYER)}", 202)
        [event] = self.told(1)
        self.assertEqual((event["action"], event["target"]), ("delete", {**gone, "digest": digest_of(LAYER)}))

    def test_behind_a_proxy(self) -> None:
        """Whose word counts only if the configuration says so; the URL follows the rules of ``Location``."""
        headers = {
            "x_forwarded_for": "203.0.113.9, 198.51.100.1",
            "x_forwarded_proto": "https",
            "x_forwarded_host": "r.x",
        }
        self.ask("GET", "/v2/a/b/manifests/v1", 200, **headers)
        [event] = self.told(1)
        self.assertTrue(event["request"]["addr"].startswith("127.0.0.1:"))
        self.assertTrue(event["target"]["url"].startswith("https://r.x/v2/a/b/manifests/"))
        trusting = self.serve({"url": self.listener.url}, http={"trustedproxies": ["127.0.0.0/8"]})
        self.client = Client(trusting.address)
        push(self.client, "a/b")
        self.told(3)
        self.ask("GET", "/v2/a/b/manifests/v1", 200, **headers)
        self.assertEqual(self.told(1)[0]["request"]["addr"], "198.51.100.1")


class FormsTests(ListenedCase):
    def test_each(self) -> None:
        """Every endpoint in its own form, of one and the same event."""
        plain, signed, clouds, few = (self.listen() for _ in range(4))
        registry = self.serve(
            {"url": plain.url, "headers": {"X-A": ["b"]}},
            {"url": signed.url, "secret": "key", "mediatype": "v1"},
            {"url": clouds.url, "format": "cloudevents"},
            {"url": few.url, "ignoredmediatypes": [OCTETS], "ignore": {"actions": ["pull"]}},
            {"url": "http://127.0.0.1:1/", "disabled": True},
            notifications={"events": {"includereferences": True}},
        )
        client = Client(registry.address)
        push(client, "a")
        client.request("GET", "/v2/a/manifests/v1")
        client.request("DELETE", "/v2/a/manifests/v1")
        received = plain.wait(5)
        self.assertEqual(received[0].headers["x-a"], "b")
        self.assertEqual(received[0].headers["content-type"], "application/vnd.docker.distribution.events.v2+json")
        references = received[2].event["target"]["references"]
        self.assertEqual([each["mediaType"] for each in references], [OCI_CONFIG, OCI_LAYER])
        self.assertIn(rb'"a": "\u003cb\u003e"', received[2].body)
        old = signed.wait(5)[0]
        self.assertEqual(old.headers["content-type"], "application/vnd.docker.distribution.events.v1+json")
        message = old.headers["x-dregistry-signature-timestamp"].encode() + b"." + old.body
        expected = "sha256=" + hmac.new(b"key", message, hashlib.sha256).hexdigest()
        self.assertEqual(old.headers["x-dregistry-signature-256"], expected)
        cloud = clouds.wait(5)[2]
        self.assertEqual(cloud.headers["content-type"], "application/cloudevents+json")
        self.assertEqual(json.loads(cloud.body)["data"], received[2].event)
        self.assertEqual([each.event["action"] for each in few.wait(2)], ["push", "delete"])
        self.assertEqual(len(few.received), 2)


class Registry2Tests(ListenedCase):
    """The same requests to registry:2 and to dregistry: with ``mediatype: v1`` the bytes are the same."""

    def bodies(self, registry: RunningRegistry, listener: Listener) -> list[Received]:
        digest = digest_of(LAYER)
        with registry:
            push_blobs(registry)
            headers = {"User-Agent": "agent/<1>&\u00fc".encode().decode("latin-1")}
            raw(registry, "GET", f"/v2/a/b/blobs/{digest}", headers)
            raw(registry, "HEAD", f"/v2/a/b/blobs/{digest}", headers)
            raw(registry, "POST", f"/v2/c/blobs/uploads/?mount={digest}&from=a/b", {})
            raw(registry, "DELETE", f"/v2/a/b/blobs/{digest}", {})
            return listener.wait(6)

    def masked(self, received: Received, registry: RunningRegistry) -> str:
        text = received.body.decode().replace(str(registry.port), "PORT")
        text = re.sub(r'("id": )"[0-9a-f-]{36}"', r"\1ID", text)
        text = re.sub(r'("instanceID": )"[0-9a-f-]{36}"', r"\1ID", text)
        text = re.sub(r'("timestamp": )"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}(Z|[+-]\d\d:\d\d)"', r"\1TIME\2", text)
        return re.sub(r'("addr": "127\.0\.0\.1):\d+"', r"\1:PORT", text)

    def test_bytes(self) -> None:
        ours, theirs = self.listen(), self.listen()
        data = tempfile.mkdtemp(prefix="dregistry-test-")
        self.addCleanup(shutil.rmtree, data)
        registry2 = DockerRegistry(data, {"notifications": {"endpoints": [{"name": "a", "url": theirs.url}]}})
        dregistry = RunningRegistry(
            {
                "notifications": {"endpoints": [{"name": "a", "url": ours.url, "mediatype": "v1"}]},
                "http": {"workers": 1},  # of several, one may be late with its pulls
            }
        )
        expected = self.bodies(registry2, theirs)
        found = self.bodies(dregistry, ours)
        for ours_, theirs_ in zip(found, expected, strict=True):
            self.assertEqual(self.masked(ours_, dregistry), self.masked(theirs_, registry2))
            self.assertEqual(ours_.headers["content-type"], theirs_.headers["content-type"])


def push_blobs(registry: RunningRegistry) -> None:
    for content in (CONFIG, LAYER):
        location = raw(registry, "POST", "/v2/a/b/blobs/uploads/", {})["Location"]
        path = location[location.index("/v2/") :]
        mark = "&" if "?" in path else "?"
        raw(registry, "PUT", f"{path}{mark}digest={digest_of(content)}", {"Content-Type": OCTETS}, content)


def raw(registry: RunningRegistry, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> Any:
    """The headers of the answer, whatever it looks like."""
    connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=30)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        assert answer.status < 400, (method, path, answer.status)
        return answer.headers
    finally:
        connection.close()
