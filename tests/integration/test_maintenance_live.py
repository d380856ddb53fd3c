"""Maintenance of a registry that runs: read-only mode that is switched by SIGHUP, and upload purging."""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import yaml
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase, TestCase

from dregistry.purging import UploadPurging
from dregistry.storage import paths

from ..storage.support import inline_driver, temporary_directory
from .client import Client, digest_of, random_bytes
from .raw import Peer, request
from .server import RunningRegistry
from .test_garbage_collection import ours

PATIENCE = 30.0
AGO = "2001-09-09T01:46:40Z"


class ReadOnlyTests(SynchronousTestCase):
    """With workers, which SIGHUP replaces."""

    def setUp(self) -> None:
        self.registry = self.enterContext(RunningRegistry({"http": {"workers": 2, "draintimeout": "30s"}}))
        self.client = Client(self.registry.address)
        self.config = os.path.join(self.registry.folder, "config.yml")

    def switch(self, read_only: bool) -> None:
        """Change the configuration and have it read; until every worker goes by it."""
        with open(self.config) as file:
            config: dict[str, Any] = yaml.safe_load(file)
        config["storage"]["maintenance"] = {"readonly": {"enabled": read_only}}
        with open(self.config, "w") as file:
            yaml.safe_dump(config, file)
        os.kill(self.registry.pid, signal.SIGHUP)
        deadline = time.monotonic() + PATIENCE
        in_row = 0
        while in_row < 20:
            self.assertLess(time.monotonic(), deadline, self.registry.read_log())
            status = Client(self.registry.address).request("DELETE", "/v2/x/blobs/uploads/nonsense").status
            in_row = in_row + 1 if status == (405 if read_only else 404) else 0

    def collect(self) -> int:
        return ours(self.config, "-q").returncode

    def collect_in_time(self) -> None:
        """Workers that were replaced may still be about to end."""
        deadline = time.monotonic() + PATIENCE
        while self.collect() != 0:
            self.assertLess(time.monotonic(), deadline)

    def test_switched(self) -> None:
        """A collection refuses to begin while anybody may write, and may run while nobody can."""
        image = self.client.push_manifest("a", self.client.image("a"), "v1")
        unused = self.client.push_blob("a", random_bytes())
        self.assertEqual(self.collect(), 1)
        self.switch(True)
        self.collect_in_time()
        self.assertEqual(self.client.head(f"/v2/a/blobs/{unused}").status, 404)
        self.assertEqual(self.client.get(f"/v2/a/manifests/{image['digest']}").status, 200)
        self.switch(False)
        self.assertEqual(self.collect(), 1)
        self.client.push_blob("a", random_bytes())

    def test_upload_under_way(self) -> None:
        """It may end; no collection begins before."""
        content = random_bytes(1 << 20)
        path = f"/v2/a/blobs/uploads/?digest={digest_of(content)}"
        with Peer(self.registry.port, PATIENCE) as peer:
            peer.send(request("POST", path, content)[: -len(content) + 1000])
            self.switch(True)
            self.assertEqual(self.collect(), 1)
            answer = peer.send(content[1000:]).answer("POST")
        self.assertEqual(answer.status if answer else None, 201)
        self.collect_in_time()

    def test_start_during_a_collection(self) -> None:
        """A registry that would write does not; one that is read-only does."""
        data = self.registry.data
        self.registry.stop()
        lock: Any = inline_driver(data).keep_out()
        writes = self.enterContext(Stopped({"http": {"workers": 1}}, data))
        error = self.assertRaises(AssertionError, writes.start)
        self.assertIn("its garbage is being collected", str(error))
        read_only = self.enterContext(Stopped(READ_ONLY, data))
        read_only.start()
        read_only.stop()
        lock.release()
        writes.start()


READ_ONLY = {"storage": {"maintenance": {"readonly": {"enabled": True}}}}


class Stopped(RunningRegistry):
    """As a context manager, it is not started."""

    def __enter__(self) -> Stopped:
        return self


class PurgingTests(TestCase):
    def setUp(self) -> None:
        self.folder = temporary_directory(self)
        self.config = os.path.join(self.folder, "config.yml")
        with open(self.config, "w") as file:
            yaml.safe_dump({"version": 0.1, "storage": {"filesystem": {"rootdirectory": self.folder}}}, file)
        self.upload = self.folder + paths.upload("a/b", "0d2d4d7e-8f5f-4c0b-9d0c-6a8f4f0f6a5e")
        os.makedirs(self.upload)
        for name, content in (("data", "some"), ("startedat", AGO)):
            with open(f"{self.upload}/{name}", "w") as file:
                file.write(content)

    async def test_round(self) -> None:
        ended: Deferred[bool] = Deferred()
        service = UploadPurging(self.config, 86_400.0, reactor, lambda: 0.0)
        service.tell = lambda task, well: ended.callback(well)
        service.startService()
        self.assertTrue(await ended)
        await service.stopService()
        self.assertFalse(os.path.exists(self.upload))
