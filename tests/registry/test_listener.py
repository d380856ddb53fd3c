"""
What listeners hear of, as distribution's notifications have it: who, which repository, and by action the fields that
there are.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import globalLogPublisher
from zope.interface import implementer
from zope.interface.verify import verifyObject

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown, BlobUploadUnknown, DigestInvalid, ManifestBlobUnknown, ManifestUnknown
from dregistry.manifest import OCI_INDEX, OCI_MANIFEST
from dregistry.registry import Core, IRegistryListener, Registry, RegistryEvent
from dregistry.storage import paths
from dregistry.testing import InlineThreads

from .support import CONFIG, LAYER, ORIGIN, Recorder, RegistryCase, image, index, origin

NAME = "some/repo"
OCTET_STREAM = "application/octet-stream"


@implementer(IRegistryListener)
class Failing:
    async def notify(self, event: RegistryEvent) -> None:
        raise KeyError(event.action)


class EventsCase(RegistryCase):
    def heard_of(self, *expected: dict[str, Any]) -> None:
        """Exactly those events, whose other fields are those of no value."""
        events = self.heard.take()
        self.assertEqual(events, [RegistryEvent(**{"repository": NAME, "origin": ORIGIN, **each}) for each in expected])

    def pushed(self, reference: str = "v1", **members: Any) -> Digest:
        digest = self.push_image(reference, **members)
        self.heard.take()
        return digest


class EventsTests(EventsCase):
    def test_provided(self) -> None:
        for listener in (Recorder(), Failing()):
            verifyObject(IRegistryListener, listener)

    def test_blob_pushed(self) -> None:
        for algorithm in ("sha256", "sha512"):
            digest = self.push(b"abc", algorithm)
            self.heard_of({"action": "push", "media_type": OCTET_STREAM, "digest": digest, "size": 3, "kind": "blob"})

    def test_blob_pushed_again(self) -> None:
        self.push(b"abc")
        self.push(b"abc")
        self.assertEqual(len(self.heard.take()), 2)

    def test_blob_pulled(self) -> None:
        """The web layer says so, which knows what became of the request."""
        digest = self.push(b"abc")
        self.heard.take()
        self.do(self.repository.blobs.stat(digest))
        self.do(self.repository.blobs.open(digest))
        self.heard_of()
        self.do(self.repository.blobs.pulled(digest, 3))
        self.heard_of({"action": "pull", "media_type": OCTET_STREAM, "digest": digest, "size": 3, "kind": "blob"})

    def test_blob_mounted(self) -> None:
        digest = self.push(b"abc", repository=self.registry.repository("source", origin))
        self.heard.take()
        expected = {
            "action": "mount", "media_type": OCTET_STREAM, "digest": digest, "size": 3, "from_repository": "source",
            "kind": "blob",
        }  # fmt: skip
        self.do(self.repository.blobs.mount(digest, "source"))
        self.heard_of(expected)

        def may_pull(name: str) -> bool:
            return name == "source"

        self.do(self.repository.blobs.mount_from_any(digest, may_pull))
        self.heard_of(expected)

    def test_blob_deleted(self) -> None:
        digest = self.push(b"abc")
        self.heard.take()
        self.do(self.repository.blobs.delete(digest))
        self.heard_of({"action": "delete", "digest": digest, "kind": "blob"})

    def test_manifest_pushed(self) -> None:
        digest = self.push_image("v1")
        config, layer, *rest = self.heard.take()[-1].references
        self.assertEqual(([config.digest, layer.digest], rest), ([Digest.of(CONFIG), Digest.of(LAYER)], []))
        expected = {
            "action": "push", "media_type": OCI_MANIFEST, "digest": digest, "size": len(image()),
            "references": (config, layer),
        }  # fmt: skip
        self.do(self.repository.manifests.put(image(), None, "v1"))
        self.heard_of({**expected, "tag": "v1"})
        self.do(self.repository.manifests.put(image(), None, digest))
        self.heard_of(expected)

    def test_manifest_pushed_with_tags(self) -> None:
        digest = self.pushed()
        self.do(self.repository.manifests.put(image(), None, digest, ["a", "b"]))
        self.assertEqual([(event.action, event.tag) for event in self.heard.take()], [("push", "a"), ("push", "b")])

    def test_index_pushed(self) -> None:
        """It refers to its children; a subject is not among what is referred to."""
        child = self.pushed()
        self.do(self.repository.manifests.put(index(image()), None, "v2"))
        [event] = self.heard.take()
        self.assertEqual((event.media_type, event.tag), (OCI_INDEX, "v2"))
        self.assertEqual([each.digest for each in event.references], [child])

    def test_manifest_pulled(self) -> None:
        digest = self.pushed()
        for reference, tag in (("v1", "v1"), (digest, "")):
            stored = self.do(self.repository.manifests.get(reference))
            self.heard_of()
            self.do(self.repository.manifests.pulled(stored))
            [event] = self.heard.events
            self.assertEqual([each.digest for each in event.references], [Digest.of(CONFIG), Digest.of(LAYER)])
            self.heard_of(
                {
                    "action": "pull",
                    "media_type": OCI_MANIFEST,
                    "digest": digest,
                    "size": len(image()),
                    "tag": tag,
                    "references": event.references,
                }
            )

    def test_stored_by_another_registry_pulled(self) -> None:
        """What it refers to is not known, then."""
        content = b'{"schemaVersion":1}'
        digest = Digest.of(content)
        self.put(paths.blob_data(digest), content)
        self.put(paths.revision_link(NAME, digest), digest)
        self.do(self.repository.manifests.pulled(self.do(self.repository.manifests.get(digest))))
        self.heard_of({"action": "pull", "media_type": OCI_MANIFEST, "digest": digest, "size": len(content)})

    def test_manifest_deleted(self) -> None:
        """One event for it, and one for each tag that pointed at it."""
        digest = self.pushed("v1")
        self.pushed("v2")
        self.pushed("v3", annotations={"a": "b"})
        self.do(self.repository.manifests.delete(digest))
        self.heard_of(
            {"action": "delete", "tag": "v1", "kind": "tag"},
            {"action": "delete", "tag": "v2", "kind": "tag"},
            {"action": "delete", "digest": digest},
        )

    def test_tag_deleted(self) -> None:
        self.pushed()
        self.do(self.repository.tags.delete("v1"))
        self.heard_of({"action": "delete", "tag": "v1", "kind": "tag"})


class SilenceTests(EventsCase):
    """What did not happen is not told."""

    def test_uploads(self) -> None:
        uploads = self.repository.uploads
        uuid = self.do(uploads.start())
        self.do(uploads.offset(uuid))
        self.do(uploads.cancel(uuid))
        self.refused(BlobUploadUnknown, uploads.cancel(uuid))
        session = self.do(uploads.open(self.do(uploads.start())))
        self.refused(DigestInvalid, session.commit(Digest.of(b"wrong")))
        session = self.do(uploads.open(self.do(uploads.start())))
        self.do(session.discard())
        self.heard_of()

    def test_refusals(self) -> None:
        digest = Digest.of(b"abc")
        manifests = self.repository.manifests
        self.refused(ManifestBlobUnknown, manifests.put(image(), None, "v1"))
        self.refused(DigestInvalid, manifests.put(image(), None, digest))
        self.refused(ManifestUnknown, manifests.get("v1"))
        self.refused(ManifestUnknown, manifests.delete(digest))
        self.refused(ManifestUnknown, self.repository.tags.delete("v1"))
        self.refused(BlobUnknown, self.repository.blobs.delete(digest))
        self.refused(BlobUnknown, self.repository.blobs.mount(digest, "source"))
        self.heard_of()

    def test_listings(self) -> None:
        digest = self.pushed()
        self.do(self.registry.catalog("", 10))
        self.do(self.repository.tags.page("", 10))
        self.do(self.repository.tags.get("v1"))
        self.do(self.repository.referrers.page(digest, None, None, 10))
        self.heard_of()


class FailingListenerTests(RegistryCase):
    """Neither the operation nor the other listeners suffer from one that fails; the log has it."""

    def setUp(self) -> None:
        super().setUp()
        core = Core(self.driver, InlineThreads(), self.settings, [Failing(), self.heard])
        self.repository = Registry(core).repository(NAME, origin)
        self.logged: list[dict[str, Any]] = []
        globalLogPublisher.addObserver(self.logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, self.logged.append)

    def suffered(self, *actions: str) -> None:
        failures = self.flushLoggedErrors(KeyError)
        self.assertEqual([failure.value.args[0] for failure in failures], list(actions))
        self.assertEqual([event.action for event in self.heard.take()], list(actions))
        logged = [(each["action"], each["repository"]) for each in self.logged if "log_failure" in each]
        self.assertEqual(logged, [(action, NAME) for action in actions])
        self.logged.clear()

    def test_all(self) -> None:
        digest = self.push_image("v1")
        self.suffered("push", "push", "push")
        manifests, blobs = self.repository.manifests, self.repository.blobs
        self.do(manifests.pulled(self.do(manifests.get("v1"))))
        self.do(blobs.pulled(Digest.of(LAYER), len(LAYER)))
        self.suffered("pull", "pull")
        self.do(blobs.mount(Digest.of(LAYER), NAME))
        self.suffered("mount")
        self.do(blobs.delete(Digest.of(LAYER)))
        self.do(manifests.delete(digest))
        self.suffered("delete", "delete", "delete")
        self.refused(ManifestUnknown, manifests.get("v1"))
