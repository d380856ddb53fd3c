"""Tests of :mod:`dregistry.redis._options`, and of :mod:`dregistry.descriptors`, which asks for them."""

from __future__ import annotations

import os
from typing import Any

import trustme
from twisted.internet.testing import MemoryReactorClock

from dregistry.config import ConfigError
from dregistry.descriptors import build_descriptors, check_descriptors
from dregistry.redis import _options
from dregistry.redis._options import RedisOptions, RedisTls, read_redis

from ..config._loading import LoadingTestCase
from ..storage.support import temporary_directory

CACHED = "version: 0.1\nstorage: {inmemory: , cache: {blobdescriptor: redis}}\nredis: "


class OptionsCase(LoadingTestCase):
    def options(self, section: str) -> RedisOptions:
        return read_redis(self.config(CACHED + section).redis, "test.yml")

    def refusals(self, section: str) -> dict[str, str]:
        error = self.assertRaises(ConfigError, check_descriptors, self.config(CACHED + section), "test.yml")
        self.assertEqual(error.source, "test.yml")
        return {problem.path: problem.message for problem in error.problems}


class ReadingTests(OptionsCase):
    def test_of_registry_2(self) -> None:
        found = self.options(
            "{addr: 'redis.example:6379', password: hidden, db: 2, dialtimeout: 10ms, readtimeout: 20ms,"
            " writetimeout: 30ms, pool: {maxidle: 16, maxactive: 64, idletimeout: 300s}, tls: {enabled: true}}"
        )
        self.assertEqual((found.host, found.port, found.password, found.database), ("redis.example", 6379, "hidden", 2))
        self.assertEqual((found.dial_timeout, found.tls), (0.01, RedisTls()))
        self.assertAlmostEqual(found.reply_timeout, 0.05)
        self.assertNotIn("hidden", repr(found) + str(found))

    def test_of_registry_3(self) -> None:
        found = self.options("{addrs: ['[::1]:7000'], username: alice, clientname: one, poolsize: 5, maxretries: 3}")
        self.assertEqual((found.host, found.port, found.username, found.client_name), ("::1", 7000, "alice", "one"))
        self.assertEqual((found.dial_timeout, found.reply_timeout, found.tls), (5.0, 1.0, None))

    def test_socket(self) -> None:
        found = self.options("{addr: /run/redis.sock}")
        self.assertEqual((found.path, found.host, str(found)), ("/run/redis.sock", "", "/run/redis.sock"))


class RefusedTests(OptionsCase):
    def test_addresses(self) -> None:
        for address in ("localhost", "a:b", ":6379", "redis://a:1", "a:1/2", "a:0", "a:65536", "run/redis.sock"):
            self.assertEqual(list(self.refusals(f"{{addr: '{address}'}}")), ["redis.addr"], address)
        self.assertEqual(list(self.refusals("{addrs: ['a']}")), ["redis.addrs[0]"])
        self.assertIn("missing", self.refusals("{}")["redis.addr"])
        self.assertIn("remove one", self.refusals("{addr: 'a:1', addrs: ['a:1']}")["redis.addr"])
        self.assertEqual(list(self.refusals("{addr: 'a:1', db: -1}")), ["redis.db"])

    def test_sentinel_and_cluster(self) -> None:
        for key, value, named in (
            ("mastername", "mine", "Sentinel"),
            ("sentinelusername", "alice", "Sentinel"),
            ("sentinelpassword", "hidden", "Sentinel"),
            ("readonly", "true", "Cluster"),
            ("routebylatency", "true", "Cluster"),
            ("routerandomly", "true", "Cluster"),
        ):
            problems = self.refusals(f"{{addr: 'a:1', {key}: {value}}}")
            self.assertEqual(list(problems), [f"redis.{key}"])
            self.assertIn(f"Redis {named} is not supported", problems[f"redis.{key}"])
            self.assertNotIn("hidden", str(problems))
        self.assertIn("only one is supported", self.refusals("{addrs: ['a:1', 'b:1']}")["redis.addrs"])

    def test_tls_files(self) -> None:
        problems = self.refusals("{addr: 'a:1', tls: {certificate: /missing/a, rootcas: [/missing/b]}}")
        self.assertEqual(sorted(problems), ["redis.tls.certificate", "redis.tls.key", "redis.tls.rootcas[0]"])
        self.assertIn("No such file", problems["redis.tls.rootcas[0]"])
        self.assertEqual(list(self.refusals("{addrs: [/a], tls: {enabled: true}}")), ["redis.tls"])

    def test_without_the_library(self) -> None:
        for missing in ("txredisapi", "hiredis"):
            self.patch(_options, "find_spec", lambda name, missing=missing: None if name == missing else name)
            problems = self.refusals("{addr: 'a:1'}")
            self.assertIn("install dregistry[redis]", problems["storage.cache.blobdescriptor"])


class BuildingTests(OptionsCase):
    def build(self, text: str) -> Any:
        return build_descriptors(self.config(text), MemoryReactorClock(), "test.yml")

    def test_none(self) -> None:
        """As without a word in distribution. Redis is not looked at then."""
        for cache in ("", "cache: {blobdescriptorsize: 5}", "cache: {blobdescriptor: ''}"):
            text = f"version: 0.1\nstorage: {{inmemory: , {cache}}}\nredis: {{mastername: a}}"
            self.assertIsNone(self.build(text))
            check_descriptors(self.config(text), "test.yml")

    def test_memory(self) -> None:
        found = self.build(
            "version: 0.1\nstorage: {inmemory: , cache: {blobdescriptor: inmemory, blobdescriptorsize: 7}}"
        )
        self.assertEqual((found._limit, found._shared), (7, None))
        found.close()

    def test_redis(self) -> None:
        reactor = MemoryReactorClock()
        config = self.config(CACHED + "{addr: /run/redis.sock}")
        found = build_descriptors(config, reactor, "test.yml")
        assert found is not None
        self.assertEqual((found._limit, reactor.unixClients), (10000, []))

    def test_bad_pem(self) -> None:
        """Of a file with nothing of use in it, and of one whose certificate is broken."""
        folder = temporary_directory(self)
        authority = trustme.CA()
        good = os.path.join(folder, "good.pem")
        authority.cert_pem.write_to_path(good)
        for number, content in enumerate((b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")):
            bad = os.path.join(folder, f"{number}.pem")
            with open(bad, "wb") as file:
                file.write(content)
            for tls, path in (
                (f"rootcas: [{good}, {bad}]", "redis.tls.rootcas[1]"),
                (f"certificate: {bad}, key: {bad}", "redis.tls.certificate"),
                (f"certificate: {good}, key: {bad}", "redis.tls.key"),
            ):
                error = self.assertRaises(ConfigError, self.build, f"{CACHED}{{addr: 'a:1', tls: {{{tls}}}}}")
                self.assertEqual([problem.path for problem in error.problems], [path])
                self.assertIn(bad, str(error))
