"""HTTP: a thin skin around the domain."""

from ._accesslog import AccessLog
from ._api import Api
from ._links import Links
from ._origin import TrustedProxies
from ._refusal import refusal
from ._transport import IEncrypting, send
from .site import RegistrySite

__all__ = ["AccessLog", "Api", "IEncrypting", "Links", "RegistrySite", "TrustedProxies", "refusal", "send"]
