"""The sections of what stands beside the registry: redis, health, proxy and the like."""

from attrs import Factory, field, frozen

from dregistry.config._duration import Seconds
from dregistry.config._field import about

_UNSET = Seconds(0.0)
_TEN_SECONDS = Seconds(10.0)


@frozen
class RedisTls:
    """``redis.tls``; ``enabled`` is registry:2's only key, the others are registry:3's."""

    enabled: bool = False
    certificate: str = ""
    key: str = ""
    clientcas: tuple[str, ...] = ()
    rootcas: tuple[str, ...] = ()


@frozen
class RedisPool:
    """``redis.pool``, as of registry:2; ``idletimeout`` in seconds."""

    maxidle: int = 0
    maxactive: int = 0
    idletimeout: Seconds = _UNSET


@frozen
class Redis:
    """``redis``: the connection of registry:2 (``addr``, ``pool``) or of registry:3 (the rest).

    Times are in seconds; zero leaves the choice to the client.
    """

    addr: str = ""
    pool: RedisPool = Factory(RedisPool)
    addrs: tuple[str, ...] = ()
    clientname: str = ""
    db: int = 0
    protocol: int = 0
    username: str = ""
    password: str = ""
    sentinelusername: str = ""
    sentinelpassword: str = ""
    maxretries: int = 0
    minretrybackoff: Seconds = _UNSET
    maxretrybackoff: Seconds = _UNSET
    dialtimeout: Seconds = _UNSET
    readtimeout: Seconds = _UNSET
    writetimeout: Seconds = _UNSET
    contexttimeoutenabled: bool = False
    poolfifo: bool = False
    poolsize: int = 0
    pooltimeout: Seconds = _UNSET
    minidleconns: int = 0
    maxidleconns: int = 0
    maxactiveconns: int = 0
    connmaxidletime: Seconds = _UNSET
    connmaxlifetime: Seconds = _UNSET
    maxredirects: int = 0
    readonly: bool = False
    routebylatency: bool = False
    routerandomly: bool = False
    mastername: str = ""
    disableidentity: bool = False
    identitysuffix: str = ""
    unstableresp3: bool = False
    tls: RedisTls = Factory(RedisTls)


@frozen
class StorageDriverCheck:
    """``health.storagedriver``: seconds between checks, failures in a row that count."""

    enabled: bool = False
    interval: Seconds = _TEN_SECONDS
    threshold: int = 1


@frozen
class FileCheck:
    """``health.file[]``: ill while the file exists."""

    file: str = ""
    interval: Seconds = _TEN_SECONDS
    threshold: int = 1


@frozen
class HttpCheck:
    """``health.http[]``: ill unless HEAD of ``uri`` is answered ``statuscode`` within ``timeout`` seconds."""

    uri: str = ""
    headers: dict[str, list[str]] = Factory(dict)
    statuscode: int = 200
    timeout: Seconds = _UNSET
    interval: Seconds = _TEN_SECONDS
    threshold: int = 1


@frozen
class TcpCheck:
    """``health.tcp[]``: ill when ``addr`` cannot be reached within ``timeout`` seconds."""

    addr: str = ""
    timeout: Seconds = _UNSET
    interval: Seconds = _TEN_SECONDS
    threshold: int = 1


@frozen
class Health:
    """``health``."""

    storagedriver: StorageDriverCheck = Factory(StorageDriverCheck)
    file: tuple[FileCheck, ...] = field(default=(), metadata=about(go="FileCheckers"))
    http: tuple[HttpCheck, ...] = field(default=(), metadata=about(go="HTTPCheckers"))
    tcp: tuple[TcpCheck, ...] = field(default=(), metadata=about(go="TCPCheckers"))


@frozen
class ProxyExec:
    """``proxy.exec``: a credential helper; ``lifetime`` in seconds, None to run it once, 0 each time."""

    command: str = ""
    lifetime: Seconds | None = None


@frozen
class Proxy:
    """``proxy``: pull-through from another registry.

    :ivar ttl: seconds that cached content lives, None for 168 hours, 0 for ever.
    :ivar cachewritetimeout: seconds a write to the cache may outlast its client, None for the default.
    :ivar upstreams: several upstreams, raw.
    """

    remoteurl: str = ""
    username: str = ""
    password: str = ""
    exec: ProxyExec | None = None
    ttl: Seconds | None = None
    cachewritetimeout: Seconds | None = None
    remotenamespace: str = ""
    upstreams: tuple[dict[str, object], ...] = ()


@frozen
class Middleware:
    """``middleware.{registry,repository,storage}[]``: one wrapper and its options, raw."""

    name: str = ""
    disabled: bool = False
    options: dict[str, object] = Factory(dict)


@frozen
class Middlewares:
    """``middleware``: wrappers by what they wrap, the innermost first."""

    registry: tuple[Middleware, ...] = ()
    repository: tuple[Middleware, ...] = ()
    storage: tuple[Middleware, ...] = ()


@frozen
class Bugsnag:
    """``reporting.bugsnag``."""

    apikey: str = ""
    releasestage: str = ""
    endpoint: str = ""


@frozen
class NewRelic:
    """``reporting.newrelic``."""

    licensekey: str = ""
    name: str = ""
    verbose: bool = False


@frozen
class Reporting:
    """``reporting``, as of registry:2."""

    bugsnag: Bugsnag = Factory(Bugsnag)
    newrelic: NewRelic = Factory(NewRelic)


@frozen
class RepositoryPolicy:
    """``policy.repository``: the classes of content that are allowed, none for all."""

    classes: tuple[str, ...] = ()


@frozen
class Policy:
    """``policy``."""

    repository: RepositoryPolicy = Factory(RepositoryPolicy)


@frozen
class Schema1:
    """``compatibility.schema1``, as of registry:2."""

    signingkeyfile: str = field(default="", metadata=about(go="TrustKey"))
    enabled: bool = False


@frozen
class Compatibility:
    """``compatibility``, as of registry:2."""

    schema1: Schema1 = Factory(Schema1)
