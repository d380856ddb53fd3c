"""Referrers: ``/v2/<name>/referrers/<digest>`` (distribution-spec, end-12)."""

from __future__ import annotations

from ..digest import Digest
from ..manifest import OCI_INDEX
from ._api import Call

_LIMIT = 1000


async def listing(call: Call, digest: str) -> bytes:
    """An image index of the referrers, empty if there are none; ``n`` and ``last`` page through many."""
    subject = Digest.parse(digest)
    last = call.query("last")
    artifact_type = call.query("artifactType")
    asked = call.page_size()
    n = _LIMIT if asked is None else min(max(asked, 1), _LIMIT)
    page = await call.repository.referrers.page(subject, artifact_type, Digest.parse(last) if last else None, n)
    if artifact_type is not None:
        call.set_header(b"oci-filters-applied", b"artifactType")
    if page.last is not None:
        query: dict[str, str | int] = {"n": n, "last": str(page.last)}
        if artifact_type is not None:
            query["artifactType"] = artifact_type
        call.set_header(b"link", call.api.links.next_page(f"{call.name}/referrers/{subject}", query))
    return call.json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": page.descriptors}, OCI_INDEX)
