"""
What a manifest may refer to: distribution's ``validation`` section.
"""

from __future__ import annotations

import re
from collections.abc import Container
from urllib.parse import urlsplit

from attrs import frozen

from ..errors import Denied, ManifestInvalid
from ..manifest import NONDISTRIBUTABLE_TYPES, Descriptor, Manifest

_CLASSES = {
    "application/vnd.oci.image.config.v1+json": "image",
    "application/vnd.docker.container.image.v1+json": "image",
    "application/vnd.docker.plugin.v1+json": "plugin",
}
"""Classes of content by the media type of a manifest's config, as distribution has them."""

ALL = "all"
NONE = "none"
LIST = "list"


@frozen
class ManifestPolicy:
    """
    :ivar allow: URLs of a layer must match one of these, if there are any. (Distribution allows no URL when none is
        configured; the OCI conformance suite wants images with such layers to be taken.)
    :ivar deny: and none of these.
    :ivar index_platforms: which children of an index must be present: ALL, NONE, or those in ``platforms`` (LIST).
    :ivar platforms: (architecture, os) pairs.
    :ivar classes: of content that may be pushed; none for all.
    """

    allow: tuple[re.Pattern[str], ...] = ()
    deny: tuple[re.Pattern[str], ...] = ()
    index_platforms: str = ALL
    platforms: frozenset[tuple[str, str]] = frozenset()
    classes: frozenset[str] = frozenset()

    def check(self, manifest: Manifest, granted: Container[str] | None = None) -> None:
        """
        :param granted: classes of content that the client may push to this repository; None for all.
        :raise ManifestInvalid: if a layer names a URL that is not allowed.
        :raise Denied: if the content is of a class that is not allowed.
        """
        if self.classes and manifest.blobs:
            self._check_class(manifest.blobs[0].media_type, granted)
        for descriptor in manifest.blobs:
            for url in descriptor.urls:
                self._check_url(url)

    def _check_class(self, config_type: str, granted: Container[str] | None) -> None:
        class_ = _CLASSES.get(config_type)
        if class_ is None:
            raise Denied(f"unknown manifest class for {config_type}")
        if class_ not in self.classes:
            raise Denied(f"registry does not allow {class_} manifest")
        if granted is not None and class_ not in granted:
            raise Denied(f"repository not authorized for {class_} manifest")

    def _check_url(self, url: str) -> None:
        try:
            parts = urlsplit(url)
        except ValueError:
            raise ManifestInvalid(f"not a URL: {url[:160]!r}") from None
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.fragment:
            raise ManifestInvalid(f"a layer's URL is http or https, without a fragment: {url[:160]!r}")
        allowed = not self.allow or any(pattern.search(url) for pattern in self.allow)
        if not allowed or any(pattern.search(url) for pattern in self.deny):
            raise ManifestInvalid(f"this registry's validation.manifests.urls do not allow {url[:160]!r}")

    def requires_blob(self, blob: Descriptor) -> bool:
        """Whether that blob of a manifest must be in the repository: all but layers that may not be distributed."""
        return not (blob.urls and blob.media_type in NONDISTRIBUTABLE_TYPES)

    def requires_child(self, child: Descriptor) -> bool:
        """Whether that child of an index must be in the repository."""
        if self.index_platforms == LIST:
            return (child.platform.get("architecture"), child.platform.get("os")) in self.platforms
        return self.index_platforms != NONE
