"""
Tests of :mod:`dregistry.storage.paths`: the paths of distribution (``registry/storage/paths.go``), as literal strings.
A registry's existing directory depends on every character of them.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from dregistry.digest import Digest
from dregistry.storage import paths
from dregistry.storage._path import check_path

SHA256 = Digest.parse("sha256:abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789")
SHA512 = Digest.parse("sha512:" + "0123456789abcdef" * 8)
HEX = "abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789"
UUID = "0d2d4d7e-8f5f-4c0b-9d0c-6a8f4f0f6a5e"
REPOSITORY = "/docker/registry/v2/repositories/foo/bar"


class LayoutTests(SynchronousTestCase):
    def test_distribution(self) -> None:
        for found, expected in (
            (paths.blob_data(SHA256), f"/docker/registry/v2/blobs/sha256/ab/{HEX}/data"),
            (paths.blob_data(SHA512), f"/docker/registry/v2/blobs/sha512/01/{'0123456789abcdef' * 8}/data"),
            (paths.REPOSITORIES, "/docker/registry/v2/repositories"),
            (paths.repository("foo/bar"), REPOSITORY),
            (paths.layer_link("foo/bar", SHA256), f"{REPOSITORY}/_layers/sha256/{HEX}/link"),
            (paths.manifests("foo/bar"), f"{REPOSITORY}/_manifests"),
            (paths.revisions("foo/bar"), f"{REPOSITORY}/_manifests/revisions"),
            (paths.revision_link("foo/bar", SHA256), f"{REPOSITORY}/_manifests/revisions/sha256/{HEX}/link"),
            (paths.tags("foo/bar"), f"{REPOSITORY}/_manifests/tags"),
            (paths.tag("foo/bar", "v1.0"), f"{REPOSITORY}/_manifests/tags/v1.0"),
            (paths.tag_current_link("foo/bar", "v1.0"), f"{REPOSITORY}/_manifests/tags/v1.0/current/link"),
            (
                paths.tag_index_link("foo/bar", "v1.0", SHA256),
                f"{REPOSITORY}/_manifests/tags/v1.0/index/sha256/{HEX}/link",
            ),
            (paths.upload_data("foo/bar", UUID), f"{REPOSITORY}/_uploads/{UUID}/data"),
            (paths.upload_started_at("foo/bar", UUID), f"{REPOSITORY}/_uploads/{UUID}/startedat"),
        ):
            self.assertEqual(found, expected)

    def test_directories_of_links(self) -> None:
        self.assertEqual(paths.layer_link("foo/bar", SHA256), paths.layer("foo/bar", SHA256) + "/link")
        self.assertEqual(paths.revision_link("foo/bar", SHA256), paths.revision("foo/bar", SHA256) + "/link")
        self.assertEqual(paths.upload_data("foo/bar", UUID), paths.upload("foo/bar", UUID) + "/data")

    def test_ours(self) -> None:
        """What distribution does not know is where it does not look."""
        self.assertEqual(paths.upload_progress("foo/bar", UUID), f"{REPOSITORY}/_uploads/{UUID}/progress")
        self.assertEqual(paths.referrers_scanned("foo/bar"), f"{REPOSITORY}/_referrers/scanned")
        expected = f"{REPOSITORY}/_referrers/subjects/sha256/{HEX}/sha512/{SHA512.hex}/descriptor"
        self.assertEqual(paths.referrer_descriptor("foo/bar", SHA256, SHA512), expected)
        self.assertTrue(expected.startswith(paths.referrers("foo/bar", SHA256) + "/"))

    def test_longest(self) -> None:
        """The longest name, tag and digests that the API takes make paths that every driver takes."""
        name, tag = "a" * 255, "b" * 128
        for path in (
            paths.tag_index_link(name, tag, SHA512),
            paths.tag_current_link(name, tag),
            paths.referrer_descriptor(name, SHA512, SHA512),
            paths.layer_link(name, SHA512),
            paths.upload_progress(name, UUID),
            paths.blob_data(SHA512),
        ):
            self.assertEqual(check_path(path), path)
