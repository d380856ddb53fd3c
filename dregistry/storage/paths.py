"""
Where things are: the layout of distribution (registry:2 and 3), and the only module that knows it.

::

    /docker/registry/v2
        blobs/<algorithm>/<first two hex digits>/<hex>/data
        repositories/<name>
            _layers/<algorithm>/<hex>/link              the blob belongs to the repository
            _manifests
                revisions/<algorithm>/<hex>/link        the manifest belongs to the repository
                tags/<tag>/current/link                 what the tag points at
                tags/<tag>/index/<algorithm>/<hex>/link what it ever pointed at
            _uploads/<uuid>/data startedat              an upload session
                            progress                    (ours) digests of the bytes in data
            _referrers                                  (ours) see dregistry.registry.referrers
                subjects/<algorithm>/<hex>/<algorithm>/<hex>/descriptor
                scanned
        _dregistry                                      (ours) what no client is served
            quarantine/<algorithm>/<hex>/data           a blob that did not have its digest
            scrub                                       how far a scrub has come
            notifications                               the outbox, if no other folder is configured

A ``link`` file holds a digest. The bytes of manifests are blobs like any other.
"""

from __future__ import annotations

from ..digest import Digest

ROOT = "/docker/registry/v2"
REPOSITORIES = f"{ROOT}/repositories"
BLOBS = f"{ROOT}/blobs"
QUARANTINE = f"{ROOT}/_dregistry/quarantine"
SCRUB = f"{ROOT}/_dregistry/scrub"
NOTIFICATIONS = f"{ROOT}/_dregistry/notifications"
MANIFESTS_DIRECTORY = "_manifests"
"""The child that makes a directory below REPOSITORIES a repository with manifests."""


def blob_data(digest: Digest) -> str:
    return f"{blob(digest)}/data"


def blob(digest: Digest) -> str:
    """The directory of a blob's data."""
    return f"{BLOBS}/{digest.algorithm}/{digest.hex[:2]}/{digest.hex}"


def quarantined(digest: Digest) -> str:
    return f"{QUARANTINE}/{digest.algorithm}/{digest.hex}/data"


def repository(name: str) -> str:
    return f"{REPOSITORIES}/{name}"


def layers(name: str) -> str:
    """The directory of algorithms; below each, a directory for each blob's hex."""
    return f"{REPOSITORIES}/{name}/_layers"


def layer(name: str, digest: Digest) -> str:
    """The directory of a blob's link."""
    return f"{REPOSITORIES}/{name}/_layers/{digest.algorithm}/{digest.hex}"


def layer_link(name: str, digest: Digest) -> str:
    return f"{layer(name, digest)}/link"


def manifests(name: str) -> str:
    return f"{REPOSITORIES}/{name}/{MANIFESTS_DIRECTORY}"


def revisions(name: str) -> str:
    """The directory of algorithms; below each, a directory for each manifest's hex."""
    return f"{manifests(name)}/revisions"


def revision(name: str, digest: Digest) -> str:
    """The directory of a manifest's link."""
    return f"{revisions(name)}/{digest.algorithm}/{digest.hex}"


def revision_link(name: str, digest: Digest) -> str:
    return f"{revision(name, digest)}/link"


def tags(name: str) -> str:
    return f"{manifests(name)}/tags"


def tag(name: str, tag: str) -> str:
    return f"{tags(name)}/{tag}"


def tag_current_link(name: str, tag: str) -> str:
    return f"{tags(name)}/{tag}/current/link"


def tag_index(name: str, tag: str) -> str:
    """The directory of algorithms; below each, a directory for each manifest's hex."""
    return f"{tags(name)}/{tag}/index"


def tag_index_entry(name: str, tag: str, digest: Digest) -> str:
    """The directory of a link."""
    return f"{tag_index(name, tag)}/{digest.algorithm}/{digest.hex}"


def tag_index_link(name: str, tag: str, digest: Digest) -> str:
    return f"{tag_index_entry(name, tag, digest)}/link"


def uploads(name: str) -> str:
    return f"{REPOSITORIES}/{name}/_uploads"


def upload(name: str, uuid: str) -> str:
    return f"{uploads(name)}/{uuid}"


def upload_data(name: str, uuid: str) -> str:
    return f"{upload(name, uuid)}/data"


def upload_started_at(name: str, uuid: str) -> str:
    return f"{upload(name, uuid)}/startedat"


def upload_progress(name: str, uuid: str) -> str:
    return f"{upload(name, uuid)}/progress"


def referrers(name: str, subject: Digest) -> str:
    """The directory of algorithms; below each, a directory for each referrer's hex."""
    return f"{REPOSITORIES}/{name}/_referrers/subjects/{subject.algorithm}/{subject.hex}"


def referrer_descriptor(name: str, subject: Digest, referrer: Digest) -> str:
    return f"{referrers(name, subject)}/{referrer.algorithm}/{referrer.hex}/descriptor"


def referrers_scanned(name: str) -> str:
    return f"{REPOSITORIES}/{name}/_referrers/scanned"
