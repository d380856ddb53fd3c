"""
The errors a registry answers with, one class per API code.

They are data: fields with types, no HTTP status (``dregistry.web`` owns the table of those) and no prose
beyond the message that the code always carries. :attr:`RegistryError.detail` is what clients get as
``detail``: JSON-ready, never a path of the storage.

See distribution-spec, "Error Codes"; codes that only distribution knows (RANGE_INVALID, TAG_INVALID,
PAGINATION_NUMBER_INVALID, UNAVAILABLE, UNKNOWN) keep its meaning.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, TypeAlias

from attrs import define

JSON: TypeAlias = "None | bool | int | float | str | Sequence[JSON] | dict[str, JSON]"


class RegistryError(Exception):
    """Base of all: ``code`` and ``message`` are constants of the class."""

    code: ClassVar[str] = "UNKNOWN"
    message: ClassVar[str] = "unknown error"

    @property
    def detail(self) -> JSON:
        """What tells this occurrence apart, JSON-ready; None when there is nothing to add."""
        return None

    def entries(self) -> Iterator[dict[str, JSON]]:
        """The members of ``errors`` in the answer: one, but for errors that report several faults at once."""
        entry: dict[str, JSON] = {"code": self.code, "message": self.message}
        if self.detail is not None:
            entry["detail"] = self.detail
        yield entry

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" + ("" if self.detail is None else f" ({self.detail})")


@define(str=False)
class _Explained(RegistryError):
    """An error whose detail is a sentence for a person."""

    reason: str | None = None

    @property
    def detail(self) -> JSON:
        return self.reason


@define(str=False)
class NameInvalid(_Explained):
    code = "NAME_INVALID"
    message = "invalid repository name"


@define(str=False)
class NameUnknown(RegistryError):
    code = "NAME_UNKNOWN"
    message = "repository name not known to registry"

    name: str

    @property
    def detail(self) -> JSON:
        return {"name": self.name}


@define(str=False)
class TagInvalid(_Explained):
    code = "TAG_INVALID"
    message = "manifest tag did not match URI"


@define(str=False)
class DigestInvalid(_Explained):
    code = "DIGEST_INVALID"
    message = "provided digest did not match uploaded content"


@define(str=False)
class SizeInvalid(_Explained):
    code = "SIZE_INVALID"
    message = "provided length did not match content length"


@define(str=False)
class BlobUnknown(RegistryError):
    code = "BLOB_UNKNOWN"
    message = "blob unknown to registry"

    digest: str

    @property
    def detail(self) -> JSON:
        return self.digest


@define(str=False)
class BlobUploadUnknown(RegistryError):
    code = "BLOB_UPLOAD_UNKNOWN"
    message = "blob upload unknown to registry"

    uuid: str

    @property
    def detail(self) -> JSON:
        return {"uuid": self.uuid}


@define(str=False)
class BlobUploadInvalid(_Explained):
    code = "BLOB_UPLOAD_INVALID"
    message = "blob upload invalid"


@define(str=False)
class RangeInvalid(_Explained):
    """
    A range that does not fit.

    :ivar size: of the blob that is read; None for an upload.
    :ivar upload: uuid of the upload session that is written; None for a blob.
    :ivar offset: the bytes that this session holds: its next chunk starts there.
    """

    code = "RANGE_INVALID"
    message = "invalid content range"

    size: int | None = None
    upload: str | None = None
    offset: int = 0


@define(str=False)
class ManifestUnknown(RegistryError):
    code = "MANIFEST_UNKNOWN"
    message = "manifest unknown"

    name: str
    reference: str
    reason: str | None = None

    @property
    def detail(self) -> JSON:
        found: dict[str, JSON] = {"name": self.name, "reference": self.reference}
        return found if self.reason is None else {**found, "reason": self.reason}


@define(str=False)
class ManifestInvalid(_Explained):
    code = "MANIFEST_INVALID"
    message = "manifest invalid"


@define(str=False)
class ManifestTooLarge(RegistryError):
    code = "MANIFEST_INVALID"
    message = "manifest invalid"

    limit: int

    @property
    def detail(self) -> JSON:
        return f"the manifest is larger than this registry's limit of {self.limit} bytes"


@define(str=False)
class ManifestBlobUnknown(RegistryError):
    """A manifest refers to content that its repository does not hold: every missing digest is reported."""

    code = "MANIFEST_BLOB_UNKNOWN"
    message = "blob unknown to registry"

    digests: Sequence[str]

    @property
    def detail(self) -> JSON:
        return list(self.digests)

    def entries(self) -> Iterator[dict[str, JSON]]:
        for digest in self.digests:
            yield {"code": self.code, "message": self.message, "detail": digest}


@define(str=False)
class TooManyTags(_Explained):
    """More ``tag`` parameters on one manifest PUT than the registry takes (distribution-spec, end-7b)."""

    code = "TAG_INVALID"
    message = "too many tags in one request"


@define(str=False)
class PaginationNumberInvalid(RegistryError):
    """:ivar n: the number asked for, as an int where it is one."""

    code = "PAGINATION_NUMBER_INVALID"
    message = "invalid number of results requested"

    n: int | str

    @property
    def detail(self) -> JSON:
        return {"n": self.n}


@define(str=False)
class PreconditionFailed(_Explained):
    code = "DENIED"
    message = "precondition failed"


@define(str=False)
class Unauthorized(RegistryError):
    """
    :ivar challenges: values of ``WWW-Authenticate``, for a header each.
    :ivar accesses: what was asked for, each as distribution lists it.
    """

    code = "UNAUTHORIZED"
    message = "authentication required"

    challenges: Sequence[str] = ()
    accesses: Sequence[dict[str, JSON]] = ()

    @property
    def detail(self) -> JSON:
        return list(self.accesses) or None

    def entries(self) -> Iterator[dict[str, JSON]]:
        """With a ``detail`` even if nothing was asked for: distribution says null then."""
        yield {"code": self.code, "message": self.message, "detail": self.detail}


@define(str=False)
class Denied(_Explained):
    code = "DENIED"
    message = "requested access to the resource is denied"

    actor: str = ""
    """The user to whom it is denied, for the logs."""


@define(str=False)
class Unsupported(_Explained):
    """
    :ivar allow: the methods that the resource does support; none to leave it to whoever knows them.
    :ivar retry_after: seconds after which it may be supported again; None if that is not to be expected.
    """

    code = "UNSUPPORTED"
    message = "The operation is unsupported."

    allow: Sequence[str] = ()
    retry_after: int | None = None


@define(str=False)
class TooManyRequests(_Explained):
    """:ivar retry_after: seconds after which the client may try again."""

    code = "TOOMANYREQUESTS"
    message = "too many requests"

    retry_after: int = 1


@define(str=False)
class BadRequest(_Explained):
    """A request that cannot be understood, where no code of the API fits better."""

    code = "UNSUPPORTED"
    message = "the request is malformed"


@define(str=False)
class RouteUnknown(_Explained):
    code = "UNSUPPORTED"
    message = "no such endpoint"


@define(str=False)
class Unavailable(_Explained):
    """The storage cannot serve now: full, unreachable, shutting down. Trying again later may help."""

    code = "UNAVAILABLE"
    message = "service unavailable"


@define(str=False)
class ClientDisconnected(RegistryError):
    """The peer went away in the middle of its request; nobody reads the answer."""

    code = "UNKNOWN"
    message = "client disconnected"
