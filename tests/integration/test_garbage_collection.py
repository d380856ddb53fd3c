"""``dregistry garbage-collect`` beside registry:2's: the same verdicts, and what is left serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.maintenance.gc import Options, collect
from dregistry.storage import paths
from dregistry.storage._local_tree import LocalTree

from ..maintenance.registries import LAYERS, Registry, registries
from ..maintenance.support import NAME, InFiles, Recorder, index
from .client import OCI_LAYER, Client, descriptor, digest_of, random_bytes
from .container_tools import PLAIN
from .docker_registry import collect_garbage, program
from .test_interop import REPOSITORIES, TAGS, TogetherCase, contents

BLOB = "blob eligible for deletion: "
MANIFEST = "manifest eligible for deletion: "
Verdict = tuple[list[str], list[str]]
"""Digests of the blobs and of the manifests that go."""


def ours(config: str, *flags: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "dregistry.cli", "garbage-collect", *flags, config]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=environ)


def lines(output: str, prefix: str) -> list[str]:
    return sorted(line.removeprefix(prefix) for line in output.splitlines() if line.startswith(prefix))


class VerdictTests(SynchronousTestCase):
    def setUp(self) -> None:
        program()

    @settings(max_examples=25, deadline=None)
    @given(registries(broken=False))
    def test_random(self, registry: Registry) -> None:
        """
        Without ``-m`` the same, blob by blob. With it registry:2 also takes the children of tagged indexes and the
        referrers of what stays, and the blobs that only they need; but for those, the same.
        """
        with tempfile.TemporaryDirectory() as folder:
            self.data, self.config = os.path.join(folder, "data"), os.path.join(folder, "config.yml")
            self.write(registry)
            self.assertEqual(self.ours(), self.theirs())
            tagged, kept = registry.tagged, lambda name: registry.kept(name, untagged_go=True)
            self.assertEqual(self.theirs("-m"), verdict(registry, tagged))
            self.assertEqual(self.ours("-m"), verdict(registry, kept))
            if all(tagged(name) == kept(name) for name in registry.repositories):
                self.assertEqual(self.ours("-m"), self.theirs("-m"))

    def test_a_manifest_that_cannot_be_read(self) -> None:
        """registry:2 gives up."""
        storage = self.new_storage()
        broken, loose = storage.manifest(b"{", "v1"), storage.blob(b"loose")
        storage.layer(b"linked")
        os.makedirs(self.data + paths.tags(NAME), exist_ok=True)
        error = self.assertRaises(AssertionError, self.theirs)
        self.assertIn(f"failed to retrieve manifest for digest {broken}", str(error))
        self.assertEqual(self.ours(), ([str(loose)], []))

    def test_a_repository_without_layers(self) -> None:
        """registry:2 overlooks it."""
        digest = self.new_storage().manifest(index(), "v1")
        self.assertEqual(self.theirs(), ([str(digest)], []))
        self.assertEqual(self.ours(), ([], []))

    def new_storage(self) -> InFiles:
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.data, self.config = os.path.join(folder, "data"), os.path.join(folder, "config.yml")
        return InFiles(self.data)

    def write(self, registry: Registry) -> None:
        """registry:2 takes no notice of a repository without layers, and does not go on at one without tags."""
        for name, repository in registry.repositories.items():
            repository.links |= {0}
            os.makedirs(self.data + paths.tags(name))
        os.makedirs(self.data + paths.BLOBS, exist_ok=True)
        os.makedirs(self.data + paths.REPOSITORIES, exist_ok=True)
        registry.write(InFiles(self.data))

    def theirs(self, *flags: str) -> Verdict:
        output = collect_garbage(self.data, self.config, "--dry-run", *flags)
        return lines(output, BLOB), lines(output, MANIFEST)

    def ours(self, *flags: str) -> Verdict:
        recorder = Recorder()
        collect(LocalTree(self.data), Options(dry_run=True, untagged_go="-m" in flags), recorder)
        return sorted(recorder.named("blob")), sorted(recorder.named("manifest"))


def verdict(registry: Registry, kept: Callable[[str], set[int]]) -> Verdict:
    """Of the model; see :meth:`Registry.needed`."""
    stored = {str(Digest.of(LAYERS[number])) for number in registry.present}
    stored |= {str(document.digest) for document in registry.documents}
    manifests = (
        str(registry.documents[number].digest)
        for name, repository in registry.repositories.items()
        for number in repository.manifests - kept(name)
    )
    return sorted(stored - registry.needed(kept)), sorted(manifests)


class CollectedTests(TogetherCase):
    """Real images."""

    def setUp(self) -> None:
        super().setUp()
        self.fill(self.ours)
        subject = self.our_client.push_manifest("signed", self.our_client.image("signed"), "v1")
        self.signature = self.our_client.push_manifest("signed", self.our_client.artifact("signed", subject=subject))
        self.untagged = self.our_client.push_manifest("signed", self.our_client.image("signed"))
        self.unused = self.our_client.push_blob("apps/oci", random_bytes())
        self.config = os.path.join(self.folder, "collect.yml")
        self.theirs_dry = collect_garbage(self.data, self.config, "--dry-run")
        self.before = contents(self.ours.address)
        document = self.our_client.get(f"/v2/signed/manifests/{self.signature['digest']}").json()
        digests = [each["digest"] for each in (document["config"], *document["layers"])]
        self.blobs = {digest: self.our_client.get(f"/v2/signed/blobs/{digest}").body for digest in digests}

    def collect(self, *flags: str) -> str:
        """What it prints; the registry that takes writes is stopped meanwhile."""
        self.ours.stop()
        done = ours(self.config, *flags)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.ours.start()
        return done.stdout

    def assert_serves(self) -> None:
        """Both give out what they did, every tag of it to skopeo, too, and registry:2 finds no garbage."""
        self.assertEqual(contents(self.ours.address), self.before)
        self.assertEqual(contents(self.theirs.address), self.before)
        self.assertEqual(sorted({*self.before} - {"signed"}), REPOSITORIES)
        self.assert_pulls(self.ours)
        for registry in (self.ours, self.theirs):
            target = tempfile.mkdtemp(dir=self.folder)
            for name, tags in TAGS.items():
                for tag in tags:
                    source = f"docker://{registry.address}/{name}:{tag}"
                    self.tools.copy(source, f"oci:{target}:{name.replace('/', '-')}-{tag}", "--all")
        rest = collect_garbage(self.data, self.config, "--dry-run")
        self.assertIn("0 blobs and 0 manifests eligible for deletion", rest)

    def test_without_untagged(self) -> None:
        found = self.collect()
        self.assertEqual(lines(found, BLOB), lines(self.theirs_dry, BLOB))
        self.assertIn(self.unused, lines(found, BLOB))
        for manifest in (self.signature, self.untagged):
            self.assertEqual(self.our_client.get(f"/v2/signed/manifests/{manifest['digest']}").status, 200)
        self.assert_serves()

    def test_with_untagged(self) -> None:
        found = self.collect("-m")
        self.assertIn(self.untagged["digest"], lines(found, MANIFEST))
        self.assertNotIn(self.signature["digest"], lines(found, MANIFEST))
        self.assertEqual(self.our_client.get(f"/v2/signed/manifests/{self.untagged['digest']}").status, 404)
        self.assert_serves()
        self.assertEqual(self.listed(self.subject()), [self.signature["digest"]])

    def listed(self, subject: str) -> list[str]:
        answer = self.our_client.get(f"/v2/signed/referrers/{subject}")
        return [each["digest"] for each in answer.json()["manifests"]]

    def subject(self) -> str:
        return str(self.our_client.head("/v2/signed/manifests/v1", {"Accept": "*/*"})["Docker-Content-Digest"])

    def test_what_went_comes_back(self) -> None:
        """A signature that registry:2 stores again is listed again."""
        subject, signed = self.subject(), self.our_client.get(f"/v2/signed/manifests/{self.signature['digest']}").json()
        self.assertEqual(len(self.listed(subject)), 1)
        self.tools.skopeo("delete", PLAIN, f"docker://{self.ours.address}/signed:v1")
        self.collect("-m")
        self.assertEqual(self.listed(subject), [])
        for blob in (signed["config"], *signed["layers"]):
            self.their_client.push_blob("signed", self.blobs[blob["digest"]])
        self.their_client.push_manifest("signed", signed)
        self.assertEqual(self.listed(subject), [self.signature["digest"]])

    def test_pushed_by_sha512(self) -> None:
        """registry:2 stores it by sha256, and removes what it knows under the other name only."""
        content = random_bytes()
        layer = descriptor(content, OCI_LAYER, "sha512")
        answer = self.their_client.finish(self.their_client.start_upload("apps/oci").location, layer["digest"], content)
        self.assertEqual(answer.status, 201, answer)
        image = {**self.our_client.image("apps/oci"), "layers": [layer]}
        self.our_client.push_manifest("apps/oci", image, "sha512")
        stored = digest_of(content)
        self.assertIn(stored, lines(collect_garbage(self.data, self.config, "--dry-run"), BLOB))
        self.assertNotIn(stored, lines(self.collect(), BLOB))
        self.assertEqual(self.our_client.get(f"/v2/apps/oci/blobs/{layer['digest']}").body, content)

    def test_json(self) -> None:
        objects = [json.loads(line) for line in self.collect("--json", "-m").splitlines()]
        self.assertEqual(objects[-1]["kind"], "summary")
        self.assertIn(self.unused, [each["name"] for each in objects if each["kind"] == "blob"])
        kept = [each["name"] for each in objects if each["kind"] == "kept"]
        self.assertIn(self.signature["digest"], kept)

    def test_deleted_tags(self) -> None:
        self.tools.skopeo("delete", PLAIN, f"docker://{self.ours.address}/apps/oci:v1")
        self.tools.skopeo("delete", PLAIN, f"docker://{self.ours.address}/apps/copy:v1")
        self.collect("-m")
        self.assertIn("0 blobs and 0 manifests", collect_garbage(self.data, self.config, "--dry-run"))
        self.assertEqual(Client(self.ours.address).get("/v2/apps/copy/tags/list").status, 404)
