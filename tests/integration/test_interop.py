"""dregistry and registry:2 on one directory."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from .client import DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST, Client, digest_of, encode, random_bytes
from .container_tools import PLAIN, ContainerTools
from .docker_registry import DockerRegistry, collect_garbage
from .images import ALL_MANIFESTS, Layout, blobs_of, noise
from .server import RunningRegistry

LARGE = 3 << 20
REPOSITORIES = ["apps/copy", "apps/docker", "apps/oci", "other"]
TAGS = {
    "apps/copy": ["v1"],
    "apps/docker": ["list", "v1"],
    "apps/oci": ["latest", "stable", "v1"],
    "other": ["moved"],
}


def contents(address: str) -> dict[str, Any]:
    """All that a registry gives out: per repository its tags, and what hangs on them, to the byte."""
    client = Client(address)
    found = {}
    for repository in client.get("/v2/_catalog").json()["repositories"]:
        answer = client.get(f"/v2/{repository}/tags/list")
        tags = (answer.json()["tags"] or []) if answer.status == 200 else []
        found[repository] = {tag: _manifest(client, repository, tag) for tag in tags}
    return found


def _manifest(client: Client, repository: str, reference: str) -> tuple[str, str, bytes, list[Any]]:
    answer = client.get(f"/v2/{repository}/manifests/{reference}", {"Accept": ALL_MANIFESTS})
    assert answer.status == 200, (repository, reference, answer)
    document = answer.json()
    below: list[Any] = [_manifest(client, repository, child["digest"]) for child in document.get("manifests", [])]
    blobs = [document["config"], *document["layers"]] if "layers" in document else []
    for each in blobs:
        blob = client.get(f"/v2/{repository}/blobs/{each['digest']}")
        assert blob.status == 200, (repository, each, blob)
        assert digest_of(blob.body) == each["digest"]
        below.append((each["digest"], len(blob.body)))
    return str(answer["Docker-Content-Digest"]), str(answer["Content-Type"]), answer.body, below


class TogetherCase(SynchronousTestCase):
    """Both, upon one new directory, for each test."""

    tools: ClassVar[ContainerTools]

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.mkdtemp(prefix="dregistry-interop-")
        cls.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        cls.tools = ContainerTools(folder)

    def setUp(self) -> None:
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.data = os.path.join(self.folder, "data")
        self.theirs = self.enterContext(DockerRegistry(self.data))
        self.ours = self.enterContext(RunningRegistry(data=self.data))
        self.their_client = Client(self.theirs.address)
        self.our_client = Client(self.ours.address)

    def collect_garbage(self) -> str:
        return collect_garbage(self.data, os.path.join(self.folder, "collect.yml"))

    def layout(self) -> Layout:
        return Layout(tempfile.mkdtemp(dir=self.folder))

    def fill(self, registry: RunningRegistry) -> None:
        """Push, retag, delete and mount all sorts of things, by skopeo."""
        to = f"docker://{registry.address}"
        layout = self.layout()
        images = [
            layout.image({"shared": noise(LARGE)}, {"arch": each.encode()}, architecture=each)
            for each in ("amd64", "arm64")
        ]
        every = layout.tag("every", layout.index(*images))
        one = layout.tag("one", images[0])
        two = layout.tag("two", layout.image({"second": noise(1000, 2)}))
        gone = layout.tag("gone", layout.image({"third": noise(1000, 3)}))
        copy = self.tools.copy
        copy(every, f"{to}/apps/oci:v1", "--all", "--preserve-digests")
        copy(one, f"{to}/apps/oci:latest")
        copy(two, f"{to}/apps/oci:latest")
        copy(two, f"{to}/apps/oci:stable")
        copy(gone, f"{to}/apps/oci:gone")
        copy(every, f"{to}/apps/docker:list", "--all", "--format", "v2s2")
        copy(two, f"{to}/apps/docker:v1", "--format", "v2s2")
        copy(f"{to}/apps/oci:v1", f"{to}/apps/copy:v1", "--all", "--preserve-digests")
        copy(f"{to}/apps/docker:v1", f"{to}/other:moved")
        self.tools.skopeo("delete", PLAIN, f"{to}/apps/oci:gone")
        self.source = blobs_of(layout.folder)

    def assert_filled(self, found: dict[str, Any]) -> None:
        """What :meth:`fill` leaves."""
        self.assertEqual(sorted(found), REPOSITORIES)
        self.assertEqual({name: sorted(tags) for name, tags in found.items()}, TAGS)
        self.assertEqual(found["apps/oci"]["v1"][1], OCI_INDEX)
        self.assertEqual(found["apps/oci"]["latest"], found["apps/oci"]["stable"])
        self.assertEqual(found["apps/oci"]["latest"][1], OCI_MANIFEST)
        self.assertEqual(found["apps/docker"]["list"][1], DOCKER_LIST)
        self.assertEqual(found["apps/docker"]["v1"][1], DOCKER_MANIFEST)
        self.assertEqual(found["apps/copy"]["v1"], found["apps/oci"]["v1"])
        self.assertEqual(found["other"]["moved"], found["apps/docker"]["v1"])
        for tag in ("v1", "latest"):
            digest, _, content, _ = found["apps/oci"][tag]
            self.assertEqual(content, self.source[digest])

    def assert_pulls(self, registry: RunningRegistry) -> None:
        """skopeo gets what it sent."""
        target = os.path.join(tempfile.mkdtemp(dir=self.folder), "copy")
        source = f"docker://{registry.address}/apps/oci:v1"
        self.tools.copy(source, f"oci:{target}:v1", "--all", "--preserve-digests")
        for digest, content in blobs_of(target).items():
            self.assertEqual(content, self.source[digest])


class ExchangeTests(TogetherCase):
    def exchange(self, writer: RunningRegistry, reader: RunningRegistry) -> None:
        self.fill(writer)
        read = contents(reader.address)
        self.assert_filled(read)
        self.assertEqual(read, contents(writer.address))
        self.assert_pulls(reader)

    def test_written_by_dregistry(self) -> None:
        self.exchange(self.ours, self.theirs)

    def test_written_by_registry_2(self) -> None:
        self.exchange(self.theirs, self.ours)

    def change(self, writer: RunningRegistry, changer: RunningRegistry) -> None:
        """One goes on with what the other began: retag, delete by tag's digest, push again, mount."""
        self.fill(writer)
        at = f"docker://{changer.address}"
        self.tools.copy(f"{at}/apps/docker:v1", f"{at}/apps/oci:stable")
        self.tools.skopeo("delete", PLAIN, f"{at}/apps/docker:list")
        client = Client(changer.address)
        layer = contents(changer.address)["apps/oci"]["v1"][3][0][3][1][0]
        mounted = client.start_upload("new/place", mount=layer, **{"from": "apps/oci"})
        self.assertEqual(mounted.status, 201, mounted)
        again = self.layout()
        self.tools.copy(again.tag("gone", again.image({"third": noise(1000, 3)})), f"{at}/apps/oci:gone")
        read = contents(writer.address)
        # registry:2 lists a repository that has nothing but a blob; dregistry wants a manifest.
        read.pop("new/place", None)
        other = contents(changer.address)
        other.pop("new/place", None)
        self.assertEqual(read, other)
        self.assertEqual(sorted(read["apps/docker"]), ["v1"])
        self.assertEqual(sorted(read["apps/oci"]), ["gone", "latest", "stable", "v1"])
        self.assertEqual(read["apps/oci"]["stable"], read["apps/docker"]["v1"])
        blob = Client(writer.address).get(f"/v2/new/place/blobs/{layer}")
        self.assertEqual(digest_of(blob.body), layer)

    def test_dregistry_goes_on(self) -> None:
        self.change(self.theirs, self.ours)

    def test_registry_2_goes_on(self) -> None:
        self.change(self.ours, self.theirs)


class GarbageTests(TogetherCase):
    """registry:2's garbage collection, on what dregistry wrote."""

    def test_nothing_needed_goes(self) -> None:
        self.fill(self.ours)
        self.tools.skopeo("delete", PLAIN, f"docker://{self.ours.address}/apps/docker:v1")
        self.our_client.start_upload("apps/oci")
        subject = self.our_client.push_manifest("signed", self.our_client.image("signed"), "v1")
        signature = self.our_client.artifact("signed", subject=subject)
        self.our_client.push_manifest("signed", signature)
        before = contents(self.ours.address)
        unused = self.our_client.push_blob("apps/oci", random_bytes())
        self.assertIn(f"blob eligible for deletion: {unused}", self.collect_garbage())
        self.assertEqual(contents(self.ours.address), before)
        self.assertEqual(contents(self.theirs.address), before)
        self.assert_pulls(self.ours)
        referrers = self.our_client.get(f"/v2/signed/referrers/{subject['digest']}").json()["manifests"]
        self.assertEqual([each["digest"] for each in referrers], [digest_of(encode(signature))])
        _manifest(self.our_client, "signed", referrers[0]["digest"])
        self.assertIn("0 blobs and 0 manifests eligible for deletion", self.collect_garbage())

    def test_what_it_removed_can_be_pushed_again(self) -> None:
        content = random_bytes()
        digest = self.our_client.push_blob("apps/oci", content)
        self.collect_garbage()
        self.assertEqual(self.our_client.get(f"/v2/apps/oci/blobs/{digest}").status, 404)
        self.assertEqual(self.our_client.head(f"/v2/apps/oci/blobs/{digest}").status, 404)
        self.our_client.push_blob("apps/oci", content)
        self.assertEqual(self.our_client.get(f"/v2/apps/oci/blobs/{digest}").body, content)

    def test_with_sha512(self) -> None:
        """An algorithm that registry:2 can read, but does not write."""
        image = self.our_client.image("apps/oci", "sha512")
        self.our_client.push_manifest("apps/oci", image, "v1")
        before = contents_of_blobs(self.our_client, "apps/oci", image)
        self.collect_garbage()
        self.assertEqual(contents_of_blobs(self.our_client, "apps/oci", image), before)


def contents_of_blobs(client: Client, repository: str, image: dict[str, Any]) -> list[bytes]:
    answers = [client.get(f"/v2/{repository}/blobs/{each['digest']}") for each in [image["config"], *image["layers"]]]
    assert all(answer.status == 200 for answer in answers), answers
    return [answer.body for answer in answers]


class ReferrerTests(TogetherCase):
    """Manifests with a subject, which registry:2 stores as it does any other."""

    def listed(self, subject: dict[str, Any]) -> list[str]:
        answer = self.our_client.get(f"/v2/signed/referrers/{subject['digest']}")
        self.assertEqual(answer.status, 200, answer)
        return sorted(each["digest"] for each in answer.json()["manifests"])

    def sign(self, client: Client, subject: dict[str, Any]) -> tuple[dict[str, Any], str]:
        """The document of a referrer, and its digest."""
        document = self.their_client.artifact("signed", subject=subject)
        return document, client.push_manifest("signed", document)["digest"]

    def test_stored_by_registry_2(self) -> None:
        subject = self.their_client.push_manifest("signed", self.their_client.image("signed"), "v1")
        _, first = self.sign(self.their_client, subject)
        self.assertEqual(self.listed(subject), [first])
        _, second = self.sign(self.our_client, subject)
        _, third = self.sign(self.their_client, subject)
        self.assertEqual(self.listed(subject), sorted([first, second, third]))
        self.their_client.delete(f"/v2/signed/manifests/{second}")
        self.assertEqual(self.listed(subject), sorted([first, third]))

    def test_stored_again(self) -> None:
        """Deleted here, pushed again there."""
        subject = self.our_client.push_manifest("signed", self.our_client.image("signed"), "v1")
        document, digest = self.sign(self.our_client, subject)
        self.assertEqual(self.listed(subject), [digest])
        self.our_client.delete(f"/v2/signed/manifests/{digest}")
        self.their_client.push_manifest("signed", document)
        self.assertEqual(self.listed(subject), [digest])

    def test_stored_again_after_a_look(self) -> None:
        subject = self.our_client.push_manifest("signed", self.our_client.image("signed"), "v1")
        document, digest = self.sign(self.our_client, subject)
        self.our_client.delete(f"/v2/signed/manifests/{digest}")
        self.assertEqual(self.listed(subject), [])
        self.their_client.push_manifest("signed", document)
        self.assertEqual(self.listed(subject), [digest])


class UploadTests(TogetherCase):
    """Uploads that one began, and the other meets."""

    def begin(self, client: Client, content: bytes) -> str:
        """The location of an upload that holds some bytes."""
        answer = client.patch(client.start_upload("apps/oci").location, content)
        self.assertEqual(answer.status, 202, answer)
        return answer.location

    def test_begun_in_registry_2(self) -> None:
        content = random_bytes(5000)
        location = self.begin(self.their_client, content[:2000])
        path = location.partition(self.theirs.address)[2].partition("?")[0]
        status = self.our_client.get(path)
        self.assertEqual((status.status, status["Range"]), (204, "0-1999"), status)
        answer = self.our_client.finish(self.our_client.patch(path, content[2000:]).location, digest_of(content))
        self.assertEqual(answer.status, 201, answer)
        self.assertEqual(self.their_client.get(f"/v2/apps/oci/blobs/{digest_of(content)}").body, content)

    def test_begun_in_dregistry(self) -> None:
        """registry:2 wants its token, so it cannot go on; but it does not mind."""
        content = random_bytes(5000)
        location = self.begin(self.our_client, content[:2000])
        path = location.partition(self.ours.address)[2]
        self.assertIn(self.their_client.get(path).status, (204, 404))
        self.fill(self.theirs)
        self.collect_garbage()
        self.assert_filled(contents(self.theirs.address))
        answer = self.our_client.finish(location, digest_of(content), content[2000:])
        self.assertEqual(answer.status, 201, answer)

    def test_left_behind(self) -> None:
        """Nobody goes on with them: everything else is as it was."""
        for client in (self.their_client, self.our_client):
            self.begin(client, random_bytes())
        self.fill(self.ours)
        self.assert_filled(contents(self.ours.address))
        self.assert_filled(contents(self.theirs.address))
        self.assertEqual(json.loads(self.our_client.get("/v2/apps/oci/tags/list").body)["tags"], TAGS["apps/oci"])
