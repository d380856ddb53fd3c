"""Tests of :mod:`dregistry.maintenance.gc`."""

from __future__ import annotations

import json
import os

from dregistry.digest import Digest
from dregistry.maintenance import Watcher
from dregistry.maintenance.gc import Collection, Options, collect
from dregistry.maintenance.report import BLOB, LINK, MANIFEST
from dregistry.storage import StorageUnavailable, paths

from .support import NAME, NOW, InFilesCase, InMemoryCase, image, index, subject

UNTAGGED = Options(untagged_go=True)
OTHER = "other"


class CollectCase(InMemoryCase):
    def collect(self, options: Options = Options()) -> Collection:  # noqa: B008
        return collect(self.storage.tree, options, self.recorder, NOW)

    def assert_goes(self, *digests: Digest, options: Options = Options()) -> Collection:  # noqa: B008
        """Those blobs, and no others."""
        before = self.blobs()
        done = self.collect(options)
        self.assertEqual(sorted(self.recorder.named(BLOB)), sorted(map(str, digests)))
        after = self.blobs()
        self.assertEqual(before.keys() - after.keys(), {paths.blob_data(digest) for digest in digests})
        self.assertEqual({path: before[path] for path in after}, after)
        return done

    def blobs(self) -> dict[str, bytes]:
        return {path: content for path, content in self.storage.all().items() if path.startswith(paths.BLOBS)}


class BlobTests(CollectCase):
    def test_nothing_at_all(self) -> None:
        self.assertEqual(self.collect(), Collection())

    def test_needed(self) -> None:
        self.storage.image("a", "v1")
        self.storage.image("b")
        self.assertEqual(self.assert_goes().marked, 6)

    def test_not_needed(self) -> None:
        self.storage.image("a", "v1")
        linked, loose = self.storage.layer(b"linked"), self.storage.blob(b"loose!")
        done = self.assert_goes(linked, loose)
        self.assertEqual((done.blobs, done.size, done.links), (2, 12, 1))
        self.assertNotIn(paths.layer_link(NAME, linked), self.storage.all())
        self.assertEqual(self.recorder.named(LINK), [str(linked)])
        self.assertEqual({item.size for item in self.recorder.items if item.kind == BLOB}, {6})

    def test_needed_elsewhere(self) -> None:
        """A repository may go on serving what no manifest of its own needs, while the blob is there."""
        shared = self.storage.layer(b"layer a", OTHER)
        self.storage.image("a", "v1")
        self.assert_goes()
        self.assertIn(paths.layer_link(OTHER, shared), self.storage.all())

    def test_link_without_blob(self) -> None:
        gone = self.storage.layer(b"gone")
        self.storage.image("a")
        self.storage.tree.delete([paths.blob(gone)])
        self.assertEqual(self.assert_goes().links, 1)
        self.assertNotIn(paths.layer_link(NAME, gone), self.storage.all())

    def test_manifest_without_link(self) -> None:
        digest = self.storage.image("a", "v1")
        self.storage.tree.delete([paths.revision(NAME, digest)])
        self.assert_goes(digest, Digest.of(b"config a"), Digest.of(b"layer a"))

    def test_missing_children(self) -> None:
        child = Digest.of(b"not here")
        self.storage.manifest(index(child), "v1")
        self.assertEqual(self.assert_goes().faults, 0)

    def test_child_without_link(self) -> None:
        """It cannot be pulled, so its layers are not needed."""
        child = self.storage.image("child")
        self.storage.manifest(index(child), "v1")
        self.storage.tree.delete([paths.revision(NAME, child)])
        self.assert_goes(Digest.of(b"config child"), Digest.of(b"layer child"))

    def test_uploads_stay(self) -> None:
        path = paths.upload_data(NAME, "0d2d4d7e-8f5f-4c0b-9d0c-6a8f4f0f6a5e")
        self.storage.put(path, b"some")
        self.collect()
        self.assertIn(path, self.storage.all())

    def test_names_that_are_no_digests(self) -> None:
        before = {}
        for path in (
            f"{paths.BLOBS}/sha256/ab/nonsense/data",
            f"{paths.BLOBS}/sha256/AB/{'AB' * 32}/data",
            f"{paths.BLOBS}/README",
            f"{paths.layers(NAME)}/sha256/short/link",
            f"{paths.revisions(NAME)}/sha256/{'A' * 64}/link",
            f"{paths.ROOT}/_dregistry/quarantine/sha256/{'a' * 64}/data",
        ):
            self.storage.put(path, b"x")
            before[path] = b"x"
        self.collect()
        self.assertEqual(self.storage.all(), before)

    def test_dry_run(self) -> None:
        self.storage.image("a")
        blob = self.storage.layer(b"linked")
        before = self.storage.all()
        done = self.collect(Options(dry_run=True, untagged_go=True))
        self.assertEqual(self.storage.all(), before)
        self.assertEqual((done.blobs, done.links, done.manifests), (4, 3, 1))
        self.assertIn(str(blob), self.recorder.named(BLOB))
        self.assertFalse(any(item.removed for item in self.recorder.items))

    def test_nobody_watches(self) -> None:
        blob = self.storage.blob(b"loose")
        collect(self.storage.tree, Options(), Watcher())
        self.assertNotIn(paths.blob_data(blob), self.storage.all())

    def test_many_manifests_and_blobs(self) -> None:
        for number in range(50):
            self.storage.image(str(number), *(["latest"] if number == 49 else []))
        self.assertEqual(self.assert_goes().marked, 150)
        self.recorder.items.clear()
        done = self.collect(UNTAGGED)
        self.assertEqual((done.manifests, done.blobs, done.links), (49, 147, 98))
        self.assertEqual(self.collect(UNTAGGED).blobs, 0)


class AliasTests(CollectCase):
    """distribution stores by sha256 what was pushed by sha512, and links it."""

    def alias(self, content: bytes) -> Digest:
        digest = Digest.of(content, "sha512")
        self.storage.put(paths.layer_link(NAME, digest), self.storage.blob(content))
        return digest

    def test_layer(self) -> None:
        config = self.storage.layer(b"config")
        document = json.loads(image(b"config"))
        document["layers"] = [{"digest": str(self.alias(b"pushed by sha512"))}]
        digest = self.storage.manifest(json.dumps(document).encode())
        self.assert_goes()
        self.storage.tree.delete([paths.revision(NAME, digest)])
        self.assert_goes(digest, config, Digest.of(b"pushed by sha512"))

    def test_manifest(self) -> None:
        content = image(b"config")
        config = self.storage.layer(b"config")
        stored, digest = self.storage.blob(content), Digest.of(content, "sha512")
        self.storage.put(paths.revision_link(NAME, digest), stored)
        self.storage.put(paths.tag_current_link(NAME, "v1"), digest)
        self.assert_goes(options=UNTAGGED)
        self.storage.tree.delete([paths.tag(NAME, "v1")])
        self.assert_goes(config, stored, options=UNTAGGED)

    def test_broken_link(self) -> None:
        digest = Digest.of(image(b"config"), "sha512")
        self.storage.layer(b"config")
        self.storage.put(paths.revision_link(NAME, digest), b"torn")
        self.assertEqual(self.assert_goes().faults, 1)
        self.assertIn("link is broken", self.recorder.faults[0].reason)

    def test_sha512_itself(self) -> None:
        for content in (b"needed", b"not"):
            digest = self.storage.blob(content, "sha512")
            self.storage.put(paths.layer_link(NAME, digest), digest)
        document = json.loads(image(b"needed"))
        document["config"]["digest"] = str(Digest.of(b"needed", "sha512"))
        self.storage.manifest(json.dumps(document).encode())
        self.assert_goes(Digest.of(b"not", "sha512"))


class FaultTests(CollectCase):
    """What cannot be read may refer to anything in its repository."""

    def setUp(self) -> None:
        super().setUp()
        self.linked = self.storage.layer(b"who needs it?")
        self.elsewhere = self.storage.layer(b"nobody", OTHER)

    def assert_kept(self, reason: str, options: Options = Options()) -> None:  # noqa: B008
        self.assertEqual(self.assert_goes(self.elsewhere, options=options).faults, 1)
        [fault] = self.recorder.faults
        self.assertIn(reason, fault.reason)
        self.assertEqual(fault.repository, NAME)

    def test_missing(self) -> None:
        digest = self.storage.manifest(image(b"config"))
        self.storage.tree.delete([paths.blob(digest)])
        self.assert_kept("missing")

    def test_garbage(self) -> None:
        self.storage.manifest(b"{")
        self.assert_kept("not JSON")

    def test_flipped(self) -> None:
        digest = self.storage.manifest(image(b"config"))
        self.storage.put(paths.blob_data(digest), image(b"cofnig"))
        self.assert_kept("does not have its digest")

    def test_untagged_and_missing(self) -> None:
        """Nothing is left of it to be needed."""
        digest = self.storage.manifest(image(b"config"))
        self.storage.tree.delete([paths.blob(digest)])
        self.assertEqual(self.assert_goes(self.elsewhere, self.linked, options=UNTAGGED).faults, 0)
        self.assertEqual(self.recorder.named(MANIFEST), [str(digest)])

    def test_untagged_and_garbage(self) -> None:
        """It may be a signature; the untagged manifests of its repository may be its children."""
        self.storage.manifest(b"{")
        self.storage.image("a")
        self.assert_kept("not JSON", UNTAGGED)
        self.assertEqual(self.recorder.named(MANIFEST), [])

    def test_tagged_and_missing(self) -> None:
        digest = self.storage.manifest(image(b"config"), "v1")
        self.storage.image("a")
        self.storage.tree.delete([paths.blob(digest)])
        self.assert_kept("missing", UNTAGGED)

    def test_storage_fails(self) -> None:
        """Nothing was removed by then."""
        self.storage.image("a", "v1")
        before = self.storage.all()

        class Failing(type(self.storage.tree)):  # type: ignore[misc]
            def names(self, path: str, holding: str = "") -> list[str]:
                if path == f"{paths.BLOBS}/sha256":
                    raise StorageUnavailable("out of order")
                return list(super().names(path, holding))

        self.storage.tree.__class__ = Failing
        self.assertRaises(StorageUnavailable, self.collect, UNTAGGED)
        self.assertEqual(self.storage.all(), before)


class UntaggedTests(CollectCase):
    def collect_untagged(self) -> list[str]:
        self.collect(UNTAGGED)
        return sorted(self.recorder.named(MANIFEST))

    def test_tagged(self) -> None:
        self.storage.image("a", "v1")
        gone = self.storage.image("b")
        self.assert_goes(gone, Digest.of(b"config b"), Digest.of(b"layer b"), options=UNTAGGED)
        self.assertNotIn(paths.revision_link(NAME, gone), self.storage.all())

    def test_moved_tag(self) -> None:
        """Its history forgets what went."""
        old = self.storage.image("old", "v1")
        new = self.storage.image("new", "v1")
        self.assertEqual(self.collect_untagged(), [str(old)])
        after = self.storage.all()
        self.assertNotIn(paths.tag_index_link(NAME, "v1", old), after)
        self.assertIn(paths.tag_index_link(NAME, "v1", new), after)
        self.assertEqual(after[paths.tag_current_link(NAME, "v1")], str(new).encode())

    def test_children(self) -> None:
        """As deep as they may be; each with the reason."""
        child, gone = self.storage.image("child"), self.storage.image("gone")
        inner = self.storage.manifest(index(child))
        outer = self.storage.manifest(index(inner), "v1")
        self.assertEqual(self.collect_untagged(), [str(gone)])
        self.assertEqual(
            self.recorder.reasons,
            {str(inner): f"the index {outer} lists it", str(child): f"the index {inner} lists it"},
        )

    def test_referrers(self) -> None:
        """And theirs, and their children."""
        image_ = self.storage.image("a", "v1")
        signature = self.storage.image("signature", subject=subject(image_))
        attested = self.storage.image("attested")
        bundle = self.storage.manifest(index(attested, subject=subject(signature)))
        other = self.storage.image("other", subject=subject(Digest.of(b"not here")))
        third = self.storage.image("third", subject=subject(other))
        self.assertEqual(self.collect_untagged(), sorted(map(str, (other, third))))
        self.assertEqual(self.recorder.reasons[str(signature)], f"its subject {image_} stays")
        self.assertEqual(self.recorder.reasons[str(bundle)], f"its subject {signature} stays")

    def test_subject_goes(self) -> None:
        """A referrer that is tagged does not keep its subject."""
        gone = self.storage.image("a")
        self.storage.image("signature", "sig", subject=subject(gone))
        self.assertEqual(self.collect_untagged(), [str(gone)])

    def test_referrers_of_children(self) -> None:
        child = self.storage.image("child")
        self.storage.manifest(index(child), "v1")
        self.storage.image("signature", subject=subject(child))
        self.assertEqual(self.collect_untagged(), [])

    def test_circle(self) -> None:
        """Digests make that impossible, but for content that lies; it is not followed for ever."""
        digest = self.storage.image("a", "v1")
        self.storage.manifest(index(digest, digest), "v2")
        self.assertEqual(self.collect_untagged(), [])

    def test_fallback_tag(self) -> None:
        """Clients without the referrers API tag an index of referrers."""
        image_ = self.storage.image("a", "v1")
        signature = self.storage.image("signature")
        self.storage.manifest(index(signature), f"sha256-{image_.hex}")
        self.assertEqual(self.collect_untagged(), [])

    def test_each_repository_by_itself(self) -> None:
        digest = self.storage.image("a", "v1")
        self.storage.image("a", name=OTHER)
        self.assert_goes(options=UNTAGGED)
        self.assertEqual(self.recorder.named(MANIFEST), [str(digest)])
        after = self.storage.all()
        self.assertIn(paths.revision_link(NAME, digest), after)
        self.assertNotIn(paths.revision_link(OTHER, digest), after)

    def test_read_once_for_many_repositories(self) -> None:
        child = self.storage.image("a")
        signature = self.storage.image("s", subject=subject(child))
        for name in (NAME, OTHER, "third"):
            self.storage.image("a", name=name)
            self.storage.image("s", name=name, subject=subject(child))
            self.storage.manifest(index(child), "v1", name=name)
        self.assertEqual(self.collect_untagged(), [])
        self.assertEqual(len(self.recorder.marked_blobs), len(set(self.recorder.marked_blobs)))
        self.assertIn(str(signature), self.recorder.reasons)

    def test_torn_tag(self) -> None:
        digest = self.storage.image("a", "v1")
        self.storage.put(paths.tag_current_link(NAME, "v1"), b"")
        self.assertEqual(self.collect_untagged(), [str(digest)])

    def test_what_referrers_are_remembered(self) -> None:
        image_ = self.storage.image("a", "v1")
        gone = self.storage.image("gone")
        signature = self.storage.image("signature", subject=subject(gone))
        kept = self.storage.image("kept", subject=subject(image_))
        for to, digest in ((gone, signature), (image_, kept)):
            self.storage.put(paths.referrer_descriptor(NAME, to, digest), b"{}")
        self.storage.put(paths.referrers_scanned(NAME), f"{gone}\n{kept}\n{signature}")
        self.assertEqual(self.collect_untagged(), sorted(map(str, (gone, signature))))
        after = self.storage.all()
        self.assertEqual(after[paths.referrers_scanned(NAME)], str(kept).encode())
        self.assertNotIn(paths.referrer_descriptor(NAME, gone, signature), after)
        self.assertIn(paths.referrer_descriptor(NAME, image_, kept), after)

    def test_large_manifest(self) -> None:
        """Too large to be read ahead."""
        self.storage.image("a", "v1", annotations={"text": "x" * 100_000})
        self.storage.image("b", annotations={"text": "y" * 100_000})
        self.assertEqual(len(self.collect_untagged()), 1)
        self.assertEqual(self.collect(UNTAGGED).marked, 3)


class RepositoriesTests(CollectCase):
    """Only what some repositories hold."""

    def test_only_those(self) -> None:
        mine, theirs, loose = self.storage.image("a"), self.storage.image("b", name=OTHER), self.storage.blob(b"loose")
        options = Options(untagged_go=True, repositories=("team/*",))
        done = self.assert_goes(mine, Digest.of(b"config a"), Digest.of(b"layer a"), options=options)
        self.assertEqual((done.manifests, done.links), (1, 2))
        after = self.storage.all()
        self.assertIn(paths.revision_link(OTHER, theirs), after)
        self.assertIn(paths.blob_data(loose), after)

    def test_needed_by_others(self) -> None:
        self.storage.image("a", name=OTHER)
        self.storage.image("a")
        self.assert_goes(options=Options(untagged_go=True, repositories=(NAME, "none")))

    def test_no_match(self) -> None:
        self.storage.image("a")
        self.assert_goes(options=Options(untagged_go=True, repositories=("team",)))


class FilesTests(BlobTests, InFilesCase):
    def test_directory_without_data(self) -> None:
        """As an interrupted removal leaves it."""
        blob = self.storage.blob(b"loose")
        path = self.storage.root + paths.blob(blob)
        os.unlink(f"{path}/data")
        self.assertEqual(self.collect(Options(dry_run=True)).blobs, 0)
        self.assertTrue(os.path.exists(path))
        self.assertEqual(self.collect().blobs, 0)
        self.assertFalse(os.path.exists(path))

    def test_revision_without_link(self) -> None:
        digest = self.storage.image("a")
        os.unlink(self.storage.root + paths.revision_link(NAME, digest))
        self.assert_goes(digest, Digest.of(b"config a"), Digest.of(b"layer a"))

    def test_repository_that_is_left_empty(self) -> None:
        self.storage.image("a")
        self.storage.image("b", "v1", name=OTHER)
        self.collect(UNTAGGED)
        self.assertEqual(os.listdir(self.storage.root + paths.REPOSITORIES), [OTHER])

    def test_unreadable_file(self) -> None:
        digest = self.storage.image("a")
        os.unlink(self.storage.root + paths.blob_data(digest))
        os.mkdir(self.storage.root + paths.blob_data(digest))
        self.assertEqual(self.collect().faults, 1)


class FilesUntaggedTests(UntaggedTests, InFilesCase):
    pass


class FilesFaultTests(FaultTests, InFilesCase):
    pass
