"""
Small images.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

from ..digest import Digest
from ..manifest import OCI_MANIFEST

_GZIP = b"\x1f\x8b"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar"


def make_layer(files: Mapping[str, bytes]) -> bytes:
    """A layer with these files, by path: a tar archive compressed by gzip, always the same for the same files."""
    return gzip.compress(make_archive(files), mtime=0)


def make_archive(files: Mapping[str, bytes]) -> bytes:
    """A tar archive of files, by path, always the same for the same files."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for path, content in files.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def make_config(layers: Sequence[bytes], members: Mapping[str, Any]) -> bytes:
    """The configuration of an image (image-spec, config.md)."""
    archives = [gzip.decompress(each) if _is_compressed(each) else each for each in layers]
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        **members,
        "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(each)) for each in archives]},
    }
    return json.dumps(document).encode("ascii")


def make_manifest(config: bytes, layers: Sequence[bytes]) -> dict[str, Any]:
    """The manifest of an image (image-spec, manifest.md)."""
    return {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": _descriptor(config, _CONFIG),
        "layers": [_descriptor(each, _LAYER + "+gzip" if _is_compressed(each) else _LAYER) for each in layers],
    }


def _is_compressed(layer: bytes) -> bool:
    return layer.startswith(_GZIP)


def _descriptor(content: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": str(Digest.of(content)), "size": len(content)}
