"""HTTP: a thin skin around the domain."""

from ._accesslog import AccessLog
from ._api import Api
from ._links import Links
from .site import RegistrySite

__all__ = ["AccessLog", "Api", "Links", "RegistrySite"]
