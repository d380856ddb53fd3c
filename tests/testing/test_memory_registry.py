"""Tests of :class:`dregistry.testing.MemoryRegistry`: without sockets, then on a port."""

from __future__ import annotations

import json
from typing import Any

import treq
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown, ManifestBlobUnknown, ManifestUnknown, NameInvalid, NameUnknown
from dregistry.testing import Fault, MemoryRegistry, make_layer, on

URL = "http://registry.example"
BLOBS = on("GET", "/v2/.*/blobs/.*")
LARGE = bytes(range(256)) * 20_000


class MemoryCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.registry = MemoryRegistry()
        self.client = self.registry.client()

    def ask(self, method: str, path: str, status: int = 200, **options: Any) -> Any:
        response = self.successResultOf(self.client.request(method, URL + path, **options))
        self.assertEqual(response.code, status)
        return response

    def body(self, response: Any) -> bytes:
        return self.successResultOf(response.content())


class ServingTests(MemoryCase):
    def test_push_and_pull(self) -> None:
        """As any client does, by what treq has."""
        digest = Digest.of(LARGE)
        location = self.ask("POST", "/v2/a/b/blobs/uploads/", 202).headers.getRawHeaders("location")[0]
        self.assertTrue(location.startswith("http://registry.example/v2/a/b/blobs/uploads/"), location)
        path = location.removeprefix(URL)
        self.ask("PATCH", path, 202, data=LARGE)
        self.ask("PUT", f"{path.partition('?')[0]}?digest={digest}", 201)
        response = self.ask("GET", f"/v2/a/b/blobs/{digest}")
        self.assertEqual(self.body(response), LARGE)
        self.assertEqual(self.registry.blob("a/b", str(digest)), LARGE)

    def test_no_port(self) -> None:
        self.failureResultOf(Deferred.fromCoroutine(self.registry.start()), RuntimeError)
        self.assertRaises(RuntimeError, getattr, self.registry, "url")
        self.successResultOf(Deferred.fromCoroutine(self.registry.stop()))

    def test_read_only(self) -> None:
        self.registry = MemoryRegistry(read_only=True)
        self.client = self.registry.client()
        self.registry.push_blob("a/b", b"seeded all the same")
        self.ask("POST", "/v2/a/b/blobs/uploads/", 405)

    def test_delete(self) -> None:
        for delete, status in ((True, 202), (False, 405)):
            self.registry = MemoryRegistry(delete=delete)
            self.client = self.registry.client()
            digest = self.registry.push_blob("a/b", b"content")
            self.ask("DELETE", f"/v2/a/b/blobs/{digest}", status)

    def test_requests(self) -> None:
        self.ask("GET", "/v2/a/b/tags/list?n=1&last=x", 404, headers={"X-One": ["1", "2"]})
        self.ask("HEAD", "/v2/")
        first, second = self.registry.requests
        self.assertEqual((first.method, first.path, first.query), ("GET", "/v2/a/b/tags/list", "n=1&last=x"))
        self.assertEqual(first.headers["x-one"], "1, 2")
        self.assertEqual((first.status, first.fault), (404, None))
        self.assertEqual((second.method, second.path, second.query, second.status), ("HEAD", "/v2/", "", 200))


class SeedingTests(MemoryCase):
    def test_image(self) -> None:
        layer = make_layer({"etc/motd": b"hello"})
        digest = self.registry.push_image("a/b", "v1", [layer], {"config": {"Env": ["A=b"]}})
        response = self.ask("GET", "/v2/a/b/manifests/v1")
        self.assertEqual(response.headers.getRawHeaders("docker-content-digest"), [digest])
        manifest = json.loads(self.body(response))
        self.assertEqual(self.registry.manifest("a/b", "v1"), self.registry.manifest("a/b", digest))
        [descriptor] = manifest["layers"]
        self.assertEqual(self.body(self.ask("GET", f"/v2/a/b/blobs/{descriptor['digest']}")), layer)
        config = json.loads(self.registry.blob("a/b", manifest["config"]["digest"]))
        self.assertEqual(config["config"], {"Env": ["A=b"]})
        self.assertEqual(self.registry.requests[0].path, "/v2/a/b/manifests/v1", "seeding is no request")

    def test_tags(self) -> None:
        digest = self.registry.push_image("a/b", layers=[b"not compressed"])
        self.assertEqual(self.registry.tags("a/b"), {})
        self.registry.tag("a/b", "v1", digest)
        self.registry.tag("a/b", "v2", "v1")
        self.assertEqual(self.registry.tags("a/b"), {"v1": digest, "v2": digest})
        self.assertEqual(self.ask("GET", "/v2/a/b/tags/list").json().result["tags"], ["v1", "v2"])

    def test_refused(self) -> None:
        registry = self.registry
        self.assertRaises(NameUnknown, registry.tags, "a/b")
        self.assertRaises(NameInvalid, registry.push_blob, "A", b"")
        self.assertRaises(ManifestUnknown, registry.manifest, "a/b", "v1")
        self.assertRaises(ManifestUnknown, registry.tag, "a/b", "v2", "v1")
        self.assertRaises(BlobUnknown, registry.blob, "a/b", str(Digest.of(b"")))
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "application/json", "digest": str(Digest.of(b"")), "size": 0},
            "layers": [],
        }
        self.assertRaises(ManifestBlobUnknown, registry.push_manifest, "a/b", manifest, "v1")


class FaultTests(MemoryCase):
    def test_status(self) -> None:
        self.registry.inject(Fault(status=503, headers={"Retry-After": "7"}), on("GET HEAD", "/v2/"), skip=1, times=2)
        self.ask("GET", "/v2/")
        response = self.ask("GET", "/v2/", 503)
        self.assertEqual(response.headers.getRawHeaders("retry-after"), ["7"])
        self.assertEqual(self.successResultOf(response.json())["errors"][0]["code"], "UNAVAILABLE")
        self.assertEqual(self.body(self.ask("HEAD", "/v2/", 503)), b"")
        self.ask("GET", "/v2/")
        self.assertEqual([each.status for each in self.registry.requests], [200, 503, 503, 200])
        self.assertEqual([each.fault is None for each in self.registry.requests], [True, False, False, True])

    def test_code(self) -> None:
        self.registry.inject(Fault(status=500))
        self.registry.inject(Fault(status=404, code="MANIFEST_UNKNOWN"))
        for status, code in ((500, "UNKNOWN"), (500, "UNKNOWN")):  # the first one decides
            response = self.ask("GET", "/v2/", status)
            self.assertEqual(self.successResultOf(response.json())["errors"][0]["code"], code)

    def test_clear(self) -> None:
        self.registry.inject(Fault(status=500))
        self.registry.limit_rate(0, 60)
        self.registry.clear_faults()
        self.ask("GET", "/v2/")

    def test_status_for_a_push(self) -> None:
        """Nothing of its body is kept."""
        self.registry.inject(Fault(status=500), on("POST", ".*"))
        digest = Digest.of(LARGE)
        self.ask("POST", f"/v2/a/b/blobs/uploads/?digest={digest}", 500, data=LARGE)
        self.assertRaises(BlobUnknown, self.registry.blob, "a/b", str(digest))

    def test_delay(self) -> None:
        self.registry.inject(Fault(delay=10), times=1)
        answer = self.client.get(URL + "/v2/")
        self.registry.advance(9)
        self.assertNoResult(answer)
        self.registry.advance(1)
        self.assertEqual(self.successResultOf(answer).code, 200)

    def test_delayed_and_given_up(self) -> None:
        self.registry.inject(Fault(delay=10, status=500))
        answer = self.client.get(URL + "/v2/", timeout=None)
        answer.cancel()
        self.failureResultOf(answer)
        self.registry.advance(20)
        self.assertIsNone(self.registry.requests[0].status)

    def test_answer_breaks_off(self) -> None:
        digest = self.registry.push_blob("a/b", LARGE)
        for limit in (0, 1, 100_000, len(LARGE) - 1):
            self.registry.inject(Fault(after_answer_bytes=limit), BLOBS, times=1)
            response = self.ask("GET", f"/v2/a/b/blobs/{digest}")
            received: list[bytes] = []
            self.failureResultOf(treq.collect(response, received.append), ResponseFailed)
            self.assertEqual(b"".join(received), LARGE[:limit])
        self.registry.inject(Fault(after_answer_bytes=len(LARGE)), BLOBS)
        self.assertEqual(self.body(self.ask("GET", f"/v2/a/b/blobs/{digest}")), LARGE)

    def test_push_breaks_off(self) -> None:
        """The registry has what came; the client goes on from there."""
        digest = Digest.of(LARGE)
        path = self.ask("POST", "/v2/a/b/blobs/uploads/", 202).headers.getRawHeaders("location")[0].removeprefix(URL)
        self.registry.inject(Fault(after_request_bytes=1_500_000), on("PATCH", ".*"), times=1)
        self.failureResultOf(self.client.patch(URL + path, data=LARGE))
        self.assertIsNone(self.registry.requests[-1].status)
        status = self.ask("GET", path, 204)
        self.assertEqual(status.headers.getRawHeaders("range"), ["0-1499999"])
        self.ask("PATCH", path, 202, data=LARGE[1_500_000:])
        self.ask("PUT", f"{path.partition('?')[0]}?digest={digest}", 201)
        self.assertEqual(self.registry.blob("a/b", str(digest)), LARGE)

    def test_rate_limit(self) -> None:
        self.registry.limit_rate(2, 60, BLOBS)
        digest = self.registry.push_blob("a/b", b"content")
        path = f"/v2/a/b/blobs/{digest}"
        for _ in range(2):
            self.ask("GET", path)
            self.registry.advance(10.5)
        response = self.ask("GET", path, 429)
        self.assertEqual(response.headers.getRawHeaders("retry-after"), ["39"])
        self.assertEqual(self.successResultOf(response.json())["errors"][0]["code"], "TOOMANYREQUESTS")
        self.ask("GET", "/v2/")
        self.registry.advance(39)
        self.ask("GET", path)

    def test_on(self) -> None:
        when = on("GET HEAD", "/v2/[ab]")
        self.assertEqual([when("GET", "/v2/a"), when("HEAD", "/v2/b")], [True, True])
        self.assertEqual([when("PUT", "/v2/a"), when("GET", "/v2/ab"), when("GET", "/x/v2/a")], [False] * 3)
        self.assertTrue(on("", ".*")("ANY", "/path"))


class PortTests(TestCase):
    async def test_port(self) -> None:
        from twisted.internet import reactor

        pool = HTTPConnectionPool(reactor, persistent=False)
        agent = Agent(reactor, pool=pool)
        async with MemoryRegistry(reactor) as registry:
            self.assertRaises(RuntimeError, registry.client)
            digest = registry.push_blob("a/b", LARGE)
            url = f"{registry.url}/v2/a/b/blobs/{digest}"
            response = await treq.get(url, agent=agent)
            self.assertEqual(await response.content(), LARGE)
            registry.inject(Fault(delay=0.01, after_answer_bytes=100_000))
            response = await treq.get(url, agent=agent)
            received: list[bytes] = []
            with self.assertRaises(ResponseFailed):
                await treq.collect(response, received.append)
            self.assertEqual(b"".join(received), LARGE[:100_000])

    async def test_stop_in_the_middle(self) -> None:
        """It leaves no connection and no timer behind, as trial sees to."""
        from twisted.internet import reactor

        registry = MemoryRegistry(reactor)
        registry.inject(Fault(delay=1000))
        await registry.start()
        answer = treq.get(registry.url, agent=Agent(reactor), timeout=None)
        while not registry.requests:
            await self.turn()
        await registry.stop()
        self.assertRaises(RuntimeError, getattr, registry, "url")
        with self.assertRaises(ResponseFailed):
            await answer

    async def test_start_again(self) -> None:
        """On another port, with what there was."""
        from twisted.internet import reactor

        registry = MemoryRegistry(reactor)
        registry.push_image("a/b", "v1")
        for _ in range(2):
            async with registry:
                with self.assertRaises(RuntimeError):
                    await registry.start()
                url = f"{registry.url}/v2/a/b/tags/list"
                response = await treq.get(url, agent=Agent(reactor))
                self.assertEqual((await response.json())["tags"], ["v1"])

    def turn(self) -> Deferred[None]:
        from twisted.internet import reactor
        from twisted.internet.task import deferLater

        return deferLater(reactor, 0)
