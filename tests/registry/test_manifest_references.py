"""Tests of :mod:`dregistry.registry.manifests`: what a manifest refers to, and what it may."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import Any

from dregistry.digest import Digest
from dregistry.errors import Denied, ManifestBlobUnknown, ManifestInvalid
from dregistry.manifest import OCI_INDEX, OCI_MANIFEST
from dregistry.registry import Settings
from dregistry.registry.validation import LIST, NONE, ManifestPolicy
from dregistry.storage import paths

from .support import CONFIG, LAYER, LAYER_TYPE, descriptor, image, index, origin
from .test_manifests import NAME, ManifestsCase

FOREIGN_TYPES = (
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
)
IMAGE = "application/vnd.oci.image.config.v1+json"
DOCKER_IMAGE = "application/vnd.docker.container.image.v1+json"
PLUGIN = "application/vnd.docker.plugin.v1+json"


class ReferencesTests(ManifestsCase):
    def missing(self, content: bytes, settings: Settings | None = None) -> list[str]:
        manifests = self.repository_of(settings or Settings()).manifests
        return list(self.refused(ManifestBlobUnknown, manifests.put(content, None, "v1")).digests)

    def test_all_that_are_missing(self) -> None:
        """Each once, in the order of the manifest."""
        self.push(b"there")
        content = image([b"one", b"there", b"two", b"one"])
        self.assertEqual(self.missing(content), [str(Digest.of(blob)) for blob in (CONFIG, b"one", b"two")])
        self.assertEqual(self.tree(paths.manifests(NAME)), {})
        self.assertNotIn(paths.blob_data(Digest.of(content)), self.tree())

    def test_of_another_repository(self) -> None:
        self.push_image("v1", self.registry.repository("other", origin))
        self.assertEqual(self.missing(image()), [str(Digest.of(blob)) for blob in (CONFIG, LAYER)])

    def test_link_without_content(self) -> None:
        self.blobs()
        self.do(self.driver.delete(paths.blob_data(Digest.of(LAYER))))
        self.assertEqual(self.missing(image()), [str(Digest.of(LAYER))])

    def test_alias_without_content(self) -> None:
        self.blobs()
        self.do(self.driver.delete(paths.blob_data(Digest.of(LAYER))))
        for target in (Digest.of(b"gone"), b"torn"):
            self.put(paths.layer_link(NAME, Digest.of(LAYER)), target)
            self.assertEqual(self.missing(image()), [str(Digest.of(LAYER))])

    def test_urls(self) -> None:
        """A layer that may not be distributed and is elsewhere need not be here."""
        self.push(CONFIG)
        urls = ["https://example.com/layer"]
        for number, foreign_type in enumerate(FOREIGN_TYPES):
            foreign = descriptor(b"foreign", foreign_type, urls=urls)
            self.do(self.manifests.put(image([foreign]), None, f"v{number}"))
            self.assertEqual(self.missing(image([descriptor(b"foreign", foreign_type)])), [str(Digest.of(b"foreign"))])
        ordinary = descriptor(b"ordinary", LAYER_TYPE, urls=urls)
        self.assertEqual(self.missing(image([ordinary])), [str(Digest.of(b"ordinary"))])

    def test_children(self) -> None:
        child = self.push_image("child")
        self.do(self.manifests.put(index(image()), None, "v1"))
        self.assertEqual(self.get("v1")[1], OCI_INDEX)
        self.do(self.manifests.delete(child))
        other = image(annotations={"a": "b"})
        self.assertEqual(self.missing(index(other, image())), [str(Digest.of(other)), str(child)])

    def test_child_must_be_a_manifest(self) -> None:
        """A blob of the same bytes is none."""
        self.push(image())
        self.assertEqual(self.missing(index(image())), [str(Digest.of(image()))])

    def test_empty_index(self) -> None:
        self.do(self.manifests.put(index(), None, "v1"))

    def test_children_that_the_policy_requires(self) -> None:
        amd64, arm64 = ({"architecture": name, "os": "linux"} for name in ("amd64", "arm64"))
        children = [descriptor(name, OCI_MANIFEST, platform=platform) for name, platform in
                    ((b"amd64", amd64), (b"arm64", arm64))]  # fmt: skip
        children.append(descriptor(b"none", OCI_MANIFEST))
        content = index(manifests=children)
        self.assertEqual(len(self.missing(content)), 3)
        listed = Settings(policy=ManifestPolicy(index_platforms=LIST, platforms=frozenset({("arm64", "linux")})))
        self.assertEqual(self.missing(content, listed), [str(Digest.of(b"arm64"))])
        none = Settings(policy=ManifestPolicy(index_platforms=NONE))
        self.do(self.repository_of(none).manifests.put(content, None, "v1"))

    def test_subject_may_be_missing(self) -> None:
        self.blobs()
        self.do(self.manifests.put(image(subject=descriptor(b"nobody", OCI_MANIFEST)), None, "v1"))


class PolicyTests(ManifestsCase):
    def setUp(self) -> None:
        super().setUp()
        self.blobs()

    def put_urls(self, urls: list[str], allow: str | None, deny: str | None) -> Coroutine[Any, Any, Any]:
        policy = ManifestPolicy(*((re.compile(text),) if text is not None else () for text in (allow, deny)))
        content = image([descriptor(b"foreign", FOREIGN_TYPES[0], urls=urls)])
        return self.repository_of(Settings(policy=policy)).manifests.put(content, None, "v1")

    def taken(self, url: str, allow: str | None = None, deny: str | None = None) -> None:
        self.do(self.put_urls([url], allow, deny))

    def refused_url(self, url: str, allow: str | None = None, deny: str | None = None) -> None:
        """Also beside one that is taken."""
        before = self.tree()
        self.refused(ManifestInvalid, self.put_urls([url], allow, deny))
        self.refused(ManifestInvalid, self.put_urls(["http://example.com/a", url], allow, deny))
        self.assertEqual(self.tree(), before)

    def test_taken(self) -> None:
        for url in ("http://example.com", "https://example.com:8080/a?b=c"):
            self.taken(url)

    def test_what_is_no_url(self) -> None:
        for url in (
            "",
            "example.com/a",
            "ftp://example.com/a",
            "http:///a",
            "http://a/b#c",
            "http://[a",
            "file:///etc",
        ):
            self.refused_url(url)

    def test_allow(self) -> None:
        self.taken("https://example.com/a", allow="example")
        self.refused_url("https://elsewhere.org/a", allow=r"example\.com/")

    def test_deny(self) -> None:
        self.taken("https://example.com/a", deny="elsewhere")
        self.refused_url("https://example.com/b", deny="b$")
        self.refused_url("https://example.com/b", allow="example", deny="b$")


class ClassTests(ManifestsCase):
    """``policy.repository.classes``, and the classes that a token is for."""

    def put(self, config_type: str, classes: set[str], granted: set[str] | None = None) -> Coroutine[Any, Any, Any]:
        self.blobs()
        content = image(config=descriptor(CONFIG, config_type))
        manifests = self.repository_of(Settings(policy=ManifestPolicy(classes=frozenset(classes)))).manifests
        return manifests.put(content, None, "v1", classes=granted)

    def test_taken(self) -> None:
        for config_type, classes, granted in (
            (IMAGE, {"image"}, None),
            (DOCKER_IMAGE, {"image", "plugin"}, {"image"}),
            (PLUGIN, {"plugin"}, {"plugin"}),
            (PLUGIN, set(), {"image"}),  # without the configuration's word, as with distribution
            ("application/x", set(), None),
        ):
            self.do(self.put(config_type, classes, granted))

    def test_denied(self) -> None:
        for config_type, classes, granted, reason in (
            (PLUGIN, {"image"}, None, "registry does not allow plugin manifest"),
            (IMAGE, {"plugin"}, {"image"}, "registry does not allow image manifest"),
            (PLUGIN, {"image", "plugin"}, {"image"}, "repository not authorized for plugin manifest"),
            (IMAGE, {"image"}, set(), "repository not authorized for image manifest"),
            ("application/x", {"image"}, None, "unknown manifest class for application/x"),
        ):
            error = self.refused(Denied, self.put(config_type, classes, granted))
            self.assertEqual(error.reason, reason)

    def test_an_index_has_none(self) -> None:
        settings = Settings(policy=ManifestPolicy(classes=frozenset({"image"})))
        self.do(self.repository_of(settings).manifests.put(index(), None, "v1"))
