"""The configuration file: distribution's YAML (version 0.1) and its ``REGISTRY_*`` environment.

:func:`load` and :func:`load_file` turn a file and an environment into one frozen :class:`Configuration`, or
    raise one :class:`ConfigError` that lists every fault with its path. Nothing here opens a backend or
    checks that a driver exists: the parameters of a driver are handed on raw, for the driver's own class to
    read.

What reads files is imported when it is asked for: the processes that are handed a configuration do without.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dregistry.config._duration import Seconds, format_duration, parse_duration
from dregistry.config._field import about
from dregistry.config._model import (
    Catalog,
    Compat,
    Configuration,
    Indexes,
    Limits,
    Log,
    Manifests,
    Platform,
    Tags,
    Urls,
    Validation,
)
from dregistry.config._model_auth import AccessRule, Auth
from dregistry.config._model_http import Cors, Debug, Http, Prometheus, RateLimit, Tls
from dregistry.config._model_notifications import Endpoint, Notifications
from dregistry.config._model_services import (
    Compatibility,
    Health,
    Middleware,
    Middlewares,
    Policy,
    Proxy,
    Redis,
    Reporting,
)
from dregistry.config._model_storage import (
    Cache,
    Delete,
    Maintenance,
    ReadOnly,
    Redirect,
    Storage,
    TagLookup,
    UploadPurging,
)
from dregistry.config._problem import ConfigError, Problem

if TYPE_CHECKING:
    from dregistry.config._describe import Option, describe_options
    from dregistry.config._load import Loaded, load, load_file
    from dregistry.config._options import read_options
    from dregistry.config._render import hide_secrets, render
    from dregistry.config._schema import Backends, json_schema

_READING = {
    "Backends": "_schema",
    "Loaded": "_load",
    "Option": "_describe",
    "describe_options": "_describe",
    "hide_secrets": "_render",
    "json_schema": "_schema",
    "load": "_load",
    "load_file": "_load",
    "read_options": "_options",
    "render": "_render",
}

__all__ = [
    "AccessRule",
    "Auth",
    "Backends",
    "Cache",
    "Catalog",
    "Compat",
    "Compatibility",
    "ConfigError",
    "Configuration",
    "Cors",
    "Debug",
    "Delete",
    "Endpoint",
    "Health",
    "Http",
    "Indexes",
    "Limits",
    "Loaded",
    "Log",
    "Maintenance",
    "Manifests",
    "Middleware",
    "Middlewares",
    "Notifications",
    "Option",
    "Platform",
    "Policy",
    "Problem",
    "Prometheus",
    "Proxy",
    "RateLimit",
    "ReadOnly",
    "Redirect",
    "Redis",
    "Reporting",
    "Seconds",
    "Storage",
    "TagLookup",
    "Tags",
    "Tls",
    "UploadPurging",
    "Urls",
    "Validation",
    "about",
    "describe_options",
    "format_duration",
    "hide_secrets",
    "json_schema",
    "load",
    "load_file",
    "parse_duration",
    "read_options",
    "render",
]


def __getattr__(name: str) -> Any:
    if name not in _READING:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_READING[name]}"), name)
