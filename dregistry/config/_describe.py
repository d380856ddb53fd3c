"""Options of a backend, put into words."""

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import attrs
from attrs import frozen

from dregistry.config._duration import Seconds, format_duration
from dregistry.config._shape import Key, item_type, keys_of, section_class, value_type

_WORDS = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "true or false",
    Seconds: "duration",
    object: "anything",
}


@frozen
class Option:
    """One option.

    :ivar name: its path below the section, dotted.
    :ivar type: what is expected, in words.
    :ivar required: it has no default.
    :ivar default: as YAML would have it, None if there is none.
    """

    name: str
    type: str
    required: bool
    default: object


def describe_options(options: type) -> tuple[Option, ...]:
    """List what an options class takes.

    :param options: an attrs class as :func:`dregistry.config.read_options` takes it.
    """
    attrs.resolve_types(options)
    return tuple(_options(options, ""))


def _options(section: type, prefix: str) -> Iterator[Option]:
    defaults = {field.name: field.default for field in attrs.fields(section)}
    for key in keys_of(section).values():
        name = prefix + key.name
        inner = section_class(key.type)
        if inner is not None:
            yield from _options(inner, f"{name}.")
        else:
            default = defaults[key.attribute]
            yield Option(name, _words(key.type), default is attrs.NOTHING, _plain(default, key))


def _words(type_: Any) -> str:
    if section_class(type_) is not None:
        return "mapping"
    if get_origin(type_) is Literal:
        return "one of " + ", ".join(word for word in get_args(type_) if word)
    if re.Pattern in (type_, get_origin(type_)):
        return "regular expression"
    if item_type(type_) is not None:
        return f"list of {_words(item_type(type_))}"
    if value_type(type_) is not None:
        return f"mapping to {_words(value_type(type_))}"
    return _WORDS.get(type_, str(type_))


def _plain(default: Any, key: Key) -> object:
    if hasattr(default, "takes_self"):  # attrs.Factory
        default = None if default.takes_self else default.factory()
    if default is attrs.NOTHING or default is None:
        return None
    if key.type is Seconds:
        return format_duration(default)
    if isinstance(default, re.Pattern):
        return default.pattern
    return list(default) if isinstance(default, tuple) else default
