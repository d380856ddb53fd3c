"""
The image: built by its Dockerfile on a base of Debian's packages, pushed to a dregistry, pulled back, and run.

It runs in buildah's chroot, as the image's user: other isolation needs control groups that not every machine has.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from .client import Client
from .container_tools import PLAIN, ContainerTools
from .server import RunningRegistry, free_port

CHECKOUT = Path(__file__).parents[2]
KEPT = CHECKOUT / ".venv" / "opt" / "image"
"""Where ``install-tools`` has made what the image is built on."""
PATIENCE = 60.0
NAME = "localhost/dregistry"


class ImageTests(SynchronousTestCase):
    tools: ClassVar[ContainerTools]

    @classmethod
    def setUpClass(cls) -> None:
        if not (KEPT / "base.tar").exists() or not (KEPT / "wheels" / ".complete").exists():
            # Also where skips are forbidden: to make it takes mounts, which not every machine allows.
            raise SkipTest("no base for the image here: tests/integration/install-tools makes it where it can")
        folder = tempfile.mkdtemp(prefix="dregistry-image-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.tools = ContainerTools(folder)
        cls.tools.use_storage()
        environ = {**os.environ, **cls.tools.environ, "KEPT": str(KEPT), "PYTHON": sys.executable}
        environ["BUILDAH"] = " ".join(cls.tools.storage)
        done = subprocess.run(
            ["sh", str(CHECKOUT / "image" / "build"), NAME],
            env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)

    def container(self, image: str = NAME) -> str:
        made = self.tools.buildah("from", "--pull-never", image).strip()
        self.addCleanup(self.tools.buildah, "rm", made)
        return made

    def run_in(self, container: str, *command: str, **environ: str) -> str:
        """What a command of the entry point prints."""
        options = [word for name, value in environ.items() for word in ("--env", f"{name}={value}")]
        return self.tools.buildah("run", "--isolation", "chroot", *options, container, "--", "/bin/registry", *command)

    def test_settings(self) -> None:
        """What those who start it see is as in registry:2: the port, the volume, a configuration as the argument."""
        [found] = json.loads(self.tools.podman("image", "inspect", NAME))
        config = found["Config"]
        self.assertEqual(config["Entrypoint"], ["/bin/registry"])
        self.assertEqual(config["Cmd"], ["/etc/distribution/config.yml"])
        self.assertEqual(list(config["ExposedPorts"]), ["5000/tcp"])
        self.assertEqual(list(config["Volumes"]), ["/var/lib/registry"])
        self.assertEqual(config["User"], "registry")
        self.assertEqual(found["Healthcheck"]["Test"], ["CMD", "/bin/registry", "health"])

    def test_commands(self) -> None:
        """Those of the old image, at the old places, and dregistry's own; anything else is run as it is."""
        container = self.container()
        old = "/etc/docker/registry/config.yml"
        self.assertEqual(self.run_in(container, "check-config", old), f"{old}: no problems\n")
        self.assertIn("blobs marked", self.run_in(container, "garbage-collect", "--dry-run", old))
        self.assertIn("blobs marked", self.run_in(container, "registry", "garbage-collect", "--dry-run", old))
        self.assertIn("storage driver filesystem, dregistry", self.run_in(container, "plugins"))
        self.assertEqual(self.run_in(container, "id", "-u"), "5000\n")
        shown = self.run_in(container, "check-config", "--show", old, REGISTRY_STORAGE_DELETE_ENABLED="true")
        self.assertIn("delete:\n    enabled: true\n", shown)

    def test_through_a_registry_and_run(self) -> None:
        """Pushed to a running dregistry, pulled by podman, and what was pulled is a registry, too."""
        with RunningRegistry() as registry:
            remote = f"{registry.address}/dregistry:built"
            self.tools.podman("push", PLAIN, NAME, remote)
            digest = str(Client(registry.address).head("/v2/dregistry/manifests/built")["Docker-Content-Digest"])
            self.tools.podman("pull", PLAIN, f"{registry.address}/dregistry@{digest}")
            self.assert_serves(self.container(f"{registry.address}/dregistry@{digest}"))

    def assert_serves(self, container: str) -> None:
        address = f"127.0.0.1:{free_port()}"
        process = self.tools.start_buildah(
            "run", "--isolation", "chroot", "--env", f"REGISTRY_HTTP_ADDR={address}", container,
            "--", "/bin/registry", "/etc/distribution/config.yml",
        )  # fmt: skip
        try:
            deadline = time.monotonic() + PATIENCE
            while not self.is_healthy(container, address):
                self.assertLess(time.monotonic(), deadline)
                self.assertIsNone(process.poll())
            client = Client(address)
            self.assertEqual(client.get("/v2/")["X-Content-Type-Options"], "nosniff")
            image = client.push_manifest("first", client.image("first"), "v1")
            self.assertEqual(client.get(f"/v2/first/manifests/{image['digest']}").status, 200)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(PATIENCE)

    def is_healthy(self, container: str, address: str) -> bool:
        try:
            self.run_in(container, "health", REGISTRY_HTTP_ADDR=address)
        except AssertionError:
            return False
        return True
