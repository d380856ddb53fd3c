"""
The media types of stored manifests.
"""

from __future__ import annotations

from collections import OrderedDict

from ..digest import Digest
from ..manifest import parse_manifest


class MediaTypes:
    """
    The media type of a manifest's bytes, remembered by digest: content that cannot change.
    """

    def __init__(self, limit: int = 10_000) -> None:
        self._limit = limit
        self._known: OrderedDict[Digest, str] = OrderedDict()

    def known(self, digest: Digest) -> str | None:
        return self._known.get(digest)

    def of(self, digest: Digest, content: bytes) -> str:
        """:raise ManifestInvalid: if the bytes are no manifest that this registry knows."""
        known = self.known(digest)
        if known is None:
            known = self._known[digest] = parse_manifest(content, None).media_type
            if len(self._known) > self._limit:
                self._known.popitem(last=False)
        return known
