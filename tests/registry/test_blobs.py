"""Tests of :mod:`dregistry.registry.blobs`."""

from __future__ import annotations

import os

from dregistry.digest import Digest
from dregistry.errors import BlobUnknown, Unsupported
from dregistry.registry import Registry, Repository, Settings
from dregistry.storage import paths

from ..storage.support import inline_driver, temporary_directory
from .support import RegistryCase, content_of, descriptor, image, origin, push_blob

NAME = "some/repo"


def anybody(name: str) -> bool:
    return True


class BlobsCase(RegistryCase):
    def other(self, name: str = "other") -> Repository:
        return self.registry.repository(name, origin)


class ReadingTests(BlobsCase):
    def test_stat(self) -> None:
        digest = self.push(b"abc")
        found = self.do(self.repository.blobs.stat(digest))
        self.assertEqual((found.digest, found.size, found.media_type), (digest, 3, "application/octet-stream"))

    def test_unknown(self) -> None:
        digest = Digest.of(b"abc")
        for call in (self.repository.blobs.stat, self.repository.blobs.open, self.repository.blobs.delete):
            self.assertEqual(self.refused(BlobUnknown, call(digest)).digest, str(digest))

    def test_of_another_repository(self) -> None:
        """What a repository does not link it does not have, wherever else the bytes are."""
        digest = self.push(b"abc", repository=self.other())
        self.refused(BlobUnknown, self.repository.blobs.stat(digest))
        self.refused(BlobUnknown, self.repository.blobs.open(digest))

    def test_link_without_content(self) -> None:
        """As after somebody's garbage collection."""
        digest = self.push(b"abc")
        self.do(self.driver.delete(paths.blob_data(digest)))
        self.refused(BlobUnknown, self.repository.blobs.stat(digest))
        self.refused(BlobUnknown, self.repository.blobs.open(digest))

    def test_torn_link(self) -> None:
        digest = self.push(b"abc")
        for torn in (b"", b"sha256:", b"\xff", b"sha256:" + b"g" * 64):
            self.put(paths.layer_link(NAME, digest), torn)
            self.refused(BlobUnknown, self.repository.blobs.stat(digest))

    def test_pushed_again_over_a_torn_link(self) -> None:
        digest = self.push(b"abc")
        self.put(paths.layer_link(NAME, digest), b"")
        self.push(b"abc")
        self.assertEqual(self.do(content_of(self.repository, digest)), b"abc")

    def test_part(self) -> None:
        digest = self.push(b"0123456789")
        blob = self.do(self.repository.blobs.open(digest))

        async def part(offset: int, length: int) -> bytes:
            return b"".join([piece async for piece in blob.chunks(offset, length)])

        self.assertEqual(blob.size, 10)
        self.assertIsNone(blob.file)
        for offset, length in ((0, 10), (3, 4), (9, 1), (10, 0), (0, 0)):
            self.assertEqual(self.do(part(offset, length)), b"0123456789"[offset : offset + length])
        blob.close()

    def test_local_file(self) -> None:
        """With a driver of local files a large blob is open; deleting it then does not tear it."""
        driver = inline_driver(temporary_directory(self))
        repository = Registry(self.core(driver=driver)).repository(NAME, origin)
        content = b"0123" * (1 << 15)
        digest = self.do(push_blob(repository, content))
        blob = self.do(repository.blobs.open(digest))
        self.do(driver.delete(paths.blob_data(digest)))
        assert blob.file is not None
        self.assertEqual((blob.size, os.pread(blob.file.fileno(), 4, 4)), (len(content), b"0123"))
        blob.close()
        self.assertTrue(blob.file.closed)
        self.refused(BlobUnknown, repository.blobs.open(digest))

    def test_small_once_read(self) -> None:
        """It is remembered, but whether the repository still has it is asked each time."""
        digest = self.push(b"abc")
        self.do(self.repository.blobs.open(digest))
        self.do(self.driver.delete(paths.blob_data(digest)))
        self.assertEqual(self.do(content_of(self.repository, digest)), b"abc")
        self.refused(BlobUnknown, self.other().blobs.open(digest))
        self.do(self.driver.delete(paths.layer(NAME, digest)))
        self.refused(BlobUnknown, self.repository.blobs.open(digest))

    def test_large_in_pieces(self) -> None:
        content = b"0123456789" * 300_000
        digest = self.push(content)
        self.assertEqual(self.do(content_of(self.repository, digest)), content)


class AliasTests(BlobsCase):
    """Distribution stores a blob that was pushed by sha512 under its sha256; the link says so."""

    def setUp(self) -> None:
        super().setUp()
        self.digest = Digest.of(b"abc", "sha512")
        self.put(paths.blob_data(Digest.of(b"abc")), b"abc")
        self.put(paths.layer_link(NAME, self.digest), Digest.of(b"abc"))

    def test_read(self) -> None:
        found = self.do(self.repository.blobs.stat(self.digest))
        self.assertEqual((found.digest, found.size), (self.digest, 3))
        self.assertEqual(self.do(content_of(self.repository, self.digest)), b"abc")

    def test_mounted(self) -> None:
        self.do(self.other().blobs.mount(self.digest, NAME))
        self.assertEqual(self.do(content_of(self.other(), self.digest)), b"abc")

    def test_a_manifest_may_refer_to_it(self) -> None:
        self.push(b"{}")
        content = image((descriptor(b"abc", "application/octet-stream", "sha512"),))
        self.do(self.repository.manifests.put(content, None, "latest"))

    def test_deleted(self) -> None:
        self.do(self.repository.blobs.delete(self.digest))
        self.refused(BlobUnknown, self.repository.blobs.stat(self.digest))
        self.assertIn(paths.blob_data(Digest.of(b"abc")), self.tree())


class DeletingTests(BlobsCase):
    def test_delete(self) -> None:
        """Only here, and only the link: the bytes are garbage collection's."""
        digest = self.push(b"abc")
        self.push(b"abc", repository=self.other())
        self.do(self.repository.blobs.delete(digest))
        self.refused(BlobUnknown, self.repository.blobs.stat(digest))
        self.refused(BlobUnknown, self.repository.blobs.delete(digest))
        self.assertEqual(self.do(content_of(self.other(), digest)), b"abc")

    def test_disabled(self) -> None:
        digest = self.push(b"abc")
        self.refused(Unsupported, self.repository_of(Settings()).blobs.delete(digest))
        self.do(self.repository.blobs.stat(digest))


class MountTests(BlobsCase):
    def test_mount(self) -> None:
        digest = self.push(b"abc")
        found = self.do(self.other().blobs.mount(digest, NAME))
        self.assertEqual((found.digest, found.size), (digest, 3))
        self.assertEqual(self.do(content_of(self.other(), digest)), b"abc")
        self.do(self.repository.blobs.delete(digest))
        self.assertEqual(self.do(content_of(self.other(), digest)), b"abc")

    def test_onto_itself(self) -> None:
        digest = self.push(b"abc")
        self.do(self.repository.blobs.mount(digest, NAME))
        self.assertEqual(self.do(content_of(self.repository, digest)), b"abc")

    def test_source_has_none(self) -> None:
        self.push(b"abc")
        for name in ("other", "some", "some/repo/below"):
            self.refused(BlobUnknown, self.other("third").blobs.mount(Digest.of(b"abc"), name))
        self.assertEqual(self.tree(paths.repository("third")), {})

    def test_from_any(self) -> None:
        digest = self.push(b"abc", repository=self.other("z/deep/down"))
        self.push(b"else", repository=self.other("a"))
        found = self.do(self.repository.blobs.mount_from_any(digest, anybody))
        self.assertEqual((found.digest, found.size), (digest, 3))
        self.assertEqual(self.heard.take()[-1].from_repository, "z/deep/down")
        self.assertEqual(self.do(content_of(self.repository, digest)), b"abc")

    def test_from_any_that_may_be_pulled_from(self) -> None:
        """What a client may not pull it does not get by a mount."""
        digest = self.push(b"abc", repository=self.other("secret"))
        self.push(b"abc", repository=self.other("shown"))
        asked = []

        def may_pull(name: str) -> bool:
            asked.append(name)
            return name == "shown"

        self.do(self.repository.blobs.mount_from_any(digest, may_pull))
        self.assertEqual(asked, ["secret", "shown"])
        self.assertEqual(self.heard.take()[-1].from_repository, "shown")

    def test_from_none(self) -> None:
        digest = self.push(b"abc", repository=self.other("secret"))

        def nobody(name: str) -> bool:
            return False

        self.refused(BlobUnknown, self.repository.blobs.mount_from_any(digest, nobody))
        self.refused(BlobUnknown, self.repository.blobs.mount_from_any(Digest.of(b"no"), anybody))
        self.refused(BlobUnknown, self.repository.blobs.stat(digest))

    def test_from_any_of_many(self) -> None:
        """Beyond the first page of repositories; not beyond all bounds."""
        digest = Digest.of(b"abc")
        self.put(paths.blob_data(digest), b"abc")
        for number in range(300):
            self.put(paths.layer_link(f"r{number:03}", Digest.of(b"else")), Digest.of(b"else"))
        self.put(paths.layer_link("r299", digest), digest)
        self.do(self.repository.blobs.mount_from_any(digest, anybody))
        self.assertEqual(self.heard.take()[-1].from_repository, "r299")
