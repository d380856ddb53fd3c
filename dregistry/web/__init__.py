"""HTTP: a thin skin around the domain."""

from ._accesslog import AccessLog, RequestLog
from ._api import Api
from ._auditlog import AuditLog
from ._cors import Cors
from ._links import Links
from ._origin import TrustedProxies
from ._ratelimits import Bucket, RateLimits
from ._refusal import refusal
from ._responselog import ResponseLog
from ._transport import IEncrypting, send
from .site import CurrentFactory, RegistrySite

__all__ = [
    "AccessLog",
    "Api",
    "AuditLog",
    "Bucket",
    "Cors",
    "CurrentFactory",
    "IEncrypting",
    "Links",
    "RateLimits",
    "RegistrySite",
    "RequestLog",
    "ResponseLog",
    "TrustedProxies",
    "refusal",
    "send",
]
