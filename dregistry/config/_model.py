"""The whole configuration: one frozen class a section, attribute names are the YAML keys.

Times are float seconds, lists are tuples. The classes hold values only; :mod:`dregistry.config._load` fills
them.
"""

import re
from typing import Literal

from attrs import Factory, field, frozen

from dregistry.config._field import about, at_least, audit_file, paths
from dregistry.config._model_auth import Auth
from dregistry.config._model_http import Http
from dregistry.config._model_notifications import Notifications
from dregistry.config._model_services import (
    Compatibility,
    Health,
    Middlewares,
    Policy,
    Proxy,
    Redis,
    Reporting,
)
from dregistry.config._model_storage import Storage

Level = Literal["error", "warn", "info", "debug"]

_PAGE = 1000


def _page(count: int) -> int:
    """Read zero and below as the default page, as distribution does."""
    return count if count > 0 else _PAGE


@frozen
class AccessLog:
    """``log.accesslog``.

    :ivar skip: (dregistry's own) paths of which requests are not logged.
    """

    disabled: bool = False
    skip: tuple[str, ...] = field(default=("/", "/livez", "/readyz"), metadata=about(check=paths))


@frozen
class Audit:
    """``log.audit`` (dregistry's own): a line of JSON for each write, done or refused.

    :ivar file: its path, ``-`` for the log, ``""`` for nowhere.
    """

    file: str = field(default="", metadata=about(check=audit_file))


@frozen
class Smtp:
    """``log.hooks[].options.smtp``."""

    addr: str = ""
    username: str = ""
    password: str = ""
    insecure: bool = False


@frozen
class MailOptions:
    """``log.hooks[].options``."""

    smtp: Smtp = Factory(Smtp)
    from_: str = field(default="", metadata=about(name="from"))
    to: tuple[str, ...] = ()


@frozen
class LogHook:
    """``log.hooks[]``: a mail for log lines of some levels."""

    disabled: bool = False
    type: str = ""
    levels: tuple[str, ...] = ()
    options: MailOptions = field(factory=MailOptions, metadata=about(go="MailOptions"))


@frozen
class Log:
    """``log``.

    :ivar fields: added to every line.
    :ivar reportcaller: name the place in the source in every line.
    :ivar responses: (dregistry's own) which requests have a line here, beside the access log: those that failed, or all
        as in distribution.
    """

    level: Level = "info"
    formatter: Literal["text", "json", "logstash"] = "text"
    fields: dict[str, object] = Factory(dict)
    accesslog: AccessLog = Factory(AccessLog)
    reportcaller: bool = False
    hooks: tuple[LogHook, ...] = ()
    responses: Literal["failed", "all"] = "failed"
    audit: Audit = Factory(Audit)


@frozen
class Catalog:
    """``catalog``: the most names in one answer of ``/v2/_catalog``, from 1 on."""

    maxentries: int = field(default=_PAGE, converter=_page)


@frozen
class Tags:
    """``tags``: the most names in one answer of a tag list, from 1 on."""

    maxtags: int = field(default=_PAGE, converter=_page)


@frozen
class Urls:
    """``validation.manifests.urls``: expressions searched for in the URLs of a pushed manifest, unanchored.

    Both empty means that any URL is taken; distribution would refuse all, and fail the OCI conformance suite so.
    """

    allow: tuple[re.Pattern[str], ...] = ()
    deny: tuple[re.Pattern[str], ...] = ()


@frozen
class Platform:
    """``validation.manifests.indexes.platformlist[]``."""

    architecture: str = ""
    os: str = ""


@frozen
class Indexes:
    """``validation.manifests.indexes``: which children of a pushed index must exist.

    :ivar platformlist: those of ``platforms: list``.
    """

    platforms: Literal["all", "none", "list"] = "all"
    platformlist: tuple[Platform, ...] = ()


@frozen
class Manifests:
    """``validation.manifests``."""

    urls: Urls = Factory(Urls)
    indexes: Indexes = Factory(Indexes)


@frozen
class Validation:
    """``validation``.

    :ivar enabled: registry:2's opposite of ``disabled``, without effect.
    :ivar disabled: check nothing of the rest of this section.
    """

    enabled: bool | None = None
    disabled: bool = False
    manifests: Manifests = Factory(Manifests)


@frozen
class Limits:
    """``limits`` (dregistry's own): what a client may ask for.

    :ivar manifestbytes: bytes of the largest manifest.
    :ivar tagsperput: tags that one push of a manifest may set.
    """

    manifestbytes: int = field(default=4 * 1024 * 1024, metadata=about(check=at_least(1)))
    tagsperput: int = field(default=32, metadata=about(check=at_least(1)))


@frozen
class Compat:
    """``compat`` (dregistry's own): departures from what clients of distribution are used to.

    :ivar strictaccept: answer 404 when a manifest's type is not among those the client accepts.
    """

    strictaccept: bool = False


@frozen
class Configuration:
    """A whole configuration, ready for use: every default is filled in.

    :ivar version: of the file's format, always ``0.1``.
    :ivar loglevel: the old name of ``log.level``; None once loaded.
    """

    version: str = field(default="0.1", metadata=about(fixed=True))
    log: Log = Factory(Log)
    loglevel: Level | None = None
    storage: Storage = Factory(Storage)
    auth: Auth = Factory(Auth)
    middleware: Middlewares = Factory(Middlewares)
    reporting: Reporting = Factory(Reporting)
    http: Http = Factory(Http)
    notifications: Notifications = Factory(Notifications)
    redis: Redis = Factory(Redis)
    health: Health = Factory(Health)
    catalog: Catalog = Factory(Catalog)
    tags: Tags = Factory(Tags)
    proxy: Proxy = Factory(Proxy)
    validation: Validation = Factory(Validation)
    policy: Policy = Factory(Policy)
    compatibility: Compatibility = Factory(Compatibility)
    limits: Limits = Factory(Limits)
    compat: Compat = Factory(Compat)
