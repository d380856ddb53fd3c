"""The ``storage`` section."""

from typing import ClassVar, Literal

from attrs import Factory, field, frozen

from dregistry.config._duration import Seconds
from dregistry.config._field import DriverSection, about, at_least

CacheKind = Literal["", "inmemory", "redis"]
_WEEK = Seconds(168 * 3600.0)
_DAY = Seconds(24 * 3600.0)


@frozen
class Delete:
    """``storage.delete``: whether clients may delete manifests and blobs."""

    enabled: bool = False


@frozen
class Redirect:
    """``storage.redirect``: whether content is always served here, even by a driver that could redirect."""

    disable: bool = False


@frozen
class Cache:
    """``storage.cache``: the cache of blob descriptors.

    :ivar blobdescriptor: ``""`` for no cache.
    :ivar layerinfo: the old name of ``blobdescriptor``; None once loaded.
    :ivar blobdescriptorsize: descriptors kept in memory, 0 for no bound.
    """

    blobdescriptor: CacheKind = ""
    layerinfo: CacheKind | None = None
    blobdescriptorsize: int = field(default=10000, metadata=about(check=at_least(0)))


@frozen
class UploadPurging:
    """``storage.maintenance.uploadpurging``: the removal of abandoned uploads.

    :ivar age: seconds from its begin after which an upload is abandoned.
    :ivar interval: seconds from the end of a round to the next.
    :ivar dryrun: only say what would be removed.
    """

    enabled: bool = True
    age: Seconds = _WEEK
    interval: Seconds = _DAY
    dryrun: bool = False


@frozen
class ReadOnly:
    """``storage.maintenance.readonly``: every write is answered 405."""

    enabled: bool = False


@frozen
class Maintenance:
    """``storage.maintenance``."""

    uploadpurging: UploadPurging = Factory(UploadPurging)
    readonly: ReadOnly = Factory(ReadOnly)


@frozen
class TagLookup:
    """``storage.tag``.

    :ivar concurrencylimit: tag links read at once to find the tags of a manifest, 0 for one a processor.
    """

    concurrencylimit: int = field(default=0, metadata=about(check=at_least(0)))


@frozen
class Storage(DriverSection):
    """``storage``: the one storage driver, its options, and what holds for any driver."""

    required: ClassVar[bool] = True

    cache: Cache = Factory(Cache)
    delete: Delete = Factory(Delete)
    maintenance: Maintenance = Factory(Maintenance)
    redirect: Redirect = Factory(Redirect)
    tag: TagLookup = Factory(TagLookup)
