"""The effective configuration as YAML, fit to be shown: secrets masked."""

import re
from typing import Any

import attrs
import yaml

from dregistry.config._duration import Seconds, format_duration
from dregistry.config._field import DriverSection
from dregistry.config._shape import item_type, keys_of, value_type

MASK = "********"

_SECRET = re.compile(
    r"password|passwd|passphrase|secret|token|credential|accesskey|accountkey|apikey|licensekey|private_?key"
    r"|connectionstring|authorization|cookie|signature|(^|[-_])sas"
)
_NO_SECRET = frozenset({"tokenuri", "token_uri"})
_SECTIONS = frozenset({"htpasswd", "token", "tokenserver"})
"""Access controllers: what stands below these names is not secret for the name's sake."""
_USER_INFO = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]+@")
_QUERY = re.compile(r"([?&][^=&#\s]*(?:token|secret|passw|key|sig)[^=&#\s]*=)[^&#\s]+", re.IGNORECASE)


def render(config: object) -> str:
    """Write a configuration, every default spelled out, as YAML which reads back.

    The values of keys that hold secrets (passwords, keys, tokens, ``Authorization`` headers and the like,
    also among a driver's raw options), and passwords and tokens within URLs, are replaced by asterisks; empty
    ones stay empty.
    """
    return yaml.safe_dump(_section(config), sort_keys=False, allow_unicode=True, default_flow_style=False)


def hide_secrets(text: str) -> str:
    """Replace passwords and tokens within URLs by asterisks."""
    return _QUERY.sub(rf"\1{MASK}", _USER_INFO.sub(rf"\1:{MASK}@", text))


def _section(section: Any) -> dict[str, object]:
    lines: dict[str, object] = {}
    if isinstance(section, DriverSection) and section.driver:
        lines[section.driver] = _masked(section.parameters)
    for name, key in keys_of(type(section)).items():
        value = getattr(section, key.attribute)
        if value is not None:
            lines[name] = _mask(name, _value(value, key.type))
    return lines


def _value(value: Any, type_: Any) -> object:
    if attrs.has(type(value)):
        return _section(value)
    if type_ is Seconds:
        return format_duration(value)
    if isinstance(value, re.Pattern):
        return value.pattern
    if isinstance(value, (tuple, list)):
        return [_value(item, item_type(type_)) for item in value]
    if isinstance(value, dict):
        return {name: _mask(name, _value(child, value_type(type_))) for name, child in value.items()}
    return value


def _mask(name: str, value: object) -> object:
    """Hide what a secret key holds; a section of that name (``credentials``) is hidden leaf by leaf."""
    if name.lower() in _SECTIONS and isinstance(value, dict):
        return _masked(value)
    if name.lower() in _NO_SECRET or not _SECRET.search(name.lower()):
        return _masked(value)
    if isinstance(value, dict):
        return {inner: _mask(name, child) for inner, child in value.items()}
    if isinstance(value, list):
        return [_mask(name, child) for child in value]
    return value if value in (None, "") or isinstance(value, bool) else MASK


def _masked(value: object) -> object:
    if isinstance(value, dict):
        return {str(name): _mask(str(name), child) for name, child in value.items()}
    if isinstance(value, list):
        return [_masked(child) for child in value]
    return hide_secrets(value) if isinstance(value, str) else value
