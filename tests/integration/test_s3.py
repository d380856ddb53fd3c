"""A registry whose content is in a bucket, seen from outside."""

from __future__ import annotations

import os
import tempfile
import time
import urllib.request
from typing import Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from tests.storage.s3_service import s3_settings

from . import test_interop, test_memory
from .client import OCI_LAYER, ApiCase, Client, descriptor, digest_of, random_bytes
from .docker_registry import DockerRegistry
from .raw import Peer, closing, path_of
from .server import RunningRegistry

LARGE = 1 << 30
PATIENCE = 60.0


def storage(**options: Any) -> dict[str, Any]:
    """The section of a registry on a bucket, which serves everything itself."""
    return {"filesystem": None, "s3": {**s3_settings(), **options}, "redirect": {"disable": True}}


class BucketTests(ApiCase):
    """What differs from files in a directory."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.settings = {"storage": storage(chunksize=5 << 20)}
        super().setUpClass()

    def test_kill_during_a_long_patch(self) -> None:
        """The parts that were sent are there, and the upload goes on behind them."""
        content = random_bytes(24 << 20)
        location = self.client.start_upload(self.repo).location
        connection = self.client.send_partly("PATCH", location, len(content), content[: 18 << 20])
        deadline = time.monotonic() + PATIENCE
        while self.offset(location) < 10 << 20:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.1)
        self.server.kill()
        connection.close()
        self.server.start()
        location = location.partition("?")[0]
        offset = self.offset(location)
        self.assertTrue(10 << 20 <= offset <= 18 << 20, offset)
        answer = self.client.patch(location, content[offset:], f"{offset}-{len(content) - 1}")
        self.assert_status(answer, 202)
        self.assert_status(self.client.finish(answer.location, digest_of(content)), 201)
        self.assert_blob(content, digest_of(content))

    def offset(self, location: str) -> int:
        answer = self.client.get(location)
        return 0 if answer.status == 404 else int(answer["Range"].partition("-")[2]) + 1

    def test_where_the_service_is_gone(self) -> None:
        """Clients hear that the storage failed; the log says how."""
        settings = storage(regionendpoint="http://127.0.0.1:9", accesskey="an-access-key", secretkey="a-secret-key")
        with RunningRegistry({"storage": settings}) as registry:
            answer = Client(registry.address).get("/v2/a/tags/list")
            self.assertEqual(answer.status, 503)
            self.assertEqual(answer.json()["errors"][0]["code"], "UNAVAILABLE")
            log = registry.read_log()
        self.assertIn("Connection refused", log)
        self.assertNotIn("a-secret-key", log)

    def test_wrong_bucket(self) -> None:
        """The log says so as soon as the registry has started."""
        with RunningRegistry({"storage": storage(bucket="no-such-bucket")}) as registry:
            deadline = time.monotonic() + PATIENCE
            while "there is no bucket 'no-such-bucket'" not in registry.read_log():
                self.assertLess(time.monotonic(), deadline, registry.read_log())
                time.sleep(0.05)


class RedirectTests(ApiCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.settings = {"storage": {**storage(), "redirect": {"disable": False}}}
        super().setUpClass()

    def test_blobs(self) -> None:
        """The client is sent to the bucket, and finds the blob there."""
        digest = self.client.push_blob(self.repo, content := random_bytes(100_000))
        answer = self.assert_status(self.client.get(f"/v2/{self.repo}/blobs/{digest}"), 307)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(answer["Location"]) as found:
            self.assertEqual(found.read(), content)


class LargeTests(test_memory.LargeBlobTests):
    """What large content costs the server in memory."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.settings = {"storage": storage()}
        super().setUpClass()

    def test_two_gibibytes(self) -> None:
        """Half of that, pushed by POST, PATCH and PUT, and a part of it by POST and PUT; pulled."""
        with Peer(self.served.port, PATIENCE) as peer, self.watched() as pushing:
            digest = self.send_all(peer, f"PATCH {peer.start('large')}", LARGE // 4)
            found = peer.answer("PATCH")
            assert found is not None
            self.assertEqual(peer.ask("PUT", closing(path_of(found), digest), b"").status, 201)
        with Peer(self.served.port, PATIENCE) as peer, self.watched() as putting:
            digest = test_memory.digest_of(LARGE)
            self.send_all(peer, f"PUT {closing(peer.start('large'), digest)}", LARGE)
            answer = peer.answer("PUT")
            assert answer is not None
            self.assertEqual(answer.status, 201)
        with self.watched() as pulling:
            self.assertEqual(self.read_blob(digest), (LARGE, digest))
        for watch in (pushing, putting, pulling):
            self.assert_flat(watch)


class ExchangeTests(SynchronousTestCase):
    """dregistry and registry:2 on one bucket. (SeaweedFS shows tags that registry:2 deleted for a while, to both.)"""

    def setUp(self) -> None:
        self.enterContext(mock.patch.dict(os.environ))
        os.environ.pop("AWS_CA_BUNDLE", None)  # which registry:2 cannot use
        settings = {"storage": storage()}
        folder = self.enterContext(tempfile.TemporaryDirectory())
        theirs = self.enterContext(DockerRegistry(folder, settings))
        ours = self.enterContext(RunningRegistry(settings))
        self.clients = [Client(theirs.address), Client(ours.address)]

    def test_each_serves_what_the_other_wrote(self) -> None:
        for writer, reader in (self.clients, self.clients[::-1]):
            repository = f"from/{writer.address.replace(':', '-')}"
            writer.push_manifest(repository, writer.image(repository), "small")
            content = random_bytes(12 << 20)
            location = writer.patch(writer.start_upload(repository).location, content).location
            self.assertEqual(writer.finish(location, digest_of(content)).status, 201)
            image = writer.image(repository)
            image["layers"].append(descriptor(content, OCI_LAYER))
            writer.push_manifest(repository, image, "large")
            found = test_interop.contents(reader.address)
            self.assertEqual(sorted(found[repository]), ["large", "small"])
            self.assertEqual(found, test_interop.contents(writer.address))
            reader.push_manifest(repository, reader.image(repository), "small")
            self.assertEqual(test_interop.contents(reader.address), test_interop.contents(writer.address))
