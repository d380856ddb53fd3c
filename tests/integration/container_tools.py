"""
The clients that people use: skopeo, podman and buildah, run as people run them, with all of their state in one folder.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping

from .requirements import root, tool

TIMEOUT = 60
PLAIN = "--tls-verify=false"
"""For a registry without TLS."""


class ContainerTools:
    """
    skopeo, and with :meth:`use_storage` podman and buildah.

    :ivar environ: that they are run in.
    :ivar storage: options for podman and buildah.

    :param folder: for all that they write. What buildah and podman remember of blobs' places is the exception: it is
        in root's own cache, and does no harm there.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._skopeo = tool("skopeo", "skopeo")
        self._policy = os.path.join(folder, "policy.json")
        with open(self._policy, "w", encoding="ascii") as file:
            file.write('{"default": [{"type": "insecureAcceptAnything"}]}')
        authentication = os.path.join(folder, "auth.json")
        with open(authentication, "w", encoding="ascii") as file:
            file.write("{}")
        self.environ = {
            **os.environ,
            "HOME": folder,
            "XDG_DATA_HOME": os.path.join(folder, "share"),
            "XDG_CONFIG_HOME": os.path.join(folder, "config"),
            "XDG_RUNTIME_DIR": folder,
            "REGISTRY_AUTH_FILE": authentication,
            "TMPDIR": folder,
        }

    def skopeo(self, *arguments: str) -> str:
        """Run it; what it prints. The cache of blobs' places is a user's, below HOME, even if root runs it."""
        environ = {**self.environ, "_CONTAINERS_ROOTLESS_UID": "1"}
        return _run([self._skopeo, "--policy", self._policy, *arguments], environ)

    def copy(self, source: str, target: str, *options: str) -> None:
        """Copy an image by skopeo, to or from registries without TLS."""
        plain = ["--src-tls-verify=false", "--dest-tls-verify=false"]
        self.skopeo("copy", "--quiet", *plain, *options, source, target)

    def use_storage(self) -> None:
        """Make podman and buildah work, in a storage of their own."""
        root("the storage of podman and buildah")
        self._podman = tool("podman", "podman")
        self._buildah = tool("buildah", "buildah")
        self.storage = [
            *("--root", os.path.join(self._folder, "root")),
            *("--runroot", os.path.join(self._folder, "run")),
            *("--storage-driver", "vfs"),
        ]
        folder = self._folder
        config = os.path.join(folder, "storage.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'[storage]\ndriver = "vfs"\nrunroot = "{folder}/run"\ngraphroot = "{folder}/root"\n')
        self.environ["CONTAINERS_STORAGE_CONF"] = config

    def podman(self, *arguments: str) -> str:
        options = ["--tmpdir", os.path.join(self._folder, "tmp"), "--events-backend", "file"]
        return _run([self._podman, *self.storage, *options, "--cgroup-manager", "cgroupfs", *arguments], self.environ)

    def buildah(self, *arguments: str) -> str:
        return _run([self._buildah, *self.storage, *arguments], self.environ)

    def start_buildah(self, *arguments: str) -> subprocess.Popen[bytes]:
        """The leader of a session of its own, which the caller ends."""
        return subprocess.Popen(
            [self._buildah, *self.storage, *arguments],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )


def _run(command: list[str], environ: Mapping[str, str]) -> str:
    done = subprocess.run(
        command, check=False, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT
    )
    if done.returncode != 0:
        raise AssertionError(f"{command} exited with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout
