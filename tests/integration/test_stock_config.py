"""dregistry on the configuration files that come with registry:2 and registry:3."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Mapping
from typing import Any

import bcrypt
import yaml
from twisted.trial.unittest import SynchronousTestCase

from .client import Client
from .docker_registry import stock_config
from .server import RunningRegistry, free_port

REGISTRY_2: dict[str, Any] = {
    "version": 0.1,
    "log": {"fields": {"service": "registry"}},
    "storage": {
        "cache": {"blobdescriptor": "inmemory"},
        "filesystem": {"rootdirectory": "/var/lib/registry"},
    },
    "http": {"addr": ":5000", "headers": {"X-Content-Type-Options": ["nosniff"]}},
    "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
}
"""What is in the image registry:2 as /etc/docker/registry/config.yml."""
REGISTRY_3: dict[str, Any] = {
    "version": 0.1,
    "log": {"level": "debug", "fields": {"service": "registry", "environment": "development"}},
    "storage": {
        "delete": {"enabled": True},
        "cache": {"blobdescriptor": "inmemory"},
        "filesystem": {"rootdirectory": "/var/lib/registry"},
        "tag": {"concurrencylimit": 5},
    },
    "http": {"addr": ":5000", "debug": {"addr": ":5001", "prometheus": {"enabled": True, "path": "/metrics"}}},
    "health": {"storagedriver": {"enabled": True, "interval": "10s", "threshold": 3}},
}
"""What is in the image registry:3 as /etc/distribution/config.yml."""


class _OnFile(RunningRegistry):
    """On a file as it is; only the address and the directory are by environment, as one does with the image."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        self._environ["REGISTRY_HTTP_ADDR"] = self.address
        self._environ["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY"] = self.data
        if "debug" in config["http"]:
            self._environ["REGISTRY_HTTP_DEBUG_ADDR"] = f"127.0.0.1:{free_port()}"
        with open(self._config, "w", encoding="utf-8") as file:
            yaml.safe_dump(dict(config), file)


class StockConfigTests(SynchronousTestCase):
    def assert_serves(self, config: Mapping[str, Any]) -> None:
        with _OnFile(config) as registry:
            client = Client(registry.address)
            answer = client.get("/v2/")
            self.assertEqual(answer.status, 200)
            if "headers" in config["http"]:
                self.assertEqual(answer["X-Content-Type-Options"], "nosniff")
            client.push_manifest("first", client.image("first"), "v1")
            self.assertEqual(client.get("/v2/_catalog").json(), {"repositories": ["first"]})
            self.assertTrue(os.path.isdir(os.path.join(registry.data, "docker", "registry", "v2", "blobs")))
            self.assertEqual(registry.stop(), -signal.SIGTERM)

    def test_image_2(self) -> None:
        self.assert_serves(REGISTRY_2)

    def test_image_3(self) -> None:
        self.assert_serves(REGISTRY_3)

    def debian(self) -> dict[str, Any]:
        path = stock_config()
        if path is None:
            self.skipTest("the package's configuration file was removed")
        with open(path, encoding="utf-8") as file:
            config: dict[str, Any] = yaml.safe_load(file)
        return config

    def test_debian_has_no_passwords(self) -> None:
        """Its file names a directory where the passwords should be: nothing is left open by that mistake."""
        config = self.debian()
        config["auth"]["htpasswd"]["path"] = os.path.dirname(__file__)
        registry = _OnFile(config)
        self.addCleanup(registry.__exit__, None, None, None)
        with self.assertRaisesRegex(AssertionError, r"auth\.htpasswd\.path: .* cannot be read: Is a directory"):
            registry.start()

    def test_debian(self) -> None:
        config = self.debian()
        users = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "users")
        with open(users, "wb") as file:
            file.write(b"alice:" + bcrypt.hashpw(b"secret", bcrypt.gensalt(4)) + b"\n")
        config["auth"]["htpasswd"]["path"] = users
        with _OnFile(config) as registry:
            client = Client(registry.address)
            self.assertEqual(client.get("/v2/")["WWW-Authenticate"], 'Basic realm="basic-realm"')
            self.assertEqual(client.get("/v2/", {"Authorization": "Basic YWxpY2U6c2VjcmV0"}).status, 200)

    def test_debian_without_passwords(self) -> None:
        config = self.debian()
        del config["auth"]
        self.assert_serves(config)
