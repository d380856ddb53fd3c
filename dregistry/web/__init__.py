"""HTTP: a thin skin around the domain."""

from ._accesslog import AccessLog
from ._api import Api
from ._links import Links
from ._origin import TrustedProxies
from .site import CurrentSite, RegistrySite

__all__ = ["AccessLog", "Api", "CurrentSite", "Links", "RegistrySite", "TrustedProxies"]
