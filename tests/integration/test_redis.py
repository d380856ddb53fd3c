"""Registries with a real Redis: what they put there, and what is served while it is down, slow, or full of garbage."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from typing import Any

import trustme
from twisted.trial.unittest import SynchronousTestCase

from ..storage.support import temporary_directory
from .client import ERROR_LOGGED, Client, digest_of, random_bytes
from .docker_registry import DockerRegistry
from .redis_server import RunningRedis
from .server import RunningRegistry, free_port

REPOSITORY = "some/repo"
LARGE = 1 << 17
PATIENCE = 30.0
REACHABLE = "the descriptor cache is reachable"
OUT_OF_REACH = "the descriptor cache is out of reach"
PASSWORD = "not-for-the-log"


class RedisCase(SynchronousTestCase):
    def redis(self, *arguments: str) -> RunningRedis:
        found = RunningRedis(*arguments)
        self.addCleanup(found.__exit__, None, None, None)
        found.start()
        return found

    def registry(
        self, redis: dict[str, Any], data: str | None = None, workers: int = 1, start: bool = True
    ) -> RunningRegistry:
        settings = {"storage": {"cache": {"blobdescriptor": "redis"}}, "redis": redis, "http": {"workers": workers}}
        found = RunningRegistry(settings, data)
        self.addCleanup(found.__exit__, None, None, None)
        if start:
            found.start()
        return found

    def push(self, registry: RunningRegistry, content: bytes, repository: str = REPOSITORY) -> str:
        client = Client(registry.address)
        digest = digest_of(content)
        place = client.request("POST", f"/v2/{repository}/blobs/uploads/").location
        answer = client.request("PUT", place, content, query={"digest": digest})
        self.assertEqual(answer.status, 201, answer)
        return digest

    def head(self, registry: RunningRegistry, digest: str, repository: str = REPOSITORY) -> tuple[int, str | None]:
        answer = Client(registry.address).head(f"/v2/{repository}/blobs/{digest}")
        return answer.status, answer["Content-Length"]

    def until(self, true: Callable[[], object], registry: RunningRegistry) -> None:
        deadline = time.monotonic() + PATIENCE
        while not true():
            self.assertLess(time.monotonic(), deadline, registry.read_log())
            time.sleep(0.02)

    def until_shared(self, registry: RunningRegistry, redis: RunningRedis) -> None:
        """The registry, which connects when it first has something to ask, does put descriptors there."""

        def shared() -> object:
            digest = self.push(registry, random_bytes())
            return redis.ask(("HGET", f"blobs::{digest}", "size")) == [b"512"]

        self.until(shared, registry)

    def assert_clean(self, registry: RunningRegistry, *secrets: str) -> None:
        log = registry.read_log()
        self.assertIsNone(ERROR_LOGGED.search(log), log)
        for secret in secrets:
            self.assertNotIn(secret, log)

    def logged(self, registry: RunningRegistry, text: str) -> int:
        return len(re.findall(text, registry.read_log()))


class SharedTests(RedisCase):
    def test_two_registries(self) -> None:
        """One storage, one Redis: what one pushes the other knows, what one deletes the other does not serve."""
        redis = self.redis()
        first = self.registry({"addr": redis.address})
        second = self.registry({"addrs": [redis.address]}, first.data, workers=2)
        for registry in (first, second):
            self.until_shared(registry, redis)
        for size in (512, LARGE):
            for pusher, other in ((first, second), (second, first)):
                content = random_bytes(size)
                digest = self.push(pusher, content)
                for _ in range(4):
                    self.assertEqual(self.head(other, digest), (200, str(size)))
                    url = f"/v2/{REPOSITORY}/blobs/{digest}"
                    self.assertEqual(Client(other.address).get(url).body, content)
                self.assertEqual(Client(pusher.address).delete(f"/v2/{REPOSITORY}/blobs/{digest}").status, 202)
                for registry in (other, pusher):
                    for _ in range(4):
                        self.assertEqual(self.head(registry, digest)[0], 404)
        for registry in (first, second):
            self.assertEqual(self.logged(registry, OUT_OF_REACH), 0)
            registry.stop()
            self.assert_clean(registry)

    def test_size_comes_from_there(self) -> None:
        """HEAD of a blob that this process has not looked at: the link is there, and the Redis has the rest."""
        redis = self.redis()
        registry = self.registry({"addr": redis.address})
        self.until_shared(registry, redis)
        digest = self.push(registry, random_bytes())
        self.until(lambda: redis.ask(("EXISTS", f"blobs::{digest}")) == [1], registry)
        registry.kill()
        redis.ask(("HSET", f"blobs::{digest}", "size", "7"))
        registry.start()
        self.until_shared(registry, redis)
        self.assertEqual(self.head(registry, digest), (200, "7"))

    def test_garbage(self) -> None:
        """In every key that there is."""
        redis = self.redis()
        registry = self.registry({"addr": redis.address})
        self.until_shared(registry, redis)
        contents = [random_bytes(size) for size in (1, 512, LARGE)]
        digests = [self.push(registry, content) for content in contents]
        now = str(int(time.time()))
        for garbage in (
            [("SET", "x")],
            [("SADD", "x")],
            [("HSET", "digest", "\x00", "size", "\x00")],
            [("HSET", "digest", digests[0], "size", "5", "looked", now)],
            [("HSET", "digest", digest_of(b"", "sha512"), "size", "5", "looked", now)],
            [("HSET", "size", "-1")],
        ):
            keys = [key.decode() for key in redis.ask(("KEYS", "*"))[0]]
            for key in {*keys, *(f"blobs::{digest}" for digest in digests[1:])}:
                redis.ask(("DEL", key), *((name, key, *rest) for name, *rest in garbage))
            registry.kill()
            registry.start()
            self.until_shared(registry, redis)
            for content, digest in list(zip(contents, digests, strict=True))[1:]:
                for _ in range(2):
                    self.assertEqual(self.head(registry, digest), (200, str(len(content))), garbage)
                    body = Client(registry.address).get(f"/v2/{REPOSITORY}/blobs/{digest}").body
                    self.assertEqual(body, content, garbage)
        self.assert_clean(registry)

    def test_beside_registry_2(self) -> None:
        """Which goes by the Redis alone when it says what a repository holds."""
        redis = self.redis()
        ours = self.registry({"addr": redis.address})
        settings = {
            "storage": {"filesystem": {"rootdirectory": ours.data}, "delete": {"enabled": True},
                        "cache": {"blobdescriptor": "redis"}},
            "redis": {"addr": redis.address},
        }  # fmt: skip
        theirs = DockerRegistry(ours.data, settings)
        self.addCleanup(theirs.__exit__, None, None, None)
        theirs.start()
        self.until_shared(ours, redis)
        for pusher in (ours, theirs):
            content = random_bytes()
            digest = self.push(pusher, content)
            for registry in (theirs, ours):
                self.assertEqual(self.head(registry, digest), (200, "512"))
            self.assertEqual(redis.ask(("SISMEMBER", f"repository::{REPOSITORY}::blobs", digest)), [1])
            self.assertEqual(Client(theirs.address).head(f"/v2/other/blobs/{digest}").status, 404)
            self.assertEqual(Client(ours.address).delete(f"/v2/{REPOSITORY}/blobs/{digest}").status, 202)
            for registry in (theirs, ours):
                self.assertEqual(self.head(registry, digest)[0], 404)
            digest = self.push(pusher, content)
            self.assertEqual(self.head(theirs, digest), (200, "512"))
            self.assertEqual(self.head(ours, digest), (200, "512"))
            self.assertEqual(Client(theirs.address).delete(f"/v2/{REPOSITORY}/blobs/{digest}").status, 202)
            self.assertEqual(self.head(ours, digest)[0], 404)
        self.assert_clean(ours)


class _Load(threading.Thread):
    """Pushes, looks at, pulls and deletes blobs until it is told to end."""

    def __init__(self, case: RedisCase, registry: RunningRegistry, number: int) -> None:
        super().__init__()
        self._case = case
        self._registry = registry
        self._repository = f"load/{number}"
        self.rounds = 0
        self.fault: BaseException | None = None
        self.ends = threading.Event()

    def run(self) -> None:
        try:
            while not self.ends.is_set():
                self.round()
                self.rounds += 1
        except BaseException as error:
            self.fault = error

    def round(self) -> None:
        case, client = self._case, Client(self._registry.address)
        content = random_bytes(LARGE if self.rounds % 4 == 0 else 512)
        digest = case.push(self._registry, content, self._repository)
        case.assertEqual(case.head(self._registry, digest, self._repository), (200, str(len(content))))
        url = f"/v2/{self._repository}/blobs/{digest}"
        case.assertEqual(client.get(url).body, content)
        case.assertEqual(client.delete(url).status, 202)
        case.assertEqual(case.head(self._registry, digest, self._repository)[0], 404)


class DownTests(RedisCase):
    def setUp(self) -> None:
        self.server = self.redis()
        times = {"readtimeout": "100ms", "writetimeout": "100ms"}
        self.served = self.registry({"addr": self.server.address, **times})
        self.until_shared(self.served, self.server)

    def under_load(self, work: Callable[[list[_Load]], None]) -> None:
        """No request fails meanwhile."""
        loads = [_Load(self, self.served, number) for number in range(3)]
        for load in loads:
            load.start()
        try:
            work(loads)
        finally:
            for load in loads:
                load.ends.set()
            for load in loads:
                load.join(PATIENCE)
        for load in loads:
            if load.fault is not None:
                raise load.fault
            self.assertGreater(load.rounds, 2)
        self.assert_clean(self.served)

    def rounds(self, loads: list[_Load], count: int) -> None:
        """Until each has done that many more, or has failed."""
        goals = [load.rounds + count for load in loads]
        self.until(
            lambda: all(load.fault or load.rounds >= goal for load, goal in zip(loads, goals, strict=True)), self.served
        )

    def test_killed_and_back(self) -> None:
        def work(loads: list[_Load]) -> None:
            for turn in range(1, 3):
                self.rounds(loads, 2)
                self.server.kill()
                self.rounds(loads, 3)
                self.assertEqual(self.logged(self.served, OUT_OF_REACH), turn)
                self.server.start()
                self.until(lambda turn=turn: self.logged(self.served, REACHABLE) == turn + 1, self.served)
            self.until_shared(self.served, self.server)

        self.under_load(work)
        self.assertEqual(self.logged(self.served, OUT_OF_REACH), 2)

    def test_hangs(self) -> None:
        """Whoever waits for it is served after the timeout; those who come then do not wait."""

        def work(loads: list[_Load]) -> None:
            self.rounds(loads, 2)
            self.server.pause()
            try:
                self.rounds(loads, 3)
            finally:
                self.server.resume()
            self.until(lambda: self.logged(self.served, REACHABLE) == 2, self.served)
            self.until_shared(self.served, self.server)

        self.under_load(work)
        self.assertIn("no answer in 0.2 s", self.served.read_log())

    def test_not_there_at_the_start(self) -> None:
        self.served.stop()
        self.server.kill()
        self.served.start()
        digest = self.push(self.served, b"abc")
        self.assertEqual(self.head(self.served, digest), (200, "3"))
        self.server.start()
        self.until_shared(self.served, self.server)

    def test_full(self) -> None:
        """It takes nothing more: one line says so."""
        self.server.ask(("CONFIG", "SET", "maxmemory", "1"))
        for _ in range(3):
            digest = self.push(self.served, random_bytes())
            self.assertEqual(self.head(self.served, digest), (200, "512"))
        self.until(lambda: self.logged(self.served, "refuses a command"), self.served)
        self.assertEqual(self.logged(self.served, "refuses a command: redis .*: OOM"), 1)
        self.assert_clean(self.served)


class ReachedTests(RedisCase):
    """By all the ways that the configuration knows."""

    def assert_shared(self, redis: RunningRedis, section: dict[str, Any]) -> RunningRegistry:
        registry = self.registry(section)
        self.until(lambda: self.push(registry, b"abc") and REACHABLE in registry.read_log(), registry)
        self.assertEqual(self.logged(registry, OUT_OF_REACH), 0)
        self.assert_clean(registry, PASSWORD)
        return registry

    def assert_not_shared(self, section: dict[str, Any], why: str) -> None:
        registry = self.registry(section)
        self.until(lambda: self.push(registry, b"abc") and OUT_OF_REACH in registry.read_log(), registry)
        self.assertEqual(self.logged(registry, REACHABLE), 0)
        self.assertIn(why, registry.read_log())
        self.assert_clean(registry, PASSWORD)

    def test_socket(self) -> None:
        redis = self.redis()
        self.until_shared(self.registry({"addr": redis.path}), redis)

    def test_database_and_name(self) -> None:
        redis = self.redis()
        registry = self.registry({"addr": redis.address, "db": 3, "clientname": "the-registry"})

        def there() -> object:
            digest = self.push(registry, random_bytes())
            return redis.ask(("SELECT", "3"), ("EXISTS", f"blobs::{digest}")) == [b"OK", 1]

        self.until(there, registry)
        self.assertIn(b"name=the-registry", redis.ask(("CLIENT", "LIST"))[0])

    def test_password(self) -> None:
        redis = self.redis("--requirepass", PASSWORD)
        self.assert_shared(redis, {"addr": redis.address, "password": PASSWORD})
        self.assert_not_shared({"addr": redis.address, "password": f"{PASSWORD}-not"}, "WRONGPASS")
        self.assert_not_shared({"addr": redis.address}, "NOAUTH")

    def test_user(self) -> None:
        """With no more rights than docs/caching.md says."""
        commands = "+ping +select +client|setname +hmget +hset +hsetnx +expire +srem +del"
        rules = f"on >{PASSWORD} ~blobs::* ~repository::* {commands}".split()
        redis = self.redis("--user", "registry", *rules)
        registry = self.assert_shared(redis, {"addr": redis.address, "username": "registry", "password": PASSWORD})
        self.until_shared(registry, redis)
        digest = self.push(registry, random_bytes())
        Client(registry.address).delete(f"/v2/{REPOSITORY}/blobs/{digest}")
        self.assertEqual(redis.ask(("EXISTS", f"blobs::{digest}")), [0])
        self.assert_not_shared({"addr": redis.address, "username": "nobody", "password": PASSWORD}, "WRONGPASS")

    def test_tls(self) -> None:
        """The server proves who it is, and so does the client."""
        authority, stranger = trustme.CA(), trustme.CA()
        folder = temporary_directory(self)

        def written(name: str, blob: Any) -> str:
            path = os.path.join(folder, name)
            blob.write_to_path(path)
            return path

        server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client.example")
        roots, other_roots = written("ca", authority.cert_pem), written("other", stranger.cert_pem)
        chain, key = written("server", server.cert_chain_pems[0]), written("key", server.private_key_pem)
        files = ["--tls-cert-file", chain, "--tls-key-file", key, "--tls-ca-cert-file", roots]
        tls_port = free_port()
        redis = self.redis("--tls-port", str(tls_port), *files)
        address = f"127.0.0.1:{tls_port}"
        own = {"certificate": written("c", client.cert_chain_pems[0]), "key": written("ck", client.private_key_pem)}
        registry = self.assert_shared(redis, {"addr": address, "tls": {"rootcas": [roots], **own}})
        self.until_shared(registry, redis)
        self.assert_not_shared({"addr": address, "tls": {"rootcas": [other_roots], **own}}, "certificate verify failed")
        self.assert_not_shared({"addr": address, "tls": {"enabled": True}}, "certificate verify failed")
        self.assert_not_shared({"addr": address, "tls": {"rootcas": [roots]}}, OUT_OF_REACH)
        self.assert_not_shared({"addr": redis.address, "tls": {"rootcas": [roots]}}, OUT_OF_REACH)


class RefusedTests(RedisCase):
    def test_sentinel(self) -> None:
        registry = self.registry({"addrs": ["a:1", "b:1"], "mastername": "mine"}, start=False)
        error = self.assertRaises(AssertionError, registry.start)
        self.assertIn("redis.mastername: Redis Sentinel is not supported", str(error))
        self.assertNotIn("Traceback", str(error))
